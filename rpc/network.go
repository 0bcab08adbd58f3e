package rpc

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"groat/internal/ledger"
)

// What a full node of ours offers, in the bits and names of Bitcoin's network: whole blocks, with witnesses.
const (
	protocolVersion = 70016
	serverVersion   = 280000
	services        = "0000000000000409"
	serviceBits     = 0x409
	servicesPruned  = "0000000000000408" // the last blocks only
)

func serviceNames() []string { return []string{"NETWORK", "WITNESS", "NETWORK_LIMITED"} }

// localServices returns what this node offers.
func (a *api) localServices() (bits string, names []string) {
	if a.Chain.Pruning().Pruned {
		return servicesPruned, serviceNames()[1:]
	}
	return services, serviceNames()
}

func (a *api) networkMethods() []Method {
	return append(a.banMethods(), []Method{
		{
			Name: "getnetworkinfo", Category: "network", Run: a.getNetworkInfo,
			Help: "Returns an object containing various state info regarding P2P networking.", Result: "{...}",
		},
		{
			Name: "getconnectioncount", Category: "network", Run: a.networked(a.getConnectionCount),
			Help: "Returns the number of connections to other nodes.", Result: "n    (numeric) The connection count",
		},
		{
			Name: "getpeerinfo", Category: "network", Run: a.networked(a.getPeerInfo),
			Help: "Returns data about each connected network peer as a json array of objects.", Result: "[{...}, ...]",
		},
		{
			Name: "getnettotals", Category: "network", Run: a.networked(a.getNetTotals),
			Help: "Returns information about network traffic, including bytes in, bytes out, and current system time.", Result: "{...}",
		},
		{
			Name: "ping", Category: "network", Run: a.networked(a.ping),
			Help: "Requests that a ping be sent to all other nodes, to measure ping time.\nResults are provided in getpeerinfo.", Result: "null",
		},
		{
			Name: "setnetworkactive", Category: "network", Run: a.networked(a.setNetworkActive),
			Args: []Arg{{Name: "state", Type: ArgBool, Required: true, Help: "true to enable networking, false to disable"}},
			Help: "Disable/enable all p2p network activity.", Result: "true|false    (boolean) The value that was passed in",
		},
		{
			Name: "addnode", Category: "network", Run: a.networked(a.addNode),
			Args: []Arg{
				{Name: "node", Type: ArgString, Required: true, Help: "The multiaddr of the node, such as /ip4/192.0.2.1/tcp/9833/p2p/ID"},
				{
					Name: "command", Type: ArgString, Required: true,
					Help: "'add' to add a node to the list, 'remove' to remove a node from the list, 'onetry' to try a connection to the node once",
				},
				{Name: "v2transport", Type: ArgBool, Default: "ignored", Help: "Ignored: every connection is encrypted."},
			},
			Help: "Attempts to add or remove a node from the addnode list.\nOr try a connection to a node once.", Result: "null",
		},
		{
			Name: "disconnectnode", Category: "network", Run: a.networked(a.disconnectNode),
			Args: []Arg{
				{Name: "address", Type: ArgString, Default: "fallback to nodeid", Help: "The address of the node, as getpeerinfo shows it, or its peer id"},
				{Name: "nodeid", Type: ArgInt64, Default: "fallback to address", Help: "The node ID (see getpeerinfo for node IDs)"},
			},
			Help: "Immediately disconnects from the specified peer node.\n\nStrictly one out of 'address' and 'nodeid' can be provided to identify the node.", Result: "null",
		},
		{
			Name: "getaddednodeinfo", Category: "network", Run: a.networked(a.getAddedNodeInfo),
			Args: []Arg{{Name: "node", Type: ArgString, Default: "all nodes", Help: "If provided, return information about this specific node, otherwise all nodes are returned."}},
			Help: "Returns information about the given added node, or all added nodes\n(note that onetry addnodes are not listed here)", Result: "[{addednode, connected, addresses}, ...]",
		},
	}...)
}

// networked refuses a method on a network that opens no host.
func (a *api) networked(run func(context.Context, *Call) (any, error)) func(context.Context, *Call) (any, error) {
	return func(ctx context.Context, c *Call) (any, error) {
		if a.Network == nil {
			return nil, errorf(CodeNoNetwork, "Error: Peer-to-peer functionality missing or disabled")
		}
		return run(ctx, c)
	}
}

// networkJSON is a kind of network that peers may be on.
type networkJSON struct {
	Name      string `json:"name"`
	Limited   bool   `json:"limited"`
	Reachable bool   `json:"reachable"`
	Proxy     string `json:"proxy"`
	Randomize bool   `json:"proxy_randomize_credentials"`
}

type localJSON struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
	Score   int    `json:"score"`
}

func (a *api) getNetworkInfo(context.Context, *Call) (any, error) {
	var info ledger.NetInfo
	if a.Network != nil {
		info = a.Network.Info()
	}
	networks := make([]networkJSON, 0, 5)
	for _, name := range []string{"ipv4", "ipv6", "onion", "i2p", "cjdns"} {
		reachable := a.Network != nil && (name == "ipv4" || name == "ipv6")
		networks = append(networks, networkJSON{Name: name, Limited: !reachable, Reachable: reachable})
	}
	offers, offerNames := a.localServices()
	return struct {
		Version         int           `json:"version"`
		Subversion      string        `json:"subversion"`
		ProtocolVersion int           `json:"protocolversion"`
		LocalServices   string        `json:"localservices"`
		ServiceNames    []string      `json:"localservicesnames"`
		LocalRelay      bool          `json:"localrelay"`
		TimeOffset      int           `json:"timeoffset"`
		NetworkActive   bool          `json:"networkactive"`
		Connections     int           `json:"connections"`
		In              int           `json:"connections_in"`
		Out             int           `json:"connections_out"`
		Networks        []networkJSON `json:"networks"`
		RelayFee        Amount        `json:"relayfee"`
		IncrementalFee  Amount        `json:"incrementalfee"`
		Local           []localJSON   `json:"localaddresses"`
		Warnings        []string      `json:"warnings"`
		PeerID          string        `json:"peerid,omitempty"`
		Listen          []string      `json:"listen,omitempty"`
	}{
		Version: serverVersion, Subversion: "/Satoshi:28.0.0(groat:" + a.version + ")/", ProtocolVersion: protocolVersion,
		LocalServices: offers, ServiceNames: offerNames, LocalRelay: a.Network != nil,
		NetworkActive: info.Active, Connections: info.Inbound + info.Outbound, In: info.Inbound, Out: info.Outbound,
		Networks: networks, RelayFee: Amount(a.Pool.Info().RelayFee), IncrementalFee: incrementalFee,
		Local: localAddresses(info.Listen), Warnings: []string{}, PeerID: info.Peer, Listen: info.Listen,
	}, nil
}

// localAddresses returns the public addresses among multiaddrs, as Core shows them.
func localAddresses(listen []string) []localJSON {
	list := make([]localJSON, 0, len(listen))
	for _, multiaddr := range listen {
		host, port, ok := splitMultiaddr(multiaddr)
		n, err := strconv.Atoi(port)
		j := localJSON{Address: host, Port: n, Score: 1}
		if ok && err == nil && networkOf(host) != unroutable && !slices.Contains(list, j) {
			list = append(list, j)
		}
	}
	return list
}

const unroutable = "not_publicly_routable" // Core's word for private addresses

// networkOf returns Core's name for the network that a host is on.
func networkOf(host string) string {
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil || !ip.IsGlobalUnicast() || ip.IsPrivate():
		return unroutable
	case ip.Unmap().Is4():
		return "ipv4"
	}
	return "ipv6"
}

// splitMultiaddr returns the host and port of a multiaddr, and false if it has none.
func splitMultiaddr(text string) (host, port string, ok bool) {
	part := strings.Split(text, "/")
	if len(part) < 5 || part[0] != "" || (part[3] != "tcp" && part[3] != "udp") {
		return "", "", false
	}
	switch part[1] {
	case "ip4", "ip6", "dns", "dns4", "dns6":
		return part[2], part[4], true
	}
	return "", "", false
}

// hostPort returns a multiaddr as host:port, or as it is if it has none.
func hostPort(multiaddr string) string {
	host, port, ok := splitMultiaddr(multiaddr)
	if !ok {
		return multiaddr
	}
	return net.JoinHostPort(host, port)
}

func (a *api) getConnectionCount(context.Context, *Call) (any, error) { return a.Network.Count(), nil }

func (a *api) getNetTotals(context.Context, *Call) (any, error) {
	type target struct {
		Timeframe  int  `json:"timeframe"`
		Target     int  `json:"target"`
		Reached    bool `json:"target_reached"`
		Historical bool `json:"serve_historical_blocks"`
		BytesLeft  int  `json:"bytes_left_in_cycle"`
		TimeLeft   int  `json:"time_left_in_cycle"`
	}
	type flow struct {
		Received uint64 `json:"bytesrecv"`
		Sent     uint64 `json:"bytessent"`
	}
	const day = 24 * 60 * 60
	info := a.Network.Info()
	protocols := make(map[string]flow, len(info.Traffic))
	for name, f := range info.Traffic {
		protocols[name] = flow{f.Received, f.Sent}
	}
	return struct {
		Received uint64 `json:"totalbytesrecv"`
		Sent     uint64 `json:"totalbytessent"`
		Time     int64  `json:"timemillis"`
		Target   target `json:"uploadtarget"`

		Protocols map[string]flow `json:"protocols"`
	}{info.BytesRecv, info.BytesSent, a.now().UnixMilli(), target{Timeframe: day, Historical: true}, protocols}, nil
}

func (a *api) ping(context.Context, *Call) (any, error) {
	a.Network.Ping()
	return nil, nil
}

func (a *api) setNetworkActive(_ context.Context, c *Call) (any, error) {
	a.Network.SetActive(c.BoolOr(0, true))
	return a.Network.Info().Active, nil
}

func (a *api) addNode(ctx context.Context, c *Call) (any, error) {
	node, command := c.String(0), c.String(1)
	added := slices.ContainsFunc(a.Network.AddedNodes(), func(n ledger.AddedNode) bool { return n.Addr == node })
	switch command {
	case "onetry":
		return nil, toldError(a.Network.AddNode(ctx, node, true))
	case "add":
		if added {
			return nil, errorf(CodeNodeAdded, "Error: Node already added")
		}
		return nil, toldError(a.Network.AddNode(ctx, node, false))
	case "remove":
		if !added {
			return nil, errorf(CodeNodeNotAdded, "Error: Node could not be removed. It has not been added previously.")
		}
		return nil, a.Network.RemoveNode(node)
	}
	return nil, errorf(CodeMisc, "%s", c.Method.usage())
}

func (a *api) disconnectNode(_ context.Context, c *Call) (any, error) {
	text := c.String(0)
	if (text != "") == c.Has(1) {
		return nil, errorf(CodeInvalidParams, "Only one of address and nodeid should be provided.")
	}
	for _, p := range a.Network.Peers() {
		named := c.Has(1) && p.ID == c.Int(1)
		addressed := !c.Has(1) && (text == p.Addr || text == p.Peer || text == hostPort(p.Addr))
		if named || addressed {
			return nil, a.Network.Disconnect(p.ID)
		}
	}
	return nil, errorf(CodePeerNotConnected, "Node not found in connected nodes")
}

func (a *api) getAddedNodeInfo(_ context.Context, c *Call) (any, error) {
	type addressJSON struct {
		Address   string `json:"address"`
		Connected string `json:"connected"`
	}
	type addedJSON struct {
		Node      string        `json:"addednode"`
		Connected bool          `json:"connected"`
		Addresses []addressJSON `json:"addresses"`

		LastError string `json:"last_error,omitempty"`
	}
	list := []addedJSON{}
	for _, n := range a.Network.AddedNodes() {
		if c.Has(0) && c.String(0) != n.Addr {
			continue
		}
		j := addedJSON{Node: n.Addr, Connected: n.Connected, Addresses: []addressJSON{}, LastError: n.Problem}
		if n.Connected {
			direction := "outbound"
			if n.Inbound {
				direction = "inbound"
			}
			j.Addresses = append(j.Addresses, addressJSON{hostPort(n.Addr), direction})
		}
		list = append(list, j)
	}
	if c.Has(0) && len(list) == 0 {
		return nil, errorf(CodeNodeNotAdded, "Error: Node has not been added.")
	}
	return list, nil
}

// unixTime returns t in seconds, 0 if it never was.
func unixTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
