package rpc

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

const unknownHash = "00000000000000000000000000000000000000000000000000000000000000ff"

func TestBlocksByHashAndHeight(t *testing.T) {
	r := newRig(t)
	a1, b1, tip := r.tree.At("a1"), r.tree.At("b1"), r.tree.At("a102")
	r.wants("getblockcount", `[]`, "102")
	r.wants("getbestblockhash", `[]`, fmt.Sprintf("%q", tip.State.Hash))
	r.wants("getblockhash", `[0]`, `"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"`)
	r.wants("getblockhash", `{"height":1}`, fmt.Sprintf("%q", a1.State.Hash))
	r.refuses("getblockhash", `[103]`, -8, "Block height out of range")
	r.refuses("getblockhash", `[-1]`, -8, "Block height out of range")
	r.refuses("getblockhash", `[1.5]`, -1, "JSON integer out of range")
	r.refuses("getblockhash", `[3000000000]`, -1, "JSON integer out of range")

	r.wants("getblockheader", `["0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"]`,
		`{"hash":"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206","confirmations":103,"height":0,"version":1,"versionHex":"00000001",`+
			`"merkleroot":"4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b","time":1296688602,"mediantime":1296688602,"nonce":2,`+
			`"bits":"207fffff","difficulty":4.656542373906925e-10,"chainwork":"0000000000000000000000000000000000000000000000000000000000000002","nTx":1,`+
			`"nextblockhash":"`+a1.State.Hash.String()+`"}`)
	r.wants("getblockheader", `["0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",false]`,
		`"0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f2002000000"`)
	r.has("getblockheader", fmt.Sprintf("[%q]", b1.State.Hash), map[string]any{"confirmations": -1, "height": 1})
	r.has("getblockheader", fmt.Sprintf("[%q]", tip.State.Hash), map[string]any{"confirmations": 1, "height": 102})
	if _, ok := r.fields("getblockheader", fmt.Sprintf("[%q]", tip.State.Hash))["nextblockhash"]; ok {
		t.Error("the tip has a next block")
	}
	r.refuses("getblockheader", `["`+unknownHash+`"]`, -5, "Block not found")
	r.refuses("getblockheader", `["abc"]`, -8, "hash must be of length 64 (not 3, for 'abc')")
	r.refuses("getblock", `["abc"]`, -8, "blockhash must be of length 64 (not 3, for 'abc')")
	x := strings.Repeat("x", 64)
	r.refuses("getblock", `["`+x+`"]`, -8, "blockhash must be hexadecimal string (not '"+x+"')")
	r.refuses("getblock", `["`+unknownHash+`"]`, -5, "Block not found")
	r.refuses("getblock", `["`+unknownHash+`","1"]`, -3, "JSON value of type string is not of expected type number")
}

func TestBlockVerbosity(t *testing.T) {
	r := newRig(t)
	key := chaintest.KeyFor(0)
	parent := r.tree.At("a102")
	coins := parent.Mature(key)[:1]
	pay := key.Pay(coins, key.Script(chaintest.P2TR), 1e8, 1000)
	child := key.Pay([]consensus.Entry{chaintest.Out(pay, 0)}, key.Script(chaintest.P2WPKH), 5e7, 500)
	n := r.tree.Block("a102", "a103", chaintest.Txs(pay, child))
	r.chain.setTip("a103")
	hash := n.State.Hash.String()

	r.wants("getblock", `["`+hash+`",0]`, `"`+hex.EncodeToString(n.Block.Raw())+`"`)
	r.wants("getblock", `["`+hash+`",false]`, `"`+hex.EncodeToString(n.Block.Raw())+`"`)
	r.has("getblock", `["`+hash+`"]`, map[string]any{
		"strippedsize": n.Block.StrippedSize(), "size": n.Block.Size(), "weight": n.Block.Weight(), "nTx": 3,
		"tx": []string{n.Block.Txs[0].TxID().String(), pay.TxID(), child.TxID()},
	})
	txs := func(verbosity string) []any { return r.fields("getblock", `["`+hash+`",`+verbosity+`]`)["tx"].([]any) }
	for i, fee := range []any{nil, 0.00001, 0.000005} {
		if got := txs("2")[i].(map[string]any)["fee"]; got != fee {
			t.Errorf("transaction %d pays %v, not %v", i, got, fee)
		}
	}
	in := func(verbosity string, tx int) map[string]any {
		return txs(verbosity)[tx].(map[string]any)["vin"].([]any)[0].(map[string]any)
	}
	if in("2", 1)["prevout"] != nil {
		t.Error("verbosity 2 shows prevouts")
	}
	prevout := in("3", 1)["prevout"].(map[string]any)
	if prevout["generated"] != true || prevout["height"] != 1.0 || prevout["value"] != 50.0 {
		t.Errorf("prevout %v", prevout)
	}
	inner := in("3", 2)["prevout"].(map[string]any) // an output of the same block
	if inner["generated"] != false || inner["height"] != 103.0 || inner["value"] != 1.0 {
		t.Errorf("prevout %v", inner)
	}
	if script := inner["scriptPubKey"].(map[string]any); script["type"] != "witness_v1_taproot" {
		t.Errorf("script %v", script)
	}
	if in("3", 0)["prevout"] != nil {
		t.Error("the coinbase has a prevout")
	}
	id := pay.TxID()
	r.has("getrawtransaction", fmt.Sprintf("[%q,1,%q]", id, hash), map[string]any{
		"in_active_chain": true, "txid": id, "blockhash": hash, "confirmations": 1, "blocktime": n.Block.Header.Timestamp.Unix(),
	})
	r.has("getrawtransaction", fmt.Sprintf("[%q,2,%q]", id, hash), map[string]any{"fee": 0.00001})
	r.refuses("getrawtransaction", fmt.Sprintf("[%q,true,%q]", unknownHash, hash), -5,
		"No such transaction found in the provided block. Use gettransaction for wallet transactions.")
	r.refuses("getrawtransaction", fmt.Sprintf("[%q,true,%q]", id, unknownHash), -5, "Block hash not found")
	r.refuses("getrawtransaction", fmt.Sprintf("[%q]", id), -5,
		"No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction queries. Use gettransaction for wallet transactions.")
	r.refuses("getrawtransaction", `["4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"]`, -5,
		"The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved")
	r.refuses("getrawtransaction", `["x"]`, -8, "parameter 1 must be of length 64 (not 1, for 'x')")
}

func TestCoins(t *testing.T) {
	r := newRig(t)
	coinbase := r.tree.At("a1").Block.Txs[0]
	id := coinbase.TxID().String()
	r.has("gettxout", fmt.Sprintf("[%q,0]", id), map[string]any{
		"bestblock": r.chain.tip().State.Hash.String(), "confirmations": 102, "value": 50, "coinbase": true,
	})
	r.wants("gettxout", fmt.Sprintf("[%q,5]", id), "null")
	r.wants("gettxout", fmt.Sprintf("[%q,0]", unknownHash), "null")
	r.refuses("gettxout", fmt.Sprintf("[%q,-1]", id), -1, "JSON integer out of range")
	r.refuses("gettxout", `["x",0]`, -8, "txid must be of length 64 (not 1, for 'x')")

	key := chaintest.KeyFor(0)
	spend := key.Pay(r.chain.tip().Mature(key)[:1], key.Script(chaintest.P2WPKH), 1e8, 1000)
	r.pool.put(spend)
	r.pool.coins[wire.OutPoint{Hash: spend.TxHash()}] = outputCoin(spend.TxOut[0], 0x7fffffff, false)
	r.wants("gettxout", fmt.Sprintf("[%q,0]", id), "null")
	r.has("gettxout", fmt.Sprintf("[%q,0,false]", id), map[string]any{"confirmations": 102})
	r.has("gettxout", fmt.Sprintf("[%q,0]", spend.TxID()), map[string]any{"confirmations": 0, "value": 1, "coinbase": false})
	r.wants("gettxout", fmt.Sprintf("[%q,0,false]", spend.TxID()), "null")

	r.wants("gettxoutsetinfo", `[]`, `{"height":102,"bestblock":"`+r.chain.tip().State.Hash.String()+`","txouts":2,"bogosize":3,`+
		`"hash_serialized_3":"0100000000000000000000000000000000000000000000000000000000000000","total_amount":0.00000004,"transactions":1,"disk_size":5}`)
	r.wants("gettxoutsetinfo", `["muhash"]`, `{"height":102,"bestblock":"`+r.chain.tip().State.Hash.String()+`","txouts":2,"bogosize":3,`+
		`"muhash":"0200000000000000000000000000000000000000000000000000000000000000","total_amount":0.00000004,"transactions":1,"disk_size":5}`)
	if none := r.fields("gettxoutsetinfo", `["none"]`); none["hash_serialized_3"] != nil || none["muhash"] != nil {
		t.Error("none has a hash")
	}
	r.refuses("gettxoutsetinfo", `["sha1"]`, -8, "'sha1' is not a valid hash_type")
	r.refuses("gettxoutsetinfo", `["none",5]`, -8, "Querying specific block heights requires coinstatsindex")
}
