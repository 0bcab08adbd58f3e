package rpc

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
)

func rawBlock(b *consensus.Block) string { return fmt.Sprintf("[%q]", hex.EncodeToString(b.Raw())) }

func TestSubmitBlock(t *testing.T) {
	r := newRig(t)
	b := r.tree.Build("a102")
	r.chain.answer = ledger.Added{Active: true}
	r.wants("submitblock", rawBlock(b), "null")
	if r.pool.caughtUp != 1 {
		t.Error("the pool did not follow")
	}
	r.chain.answer = ledger.Added{}
	r.wants("submitblock", rawBlock(b), `"inconclusive"`)
	r.chain.answer = ledger.Added{Known: true}
	r.wants("submitblock", rawBlock(b), `"duplicate"`)
	r.chain.refusal = consensus.RuleError{Kind: consensus.ErrMerkleRoot, Detail: "x"}
	r.wants("submitblock", rawBlock(b), `"bad-txnmrklroot"`)
	r.chain.refusal = consensus.ErrPrevUnknown
	r.wants("submitblock", rawBlock(b), `"prev-blk-not-found"`)
	r.chain.refusal = consensus.RuleError{Kind: consensus.ErrPrevInvalid}
	r.wants("submitblock", rawBlock(b), `"inconclusive"`) // the parent was found invalid on the way to b
	r.chain.invalid = "b1"
	r.wants("submitblock", rawBlock(r.tree.Build("b1")), `"bad-prevblk"`)
	r.wants("submitblock", rawBlock(r.tree.At("b1").Block), `"duplicate-invalid"`)
	r.chain.invalid = ""
	r.chain.refusal = errors.New("disk is gone")
	r.refuses("submitblock", rawBlock(b), -1, "disk is gone")
	r.chain.refusal = nil

	before := len(r.chain.added)
	r.wants("submitblock", rawBlock(r.tree.At("a5").Block), `"duplicate"`)
	r.wants("submitblock", rawBlock(r.tree.At("b1").Block), `"duplicate"`)
	if len(r.chain.added) != before {
		t.Error("a known block was added again")
	}
	r.refuses("submitblock", `["00"]`, -22, "Block decode failed")
	r.refuses("submitblock", `["x"]`, -22, "Block decode failed")
	header := hex.EncodeToString(b.Raw()[:80])
	r.refuses("submitblock", `["`+header+`00"]`, -22, "Block does not start with a coinbase")
}

func TestSubmitBlockWithoutReservedValue(t *testing.T) {
	r := newRig(t)
	b := r.tree.Build("a102")
	stripped := b.Txs[0].Msg.Copy()
	stripped.TxIn[0].Witness = nil
	r.chain.answer = ledger.Added{Active: true}
	r.wants("submitblock", rawBlock(consensus.AssembleBlock(b.Header, []*consensus.Tx{consensus.NewTx(stripped)})), "null")
	if got := r.chain.added[0]; got.Txs[0].WTxID() != b.Txs[0].WTxID() {
		t.Error("the reserved value was not added")
	}
}

func TestSubmitHeader(t *testing.T) {
	r := newRig(t)
	raw := hex.EncodeToString(r.tree.Build("a102").Raw()[:80])
	r.wants("submitheader", `["`+raw+`"]`, "null")
	r.refuses("submitheader", `["00"]`, -22, "Block header decode failed")
	r.refuses("submitheader", `["xx"]`, -22, "Block header decode failed")
	r.chain.refusal = consensus.RuleError{Kind: consensus.ErrTimeTooOld}
	r.refuses("submitheader", `["`+raw+`"]`, -25, "time-too-old")
	r.chain.invalid = "b1"
	r.refuses("submitheader", fmt.Sprintf("[%q]", hex.EncodeToString(r.tree.At("b1").Block.Raw()[:80])), -25, "duplicate")
	far := r.tree.Build("a102")
	far.Header.PrevBlock = chainhash.Hash{1}
	r.refuses("submitheader", fmt.Sprintf("[%q]", hex.EncodeToString(far.Raw()[:80])), -25,
		"Must submit previous header (0000000000000000000000000000000000000000000000000000000000000001) first")
}

// template returns a template of two transactions, of which the second spends the first.
func (r *rig) template() *ledger.Template {
	txs := r.family()
	b := r.tree.Build("a102", chaintest.Txs(txs[0], txs[1]))
	commitment := b.Txs[0].Msg.TxOut[len(b.Txs[0].Msg.TxOut)-1].PkScript
	return &ledger.Template{
		Block: b.Msg(), Height: 103, Fees: []btcutil.Amount{-3000, 1000, 2000}, SigOps: []int{4, 1, 2},
		MinTime: time.Unix(1_600_000_000, 0), Value: 50e8 + 3000, Witness: commitment, Sequence: 7,
	}
}

func TestBlockTemplate(t *testing.T) {
	r := newRig(t)
	tmpl := r.template()
	r.miner.template = tmpl
	a, b := consensus.NewTx(tmpl.Block.Transactions[1]), consensus.NewTx(tmpl.Block.Transactions[2])
	tip := r.chain.tip().State.Hash.String()
	r.wants("getblocktemplate", `[{"rules":["segwit"]}]`, `{"capabilities":["proposal"],"version":`+fmt.Sprint(tmpl.Block.Header.Version)+
		`,"rules":["csv","!segwit","taproot"],"vbavailable":{},"vbrequired":0,"previousblockhash":"`+tip+`","transactions":[`+
		fmt.Sprintf(`{"data":"%x","txid":"%v","hash":"%v","depends":[],"fee":1000,"sigops":1,"weight":%d},`, a.Raw(), a.TxID(), a.WTxID(), a.Weight())+
		fmt.Sprintf(`{"data":"%x","txid":"%v","hash":"%v","depends":[1],"fee":2000,"sigops":2,"weight":%d}]`, b.Raw(), b.TxID(), b.WTxID(), b.Weight())+
		`,"coinbaseaux":{},"coinbasevalue":5000003000,"longpollid":"`+tip+`7","target":"7fffff0000000000000000000000000000000000000000000000000000000000",`+
		`"mintime":1600000000,"mutable":["time","transactions","prevblock"],"noncerange":"00000000ffffffff","sigoplimit":80000,"sizelimit":4000000,"weightlimit":4000000,`+
		`"curtime":1700000100,"bits":"207fffff","height":103,"default_witness_commitment":"`+hex.EncodeToString(tmpl.Witness)+`"}`)
	if string(r.miner.script) != string([]byte{txscript.OP_TRUE}) {
		t.Errorf("coinbase script %x", r.miner.script)
	}
	weight := headWeight
	for _, msg := range tmpl.Block.Transactions[1:] {
		weight += consensus.NewTx(msg).Weight()
	}
	r.has("getmininginfo", `[]`, map[string]any{"currentblocktx": len(tmpl.Block.Transactions) - 1, "currentblockweight": weight})
	r.refuses("getblocktemplate", `[{}]`, -8, `getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})`)
	r.refuses("getblocktemplate", `[{"mode":5}]`, -8, "Invalid mode")
	r.refuses("getblocktemplate", `[{"mode":"x"}]`, -8, "Invalid mode")
	r.refuses("getblocktemplate", `[{"rules":[1]}]`, -3, "JSON value of type number is not of expected type string")
	r.refuses("getblocktemplate", `[{"rules":["segwit"],"longpollid":"x"}]`, -8, "longpollid must be of length 64 (not 1, for 'x')")
	// an id of another tip, and one of another state of the pool
	r.has("getblocktemplate", `[{"rules":["segwit"],"longpollid":"`+unknownHash+`1"}]`, map[string]any{"height": 103})
}

func TestTemplatesNeedPeers(t *testing.T) {
	r := newRig(t)
	r.miner.template = r.template()
	params := *r.tree.Params
	params.TestNetwork = false
	r.use(Parts{Params: &params, Network: r.net})
	const ask = `[{"rules":["segwit"]}]`
	r.refuses("getblocktemplate", ask, -9, "groat is not connected!")
	r.net.peers = make([]ledger.PeerInfo, 1)
	r.has("getblocktemplate", ask, map[string]any{"height": 103})
	r.use(Parts{Params: &params})
	r.refuses("getblocktemplate", ask, -9, "groat is not connected!")
}

func TestProposals(t *testing.T) {
	r := newRig(t)
	propose := func(b *consensus.Block) string {
		return fmt.Sprintf(`[{"mode":"proposal","data":"%x"}]`, b.Raw())
	}
	b := r.tree.Build("a102")
	r.wants("getblocktemplate", propose(b), "null")
	r.miner.refusal = consensus.RuleError{Kind: consensus.ErrCoinbaseValue}
	r.wants("getblocktemplate", propose(b), `"bad-cb-amount"`)
	r.wants("getblocktemplate", propose(r.tree.Build("a50")), `"inconclusive-not-best-prevblk"`)
	r.wants("getblocktemplate", propose(r.tree.At("a50").Block), `"duplicate"`)
	r.refuses("getblocktemplate", `[{"mode":"proposal"}]`, -3, "Missing data String key for proposal")
	r.refuses("getblocktemplate", `[{"mode":"proposal","data":"00"}]`, -22, "Block decode failed")
}

func TestLongPoll(t *testing.T) {
	r := newRig(t)
	r.miner.template = r.template()
	tip := r.chain.tip().State.Hash.String()
	entered := make(chan struct{})
	m := r.table["getblocktemplate"]
	v, err := parseValue(`[{"rules":["segwit"],"longpollid":"` + tip + `7"}]`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := m.call(t.Context(), &Call{idle: func(wait func()) { close(entered); wait() }}, v)
		done <- err
	}()
	<-entered
	select {
	case err := <-done:
		t.Fatalf("did not wait: %v", err)
	default:
	}
	r.chain.setTip("b1")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestGenerate(t *testing.T) {
	r := newRig(t)
	key := chaintest.KeyFor(0)
	script := key.Script(chaintest.P2WPKH)
	api := &api{Parts: Parts{Params: r.tree.Params}}
	address, _ := api.addressOf(script)
	zero := `"` + strings.Repeat("0", 64) + `"`
	r.wants("generatetoaddress", fmt.Sprintf("[2,%q]", address), "["+zero+","+zero+"]")
	if string(r.miner.script) != string(script) || r.pool.caughtUp != 1 {
		t.Errorf("script %x, caught up %d times", r.miner.script, r.pool.caughtUp)
	}
	r.wants("generatetoaddress", fmt.Sprintf("[0,%q]", address), "[]")
	r.refuses("generatetoaddress", `[1,"x"]`, -5, "Error: Invalid address")
	r.refuses("generatetoaddress", `[1,"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"]`, -5, "Error: Invalid address")
	r.wants("generatetodescriptor", `[1,"raw(51)"]`, "["+zero+"]")
	if string(r.miner.script) != "\x51" {
		t.Errorf("script %x", r.miner.script)
	}
	r.wants("generatetodescriptor", fmt.Sprintf("[1,%q]", withChecksum("addr("+address+")")), "["+zero+"]")
	r.refuses("generatetodescriptor", `[1,"raw(51)#12345678"]`, -5, "Provided checksum '12345678' does not match computed checksum '8lvh9jxk'")
	r.refuses("generatetodescriptor", `[1,"addr(x)"]`, -5, "Address is not valid")
	r.refuses("generatetodescriptor", `[1,"raw(x)"]`, -5, "Raw script is not hex")
	r.refuses("generatetodescriptor", `[1,"x"]`, -5, "'x' is not a valid descriptor function")

	txs := r.family()
	r.pool.put(txs[0])
	r.miner.block = r.tree.Build("a102")
	hash := r.miner.block.Hash().String()
	second := hex.EncodeToString(consensus.NewTx(txs[1]).Raw())
	r.wants("generateblock", fmt.Sprintf("[%q,[%q,%q]]", address, txs[0].TxID(), second), `{"hash":"`+hash+`"}`)
	if len(r.miner.txs) != 2 || r.miner.txs[1].TxID() != txs[1].TxHash() {
		t.Errorf("transactions %v", r.miner.txs)
	}
	r.wants("generateblock", fmt.Sprintf("[%q,[],false]", "raw(51)"), fmt.Sprintf(`{"hash":"%s","hex":"%x"}`, hash, r.miner.block.Raw()))
	r.refuses("generateblock", `["x",[]]`, -5, "Error: Invalid address or descriptor")
	r.refuses("generateblock", `["raw(51)",["`+unknownHash+`"]]`, -5, "Transaction "+unknownHash+" not in mempool.")
	r.refuses("generateblock", `["raw(51)",["00"]]`, -22, "Transaction decode failed for 00. Make sure the tx has at least one input.")
	r.miner.refusal = consensus.RuleError{Kind: consensus.ErrMissingInput, Detail: "of x"}
	r.refuses("generateblock", `["raw(51)",[]]`, -25, "TestBlockValidity failed: bad-txns-inputs-missingorspent")
}

func TestMiningInfo(t *testing.T) {
	r := newRig(t)
	r.pool.put(r.family()[0])
	r.wants("getmininginfo", `[]`, `{"blocks":102,"difficulty":4.656542373906925e-10,"networkhashps":0.003333333333333334,"pooledtx":1,"chain":"regtest","warnings":[]}`)
	r.wants("getnetworkhashps", `[1,0]`, "0")
	r.wants("getnetworkhashps", `[10]`, "0.003333333333333334")
	r.wants("getnetworkhashps", `[-1,50]`, "0.003333333333333334")
	r.refuses("getnetworkhashps", `[0]`, -8, "Invalid nblocks. Must be a positive number or -1.")
	r.refuses("getnetworkhashps", `[-2]`, -8, "Invalid nblocks. Must be a positive number or -1.")
	r.refuses("getnetworkhashps", `[1,103]`, -8, "Block does not exist at specified height")
	r.refuses("getnetworkhashps", `[1,-2]`, -8, "Block does not exist at specified height")
}
