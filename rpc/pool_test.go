package rpc

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
)

// family returns three transactions of which each spends the one before, and only the first can be replaced.
func (r *rig) family() [3]*wire.MsgTx {
	key := chaintest.KeyFor(0)
	var txs [3]*wire.MsgTx
	coins := r.chain.tip().Mature(key)[:1]
	for i := range txs {
		txs[i] = key.Pay(coins, key.Script(chaintest.P2WPKH), 1e8, 1000)
		if i == 0 {
			txs[i].TxIn[0].Sequence = maxReplaceable
			key.Sign(txs[i], coins)
		}
		coins = []consensus.Entry{chaintest.Out(txs[i], 0)}
		coins[0].Coin.Value = 2e8 // pays more than it has: nobody looks here
	}
	return txs
}

func TestPool(t *testing.T) {
	r := newRig(t)
	txs := r.family()
	var parents []chainhash.Hash
	for _, tx := range txs {
		r.pool.put(tx, parents...)
		parents = []chainhash.Hash{tx.TxHash()}
	}
	a, b, c := txs[0].TxID(), txs[1].TxID(), txs[2].TxID()
	r.wants("getrawmempool", `[]`, fmt.Sprintf(`[%q,%q,%q]`, a, b, c))
	r.wants("getrawmempool", `[false,true]`, fmt.Sprintf(`{"txids":[%q,%q,%q],"mempool_sequence":7}`, a, b, c))
	r.refuses("getrawmempool", `[true,true]`, -8, "Verbose results cannot contain mempool sequence values.")
	if got := len(r.fields("getrawmempool", `[true]`)); got != 3 {
		t.Errorf("%d entries", got)
	}
	tx := consensus.NewTx(txs[1])
	r.wants("getmempoolentry", fmt.Sprintf("[%q]", b), fmt.Sprintf(
		`{"vsize":%[1]d,"weight":%[2]d,"time":1700000050,"height":102,"descendantcount":1,"descendantsize":%[1]d,"ancestorcount":1,"ancestorsize":%[1]d,"wtxid":"%[3]v",`+
			`"fees":{"base":0.00001000,"modified":0.00001000,"ancestor":0.00001000,"descendant":0.00001000},"depends":[%[4]q],"spentby":[%[5]q],"bip125-replaceable":true,"unbroadcast":false}`,
		tx.VSize(), tx.Weight(), tx.WTxID(), a, c))
	r.refuses("getmempoolentry", `["`+unknownHash+`"]`, -5, "Transaction not in mempool")
	r.refuses("getmempoolentry", `["x"]`, -8, "parameter 1 must be of length 64 (not 1, for 'x')")
	r.wants("getmempoolancestors", fmt.Sprintf("[%q]", c), fmt.Sprintf(`[%q,%q]`, a, b))
	r.wants("getmempooldescendants", fmt.Sprintf("[%q]", a), fmt.Sprintf(`[%q,%q]`, b, c))
	if got := len(r.fields("getmempooldescendants", fmt.Sprintf("[%q,true]", a))); got != 2 {
		t.Errorf("%d descendants", got)
	}
	r.refuses("getmempoolancestors", `["`+unknownHash+`"]`, -5, "Transaction not in mempool")
	r.wants("getmempoolinfo", `[]`, `{"loaded":true,"size":3,"bytes":200,"usage":900,"total_fee":0.00001500,"maxmempool":300000000,"mempoolminfee":0.00001000,`+
		`"minrelaytxfee":0.00001000,"incrementalrelayfee":0.00001000,"unbroadcastcount":0,"fullrbf":true}`)
	r.wants("gettxspendingprevout", fmt.Sprintf(`[[{"txid":%q,"vout":0},{"txid":%q,"vout":1}]]`, a, a),
		fmt.Sprintf(`[{"txid":%q,"vout":0,"spendingtxid":%q},{"txid":%q,"vout":1}]`, a, b, a))
	r.refuses("gettxspendingprevout", `[[]]`, -8, "Invalid parameter, outputs are missing")
	r.refuses("gettxspendingprevout", `[[5]]`, -3, "JSON value of type number is not of expected type object")
	r.wants("getrawtransaction", fmt.Sprintf("[%q]", b), `"`+hex.EncodeToString(tx.Raw())+`"`)
	r.has("getrawtransaction", fmt.Sprintf("[%q,true]", b), map[string]any{"txid": b, "vsize": tx.VSize(), "hex": hex.EncodeToString(tx.Raw())})
}

// policyError is a refusal as the pool makes them.
type policyError struct {
	reason, text string
	kind         error
}

func (e policyError) Error() string        { return e.text }
func (e policyError) RejectReason() string { return e.reason }
func (e policyError) Unwrap() error        { return e.kind }

func TestSendRawTransaction(t *testing.T) {
	r := newRig(t)
	msg := r.family()[0]
	tx := consensus.NewTx(msg)
	raw, id := hex.EncodeToString(tx.Raw()), tx.TxID().String()
	send := fmt.Sprintf("[%q]", raw)
	r.refuses("sendrawtransaction", `["00"]`, -22, "TX decode failed. Make sure the tx has at least one input.")
	r.refuses("sendrawtransaction", `["`+raw+`00"]`, -22, "TX decode failed. Make sure the tx has at least one input.")
	r.refuses("sendrawtransaction", `["zz"]`, -22, "TX decode failed. Make sure the tx has at least one input.")
	r.refuses("sendrawtransaction", `["`+raw+`",1]`, -8, "Fee rates larger than or equal to 1BTC/kvB are not accepted")
	r.refuses("sendrawtransaction", `["`+raw+`",-1]`, -3, "Amount out of range")
	r.refuses("sendrawtransaction", `["`+raw+`","a"]`, -3, "Invalid amount")
	r.refuses("sendrawtransaction", `["`+raw+`",true]`, -3, "Amount is not a number or string")

	for _, tt := range []struct {
		err     error
		code    int
		message string
	}{
		{consensus.RuleError{Kind: consensus.ErrMissingInput, Detail: "of x"}, -25, "bad-txns-inputs-missingorspent"},
		{policyError{"bad-txns-inputs-missingorspent", "missing", consensus.ErrMissingInput}, -25, "bad-txns-inputs-missingorspent"},
		{policyError{"txn-mempool-conflict", "txn-mempool-conflict", nil}, -26, "txn-mempool-conflict"},
		{policyError{"min relay fee not met", "min relay fee not met, 0 < 110", nil}, -26, "min relay fee not met, 0 < 110"},
		{consensus.RuleError{Kind: consensus.ErrOverspend, Detail: "value in (1) < value out (2)"}, -26, "bad-txns-in-belowout, value in (1) < value out (2)"},
		{consensus.RuleError{Kind: consensus.ErrScript, Detail: "input 0 of x, spending y"}, -26, "mandatory-script-verify-flag-failed"},
		{fmt.Errorf("disk is gone"), -1, "disk is gone"},
	} {
		r.pool.verdicts[tx.TxID()] = ledger.PoolTest{Err: tt.err}
		r.refuses("sendrawtransaction", send, tt.code, tt.message)
		r.refuses("sendrawtransaction", fmt.Sprintf("[%q,0]", raw), tt.code, tt.message)
	}
	if len(r.pool.added) > 0 {
		t.Fatal("a refused transaction was added")
	}
	limit := feeAt(defaultMaxFeeRate, tx.VSize())
	r.pool.verdicts[tx.TxID()] = ledger.PoolTest{Fee: limit + 1}
	r.refuses("sendrawtransaction", send, -25, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")
	r.pool.verdicts[tx.TxID()] = ledger.PoolTest{Fee: limit}
	r.wants("sendrawtransaction", send, fmt.Sprintf("%q", id))
	if len(r.pool.added) != 1 {
		t.Fatal("the transaction was not added")
	}
	r.pool.put(msg)
	r.wants("sendrawtransaction", send, fmt.Sprintf("%q", id))
	if len(r.pool.added) != 1 {
		t.Fatal("a transaction of the pool was added again")
	}
	inChain := hex.EncodeToString(r.tree.At("a5").Block.Txs[0].Raw())
	r.refuses("sendrawtransaction", fmt.Sprintf("[%q]", inChain), -27, "Transaction outputs already in utxo set")
}

func TestBurnLimit(t *testing.T) {
	r := newRig(t)
	msg := r.family()[0]
	msg.AddTxOut(wire.NewTxOut(2, []byte{0x6a}))
	raw := hex.EncodeToString(consensus.NewTx(msg).Raw())
	const refused = "Unspendable output exceeds maximum configured by user (maxburnamount)"
	r.refuses("sendrawtransaction", fmt.Sprintf("[%q]", raw), -25, refused)
	r.refuses("sendrawtransaction", fmt.Sprintf("[%q,null,0.00000001]", raw), -25, refused)
	r.wants("sendrawtransaction", fmt.Sprintf(`{"hexstring":%q,"maxburnamount":"0.00000002"}`, raw), fmt.Sprintf("%q", msg.TxID()))
}

func TestTestMempoolAccept(t *testing.T) {
	r := newRig(t)
	txs := r.family()
	raw := func(i int) string { return hex.EncodeToString(consensus.NewTx(txs[i]).Raw()) }
	id := func(i int) chainhash.Hash { return txs[i].TxHash() }
	r.pool.verdicts[id(0)] = ledger.PoolTest{Fee: 1000}
	r.pool.verdicts[id(1)] = ledger.PoolTest{Err: consensus.RuleError{Kind: consensus.ErrMissingInput}}
	r.pool.verdicts[id(2)] = ledger.PoolTest{Err: policyError{"txn-mempool-conflict", "long text", nil}}
	tx := consensus.NewTx(txs[0])
	shown := func(i int) string {
		tx := consensus.NewTx(txs[i])
		return fmt.Sprintf(`"txid":"%v","wtxid":"%v"`, tx.TxID(), tx.WTxID())
	}
	rate := formatAmount(btcutil.Amount(1000 * 1000 / tx.VSize()))
	r.wants("testmempoolaccept", fmt.Sprintf(`[[%q,%q,%q]]`, raw(0), raw(1), raw(2)), fmt.Sprintf(
		`[{%s,"allowed":true,"vsize":%d,"fees":{"base":0.00001000,"effective-feerate":%s,"effective-includes":["%v"]}},{%s,"allowed":false,"reject-reason":"missing-inputs"},{%s,"allowed":false,"reject-reason":"txn-mempool-conflict"}]`,
		shown(0), tx.VSize(), rate, tx.WTxID(), shown(1), shown(2)))
	r.wants("testmempoolaccept", fmt.Sprintf(`[[%q],"0.00000001"]`, raw(0)), fmt.Sprintf(`[{%s,"allowed":false,"reject-reason":"max-fee-exceeded"}]`, shown(0)))
	r.refuses("testmempoolaccept", `[[]]`, -8, "Array must contain between 1 and 25 transactions.")
	r.refuses("testmempoolaccept", `[["00"]]`, -22, "TX decode failed: 00 Make sure the tx has at least one input.")
	r.refuses("testmempoolaccept", `[[5]]`, -3, "JSON value of type number is not of expected type string")
	r.refuses("testmempoolaccept", `["00"]`, -3, "Wrong type passed:\n{\n    \"Position 1 (rawtxs)\": \"JSON value of type string is not of expected type array\"\n}")
	r.pool.verdicts[id(0)] = ledger.PoolTest{PackageErr: policyError{"package-not-sorted", "package-not-sorted", nil}}
	r.wants("testmempoolaccept", fmt.Sprintf(`[[%q]]`, raw(0)), fmt.Sprintf(`[{%s,"package-error":"package-not-sorted"}]`, shown(0)))
	r.pool.verdicts[id(0)] = ledger.PoolTest{Err: fmt.Errorf("disk is gone")}
	r.refuses("testmempoolaccept", fmt.Sprintf(`[[%q]]`, raw(0)), -1, "disk is gone")
}
