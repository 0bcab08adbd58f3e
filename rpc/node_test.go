package rpc

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"groat/consensus"
	"groat/internal/ledger"
)

func TestBlockchainInfo(t *testing.T) {
	r := newRig(t)
	tip := r.chain.tip().State
	r.wants("getblockchaininfo", `[]`, fmt.Sprintf(`{"chain":"regtest","blocks":102,"headers":102,"bestblockhash":"%v","difficulty":4.656542373906925e-10,"time":%d,"mediantime":%d,`+
		`"verificationprogress":1,"initialblockdownload":false,"chainwork":"%v","size_on_disk":1234,"pruned":false,"warnings":[]}`,
		tip.Hash, tip.Header.Timestamp.Unix(), tip.MedianTime().Unix(), tip.Work))
	r.wants("getdifficulty", `[]`, "4.656542373906925e-10")
	r.wants("getchaintips", `[]`, fmt.Sprintf(`[{"height":102,"hash":"%v","branchlen":0,"status":"active"},{"height":0,"hash":"%v","branchlen":1,"status":"valid-fork"}]`,
		tip.Hash, r.tree.Params.GenesisHash))
}

func TestDifficulty(t *testing.T) {
	for bits, want := range map[uint32]string{
		0x1d00ffff: "1",
		0x1b0404cb: "16307.42093852398", // Bitcoin's block 100,000 and after
		0x170331db: "88104191118793.16",
		0x207fffff: "4.656542373906925e-10",
		0x1e00ffff: "0.00390625",
	} {
		got, err := difficulty(bits).MarshalJSON()
		if err != nil || string(got) != want {
			t.Errorf("%08x: %s, %v; want %s", bits, got, err, want)
		}
	}
}

func TestDeployments(t *testing.T) {
	r := newRig(t)
	const taproot = `"taproot":{"type":"bip9","height":0,"active":true,"bip9":{"start_time":-1,"timeout":9223372036854775807,"min_activation_height":0,"status":"active","since":0,"status_next":"active"}}`
	r.wants("getdeploymentinfo", `["0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"]`,
		`{"hash":"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206","height":0,"deployments":{"bip34":{"type":"buried","active":true,"height":1},`+
			`"bip66":{"type":"buried","active":true,"height":1},"bip65":{"type":"buried","active":true,"height":1},"csv":{"type":"buried","active":true,"height":1},`+
			`"segwit":{"type":"buried","active":true,"height":0},`+taproot+`}}`)
	r.has("getdeploymentinfo", `[]`, map[string]any{"height": 102})
	r.refuses("getdeploymentinfo", `["`+unknownHash+`"]`, -5, "Block not found")
}

func TestChainTxStats(t *testing.T) {
	r := newRig(t)
	tip := r.chain.tip().State
	r.wants("getchaintxstats", `[10]`, fmt.Sprintf(`{"time":%d,"txcount":103,"window_final_block_hash":"%v","window_final_block_height":102,"window_block_count":10,`+
		`"window_interval":6000,"window_tx_count":10,"txrate":0.001666666666666667}`, tip.Header.Timestamp.Unix(), tip.Hash))
	r.has("getchaintxstats", `[]`, map[string]any{"window_block_count": 101})
	if got := r.fields("getchaintxstats", `[0]`); got["window_interval"] != nil || got["txcount"] != 103.0 {
		t.Errorf("an empty window: %v", got)
	}
	r.refuses("getchaintxstats", `[102]`, -8, "Invalid block count: should be between 0 and the block's height - 1")
	r.refuses("getchaintxstats", `[-1]`, -8, "Invalid block count: should be between 0 and the block's height - 1")
	r.refuses("getchaintxstats", fmt.Sprintf(`[0,"%v"]`, r.tree.At("b1").State.Hash), -8, "Block is not in main chain")
	r.refuses("getchaintxstats", `[0,"`+unknownHash+`"]`, -5, "Block not found")
}

func TestMarks(t *testing.T) {
	r := newRig(t)
	for i, method := range []string{"invalidateblock", "reconsiderblock", "preciousblock"} {
		r.wants(method, fmt.Sprintf(`["%v"]`, r.tree.At("a5").State.Hash), "null")
		if r.pool.caughtUp != i+1 {
			t.Errorf("%s: the pool did not follow", method)
		}
		r.refuses(method, `["`+unknownHash+`"]`, -5, "Block not found")
	}
	r.chain.refusal = consensus.RuleError{Kind: consensus.ErrOverspend}
	r.refuses("reconsiderblock", fmt.Sprintf(`["%v"]`, r.tree.At("a5").State.Hash), -20, "bad-txns-in-belowout")
	r.chain.refusal = errors.New("disk is gone")
	r.refuses("invalidateblock", fmt.Sprintf(`["%v"]`, r.tree.At("a5").State.Hash), -1, "disk is gone")
}

func TestWaits(t *testing.T) {
	r := newRig(t)
	tip := r.chain.tip().State
	now := fmt.Sprintf(`{"hash":"%v","height":102}`, tip.Hash)
	r.wants("waitforblockheight", `[102]`, now)
	r.wants("waitforblockheight", `[103,1]`, now)
	r.wants("waitforblock", fmt.Sprintf(`["%v"]`, tip.Hash), now)
	r.wants("waitforblock", `["`+unknownHash+`",1]`, now)
	r.wants("waitfornewblock", `[1]`, now)
	r.refuses("waitfornewblock", `[-1]`, -1, "Negative timeout")
	r.wants("syncwithvalidationinterfacequeue", `[]`, "null")
	if r.pool.caughtUp != 1 {
		t.Error("the pool did not follow")
	}

	done, entered := make(chan any, 1), make(chan struct{})
	go func() {
		result, err := r.table["waitfornewblock"].call(t.Context(), &Call{idle: func(wait func()) { close(entered); wait() }}, Value{Kind: Array})
		if err != nil {
			result = err
		}
		done <- result
	}()
	<-entered
	r.chain.setTip("a101")
	got, err := marshal(<-done)
	if want := fmt.Sprintf(`{"hash":"%v","height":101}`, r.tree.At("a101").State.Hash); err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestMockTime(t *testing.T) {
	r := newRig(t)
	r.wants("setmocktime", `[1800000000]`, "null")
	if !r.clock.at.Equal(time.Unix(1_800_000_000, 0)) {
		t.Errorf("set to %v", r.clock.at)
	}
	r.wants("setmocktime", `[0]`, "null")
	if !r.clock.at.IsZero() {
		t.Errorf("set to %v", r.clock.at)
	}
	r.refuses("setmocktime", `[-1]`, -8, "Mocktime must be in the range [0, 9223372036], not -1.")
	r.refuses("setmocktime", `[9223372037]`, -8, "Mocktime must be in the range [0, 9223372036], not 9223372037.")
	r.use(Parts{Params: consensus.Main(), Clock: r.clock})
	r.refuses("setmocktime", `[1]`, -1, "setmocktime is for regression testing (-regtest mode) only")
}

func TestSmallMethods(t *testing.T) {
	r := newRig(t)
	r.wants("estimatesmartfee", `[6,"ECONOMICAL"]`, `{"errors":["Insufficient data or no feerate found"],"blocks":6}`)
	r.refuses("estimatesmartfee", `[0]`, -8, "Invalid conf_target, must be between 1 and 1008")
	r.refuses("estimatesmartfee", `[1009]`, -8, "Invalid conf_target, must be between 1 and 1008")
	r.refuses("estimatesmartfee", `[6,"x"]`, -8, `Invalid estimate_mode parameter, must be one of: "unset", "economical", "conservative"`)
	r.wants("getmemoryinfo", `[]`, `{"locked":{"used":0,"free":0,"total":0,"locked":0,"chunks_used":0,"chunks_free":0}}`)
	r.refuses("getmemoryinfo", `["x"]`, -8, "unknown mode x")
	r.wants("getrpcinfo", `[]`, `{"active_commands":[],"logpath":""}`)
}

func TestNetworkInfo(t *testing.T) {
	r := newRig(t)
	r.net.peers = []ledger.PeerInfo{
		{
			ID: 3, Peer: "12D3A", Addr: "/ip4/10.0.0.1/tcp/9833", Inbound: true, ConnectionType: "inbound", UserAgent: "/groat:0.1.0/",
			Connected: time.Unix(1_700_000_000, 0), BytesSent: 5, BytesRecv: 6,
			Ping: 12500 * time.Microsecond, MinPing: 10 * time.Millisecond, SyncedHeaders: 9, SyncedBlocks: 8, InFlight: []int32{10, 11},
			LastTx: time.Unix(1_700_000_001, 0), LastBlock: time.Unix(1_700_000_002, 0),
			Traffic: map[string]ledger.Flow{"blocks": {Sent: 1, Received: 6}, "status": {Sent: 4}}, GossipScore: 1.5, InMesh: true,
		},
		{ID: 4, Peer: "12D3B", Addr: "/ip6/2001:4860::1/udp/1/quic-v1"},
	}
	r.wants("getnetworkinfo", `[]`, `{"version":280000,"subversion":"/Satoshi:28.0.0(groat:0.1.0)/","protocolversion":70016,"localservices":"0000000000000409",`+
		`"localservicesnames":["NETWORK","WITNESS","NETWORK_LIMITED"],"localrelay":true,"timeoffset":0,"networkactive":true,"connections":2,"connections_in":1,"connections_out":1,`+
		`"networks":[{"name":"ipv4","limited":false,"reachable":true,"proxy":"","proxy_randomize_credentials":false},{"name":"ipv6","limited":false,"reachable":true,"proxy":"","proxy_randomize_credentials":false},`+
		`{"name":"onion","limited":true,"reachable":false,"proxy":"","proxy_randomize_credentials":false},{"name":"i2p","limited":true,"reachable":false,"proxy":"","proxy_randomize_credentials":false},`+
		`{"name":"cjdns","limited":true,"reachable":false,"proxy":"","proxy_randomize_credentials":false}],"relayfee":0.00001000,"incrementalfee":0.00001000,`+
		`"localaddresses":[{"address":"8.8.8.8","port":9833,"score":1}],"warnings":[],"peerid":"12D3Me","listen":["/ip4/127.0.0.1/tcp/9833/p2p/12D3Me","/ip4/8.8.8.8/udp/9833/quic-v1/p2p/12D3Me"]}`)
	r.wants("getconnectioncount", `[]`, "2")
	result, err := r.call("getpeerinfo", `[]`)
	if err != nil {
		t.Fatal(err)
	}
	peers := result.([]peerJSON)
	got, err := marshal(peers[0])
	if want := `{"id":3,"addr":"10.0.0.1:9833","network":"not_publicly_routable","services":"0000000000000409","servicesnames":["NETWORK","WITNESS","NETWORK_LIMITED"],"relaytxes":true,` +
		`"lastsend":0,"lastrecv":0,"last_transaction":1700000001,"last_block":1700000002,"bytessent":5,"bytesrecv":6,"conntime":1700000000,"timeoffset":0,"pingtime":0.0125,"minping":0.01,"version":70016,` +
		`"subver":"/groat:0.1.0/","inbound":true,"bip152_hb_to":false,"bip152_hb_from":false,"startingheight":0,"presynced_headers":-1,"synced_headers":9,"synced_blocks":8,"inflight":[10,11],` +
		`"addr_relay_enabled":true,"addr_processed":0,"addr_rate_limited":0,"permissions":[],"minfeefilter":0.00000000,"bytessent_per_msg":{"blocks":1,"status":4},"bytesrecv_per_msg":{"blocks":6,"status":0},` +
		`"connection_type":"inbound","transport_protocol_type":"libp2p","session_id":"","peerid":"12D3A","multiaddr":"/ip4/10.0.0.1/tcp/9833","protocols":[],"score":0,"gossip_score":1.5,"in_mesh":true}`; err != nil || string(got) != want {
		t.Errorf("peer %v\ngot  %s\nwant %s", err, got, want)
	}
	if peers[1].Addr != "[2001:4860::1]:1" || peers[1].Network != "ipv6" {
		t.Errorf("peer %+v", peers[1])
	}
	r.has("getnettotals", `[]`, map[string]any{"totalbytesrecv": 20, "totalbytessent": 10, "timemillis": 1_700_000_100_000,
		"protocols": map[string]any{"txrelay": map[string]any{"bytesrecv": 20, "bytessent": 10}}})
	r.wants("setnetworkactive", `[false]`, "false")
	r.wants("setnetworkactive", `[true]`, "true")
	r.wants("ping", `[]`, "null")
	r.wants("disconnectnode", `["10.0.0.1:9833"]`, "null")
	r.wants("disconnectnode", `["12D3B"]`, "null")
	r.wants("disconnectnode", `["",4]`, "null")
	if fmt.Sprint(r.net.disconnected) != "[3 4 4]" {
		t.Errorf("disconnected %v", r.net.disconnected)
	}
	r.refuses("disconnectnode", `["x"]`, -29, "Node not found in connected nodes")
	r.refuses("disconnectnode", `[]`, -32602, "Only one of address and nodeid should be provided.")
	r.refuses("disconnectnode", `["x",1]`, -32602, "Only one of address and nodeid should be provided.")
}

func TestAddedNodes(t *testing.T) {
	r := newRig(t)
	const node = "/ip4/127.0.0.1/tcp/1/p2p/12D3"
	r.wants("getaddednodeinfo", `[]`, "[]")
	r.refuses("getaddednodeinfo", `["x"]`, -24, "Error: Node has not been added.")
	r.wants("addnode", `["`+node+`","add"]`, "null")
	r.refuses("addnode", `["`+node+`","add"]`, -23, "Error: Node already added")
	r.wants("getaddednodeinfo", `["`+node+`"]`, `[{"addednode":"`+node+`","connected":false,"addresses":[]}]`)
	r.net.nodes[0].Connected = true
	r.wants("getaddednodeinfo", `[]`, `[{"addednode":"`+node+`","connected":true,"addresses":[{"address":"127.0.0.1:1","connected":"outbound"}]}]`)
	r.wants("addnode", `["`+node+`","remove"]`, "null")
	r.refuses("addnode", `["`+node+`","remove"]`, -24, "Error: Node could not be removed. It has not been added previously.")
	r.wants("addnode", `["`+node+`","onetry"]`, "null")
	if len(r.net.once) != 1 || len(r.net.nodes) != 0 {
		t.Errorf("tried %v, added %v", r.net.once, r.net.nodes)
	}
	r.refuses("addnode", `["`+node+`","x"]`, -1, r.table["addnode"].usage())
}

func TestWithoutNetwork(t *testing.T) {
	r := newRig(t)
	r.use(Parts{Params: consensus.Bitcoin()})
	for _, method := range []string{"getconnectioncount", "getpeerinfo", "getnettotals", "ping", "getaddednodeinfo", "disconnectnode"} {
		r.refuses(method, `[]`, -31, "Error: Peer-to-peer functionality missing or disabled")
	}
	r.has("getnetworkinfo", `[]`, map[string]any{"networkactive": false, "connections": 0, "localrelay": false})
}
