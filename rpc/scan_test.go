package rpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

func TestScanTxOutSet(t *testing.T) {
	r := newRig(t)
	coin := r.chain.tip().Mature(chaintest.KeyFor(0))[0]
	script := hex.EncodeToString(coin.Coin.PkScript)
	key := hex.EncodeToString(chaintest.KeyFor(0).Private().PubKey().SerializeCompressed())
	raw := r.fields("scantxoutset", `["start",["raw(`+script+`)"]]`)
	count := len(raw["unspents"].([]any))
	if count == 0 || raw["success"] != true || raw["height"] != float64(102) || raw["bestblock"] != r.chain.tip().State.Hash.String() || raw["txouts"].(float64) < float64(count) {
		t.Errorf("found %v", raw)
	}
	if raw["total_amount"] != float64(50*count) {
		t.Errorf("%d coins of 50 are %v", count, raw["total_amount"])
	}
	by := r.fields("scantxoutset", `["start",[{"desc":"wpkh(`+key+`)"},"raw(51)"]]`)["unspents"].([]any)
	if len(by) != count || by[0].(map[string]any)["desc"] != withChecksum("wpkh("+key+")") {
		t.Errorf("by key: %v", by)
	}
	if got := r.fields("scantxoutset", `["start",[]]`)["unspents"].([]any); len(got) != 0 {
		t.Errorf("for nothing: %v", got)
	}
	r.wants("scantxoutset", `["status"]`, `null`)
	r.wants("scantxoutset", `["abort"]`, `false`)
	r.refuses("scantxoutset", `["x"]`, -8, "Invalid action 'x'")
	r.refuses("scantxoutset", `["start"]`, -1, "scanobjects argument is required for the start action")
	r.refuses("scantxoutset", `["start",["x"]]`, -5, "'x' is not a valid descriptor function")
	r.refuses("scantxoutset", `["start",[{}]]`, -8, "Descriptor needs to be provided in scan object")
	r.refuses("scantxoutset", `["start",[5]]`, -8, "Scan object needs to be either a string or an object")
	r.refuses("scantxoutset", `["start",[{"desc":"raw(51)","range":[2,1]}]]`, -8, "Range specified as [begin,end] must not have begin after end")
}

func TestOneScanAtATime(t *testing.T) {
	var s coinScan
	ctx, end, ok := s.begin(t.Context())
	if !ok {
		t.Fatal("none is under way")
	}
	if _, _, ok := s.begin(t.Context()); ok {
		t.Fatal("two at a time")
	}
	if s.status() == nil || !s.abort() || ctx.Err() == nil {
		t.Fatal("it cannot be aborted")
	}
	end()
	if s.status() != nil || s.abort() {
		t.Fatal("it has ended")
	}
	if _, _, ok := s.begin(context.Background()); !ok {
		t.Fatal("no second one")
	}
}

func TestDescriptorMethods(t *testing.T) {
	r := newRig(t)
	const key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	const address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
	sum := func(text string) string { return withChecksum(text)[len(text)+1:] }
	r.wants("getdescriptorinfo", `["wpkh(`+key+`)"]`, fmt.Sprintf(`{"descriptor":%q,"checksum":%q,"isrange":false,"issolvable":true,"hasprivatekeys":false}`, withChecksum("wpkh("+key+")"), sum("wpkh("+key+")")))
	r.wants("getdescriptorinfo", `["raw(51)"]`, fmt.Sprintf(`{"descriptor":%q,"checksum":%q,"isrange":false,"issolvable":false,"hasprivatekeys":false}`, withChecksum("raw(51)"), sum("raw(51)")))
	r.wants("deriveaddresses", `["`+withChecksum("wpkh("+key+")")+`"]`, `["`+address+`"]`)
	r.refuses("deriveaddresses", `["wpkh(`+key+`)"]`, -5, "Missing checksum")
	r.refuses("deriveaddresses", `["`+withChecksum("wpkh("+key+")")+`",1]`, -8, "Range should not be specified for an un-ranged descriptor")
	r.refuses("deriveaddresses", `["`+withChecksum("pk("+key+")")+`"]`, -5, "Descriptor does not have a corresponding address")
	const tpub = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B"
	ranged := withChecksum("wpkh(" + tpub + "/1/1/*)")
	r.refuses("deriveaddresses", `["`+ranged+`"]`, -8, "Range must be specified for a ranged descriptor")
	// Bitcoin Core's rpc_deriveaddresses.py
	r.wants("deriveaddresses", `["`+ranged+`",[1,2]]`, `["bcrt1qhku5rq7jz8ulufe2y6fkcpnlvpsta7rq4442dy","bcrt1qpgptk2gvshyl0s9lqshsmx932l9ccsv265tvaq"]`)
	for span, message := range map[string]string{
		`-1`: "End of range is too high", `[-1,0]`: "Range should be greater or equal than 0", `[2,0]`: "Range specified as [begin,end] must not have begin after end",
		`1000001`: "Range is too large", `[0,1000001]`: "Range is too large", `9999999999`: "End of range is too high", `"x"`: "Range must be specified as end or as [begin,end]",
	} {
		r.refuses("deriveaddresses", `["`+ranged+`",`+span+`]`, -8, message)
	}
}

// spendingRig returns the rig with a tip of a few payments.
func spendingRig(t *testing.T) (*rig, *chaintest.Node) {
	r := newRig(t)
	key := chaintest.KeyFor(0)
	coins := r.chain.tip().Mature(key)
	low := key.Pay(coins[:1], key.Script(chaintest.P2WPKH), 1e8, 1000)
	high := key.Pay([]consensus.Entry{chaintest.Out(low, 0)}, key.Script(chaintest.P2WPKH), 5e7, 10_000)
	burn := key.Pay([]consensus.Entry{chaintest.Out(low, 1)}, []byte{0x6a}, 0, 3000)
	n := r.tree.Block("a102", "a103", chaintest.Txs(low, high, burn))
	r.chain.setTip("a103")
	return r, n
}

func TestBlockStats(t *testing.T) {
	r, n := spendingRig(t)
	hash := n.State.Hash.String()
	got := r.fields("getblockstats", `[103]`)
	size, weight := 0, 0
	for _, tx := range n.Block.Txs[1:] {
		size, weight = size+tx.Size(), weight+tx.Weight()
	}
	outs, ins := 0, 3
	for _, tx := range n.Block.Txs {
		outs += len(tx.Msg.TxOut)
	}
	for key, want := range map[string]any{
		"blockhash": hash, "height": 103, "txs": 4, "ins": ins, "outs": outs, "subsidy": 5000000000, "totalfee": 14_000, "avgfee": 14_000 / 3, "minfee": 1000, "medianfee": 3000, "maxfee": 10_000,
		"total_size": size, "total_weight": weight, "swtotal_size": size, "swtxs": 3, "avgtxsize": size / 3, "avgfeerate": 14_000 * 4 / weight,
		"utxo_increase": outs - ins, "utxo_increase_actual": outs - ins - 2, // the data carrier and the witness commitment
	} {
		if fmt.Sprint(got[key]) != fmt.Sprint(jsonNumber(want)) {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	if again := r.fields("getblockstats", `["`+hash+`"]`); fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("by hash: %v", again)
	}
	r.wants("getblockstats", `[103,["height","txs"]]`, `{"height":103,"txs":4}`)
	r.has("getblockstats", `[0]`, map[string]any{"txs": 1, "outs": 1, "utxo_increase": 1, "utxo_increase_actual": 0, "utxo_size_inc_actual": 0, "total_size": 0, "minfee": 0})
	r.refuses("getblockstats", `[104]`, -8, "Target block height 104 after current tip 103")
	r.refuses("getblockstats", `[-1]`, -8, "Target block height -1 is negative")
	r.refuses("getblockstats", `["`+unknownHash+`"]`, -5, "Block not found")
	r.refuses("getblockstats", `[1,["nope"]]`, -8, "Invalid selected statistic 'nope'")
	if got := percentiles([]weighedRate{{1, 10}, {2, 10}, {3, 80}}, 100); got != [5]int64{1, 3, 3, 3, 3} {
		t.Errorf("percentiles %v", got)
	}
}

// jsonNumber returns integers as they come out of JSON.
func jsonNumber(v any) any {
	if n, ok := v.(int); ok {
		return float64(n)
	}
	return v
}

func TestVerifyChain(t *testing.T) {
	r, n := spendingRig(t)
	for _, params := range []string{`[]`, `[0]`, `[4,1]`, `[4,0]`, `[4,1000]`} {
		r.wants("verifychain", params, `true`)
	}
	// the coins that a block spent are not those of its undo record
	key := chaintest.KeyFor(0)
	for op, coin := range n.Parent.Coins {
		if op == n.Block.Txs[1].Msg.TxIn[0].PreviousOutPoint {
			coin.PkScript = key.Script(chaintest.P2TR)
			n.Parent.Coins[op] = coin
		}
	}
	r.wants("verifychain", `[3]`, `true`)
	r.wants("verifychain", `[4]`, `false`)
	delete(n.Parent.Coins, wire.OutPoint(n.Block.Txs[1].Msg.TxIn[0].PreviousOutPoint))
	r.wants("verifychain", `[2]`, `true`)
	r.wants("verifychain", `[3]`, `false`)
}

func TestNothingToTell(t *testing.T) {
	r := newRig(t)
	r.wants("getindexinfo", `[]`, `{}`)
	r.wants("getindexinfo", `["txindex"]`, `{}`)
	r.wants("getzmqnotifications", `[]`, `[]`)
	r.wants("logging", `[]`, `{}`)
	r.refuses("logging", `[["foobar"]]`, -8, "unknown logging category foobar")
	r.wants("mockscheduler", `[1]`, `null`)
	r.refuses("mockscheduler", `[0]`, -8, "delta_time must be between 1 and 3600 seconds (1 hr)")
	r.refuses("mockscheduler", `[3601]`, -8, "delta_time must be between 1 and 3600 seconds (1 hr)")
}
