package rpc

import (
	"context"
	"errors"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

const (
	// defaultMaxFeeRate, in sat per 1000 vbytes, is what a transaction may pay at most unless its sender says otherwise.
	defaultMaxFeeRate = btcutil.Amount(satUnit / 10)
	maxTests          = 25 // transactions in one testmempoolaccept

	decodeHint = "Make sure the tx has at least one input."
)

func (a *api) submitMethods() []Method {
	maxFeeRate := Arg{
		Name: "maxfeerate", Type: ArgAmount, Default: `"0.10"`,
		Help: "Reject transactions whose fee rate is higher than the specified value, expressed in coins/kvB.\n" +
			"Fee rates larger than 1 coin/kvB are rejected.\nSet to 0 to accept any fee rate.",
	}
	return []Method{
		{
			Name: "sendrawtransaction", Category: "rawtransactions", Run: a.sendRawTransaction,
			Args: []Arg{
				{Name: "hexstring", Type: ArgHex, Required: true, Help: "The hex string of the raw transaction"},
				maxFeeRate,
				{
					Name: "maxburnamount", Type: ArgAmount, Default: `"0.00"`,
					Help: "Reject transactions with provably unspendable outputs (e.g. 'datacarrier' outputs that use the OP_RETURN opcode) greater than the specified value, expressed in coins.",
				},
			},
			Help: "Submit a raw transaction (serialized, hex-encoded) to local node and network.\n\n" +
				"The transaction will be announced to all connected peers, and again until it is in a block.",
			Result: `"hex"    (string) The transaction hash in hex`,
		},
		{
			Name: "testmempoolaccept", Category: "rawtransactions", Run: a.testMempoolAccept,
			Args: []Arg{
				{Name: "rawtxs", Type: ArgArray, Required: true, Sample: `["rawtx",...]`, Help: "An array of hex strings of raw transactions."},
				maxFeeRate,
			},
			Help: "Returns result of mempool acceptance tests indicating if raw transaction(s) (serialized, hex-encoded) would be accepted by mempool.\n\n" +
				"If multiple transactions are passed in, parents must come before children.",
			Result: "[{txid, wtxid, package-error, allowed, vsize, fees, reject-reason}, ...]",
		},
	}
}

func (a *api) sendRawTransaction(ctx context.Context, c *Call) (any, error) {
	maxBurn, err := c.amountOr(2, 0, ParseAmount)
	if err != nil {
		return nil, err
	}
	tx, ok := parseTx(c.String(0), anyForm)
	if !ok {
		return nil, errorf(CodeDecode, "TX decode failed. %s", decodeHint)
	}
	for _, out := range tx.Msg.TxOut {
		burnt := consensus.Unspendable(out.PkScript) || !validOps(out.PkScript)
		if burnt && btcutil.Amount(out.Value) > maxBurn {
			return nil, errorf(CodeVerify, "Unspendable output exceeds maximum configured by user (maxburnamount)")
		}
	}
	maxRate, err := c.amountOr(1, defaultMaxFeeRate, ParseFeeRate)
	if err != nil {
		return nil, err
	}
	inChain, err := a.hasCoinOf(tx)
	switch {
	case err != nil:
		return nil, err
	case inChain:
		return nil, errorf(CodeInChain, "Transaction outputs already in utxo set")
	case a.Pool.Has(tx.TxID()):
		return tx.TxID().String(), nil
	}
	if err := a.checkMaxFee(ctx, tx, maxRate); err != nil {
		return nil, err
	}
	if _, err := a.Pool.Add(ctx, tx); err != nil && !a.Pool.Has(tx.TxID()) { // another caller may have been faster
		return nil, poolError(err)
	}
	return tx.TxID().String(), nil
}

// amountOr reads argument i with parse, or returns what stands in for it.
func (c *Call) amountOr(i int, missing btcutil.Amount, parse func(Value) (btcutil.Amount, error)) (btcutil.Amount, error) {
	if !c.Has(i) {
		return missing, nil
	}
	return parse(c.Value(i))
}

// hasCoinOf reports whether an output of the transaction is a coin of the chain: then it is in a block.
func (a *api) hasCoinOf(tx *consensus.Tx) (bool, error) {
	ops := make([]wire.OutPoint, len(tx.Msg.TxOut))
	for i := range ops {
		ops[i] = wire.OutPoint{Hash: tx.TxID(), Index: uint32(i)}
	}
	coins, _, err := a.Chain.Coins(ops)
	return len(coins) > 0, err
}

// checkMaxFee refuses a transaction that pays more than rate. The pool has to look at all of it for that, and remembers
// the scripts that it has checked. A rate of 0 allows everything.
func (a *api) checkMaxFee(ctx context.Context, tx *consensus.Tx, rate btcutil.Amount) error {
	if rate == 0 {
		return nil
	}
	tests, err := a.Pool.Test(ctx, []*consensus.Tx{tx})
	switch {
	case err != nil:
		return err
	case len(tests) != 1:
		return errors.New("the pool has not tested the transaction")
	case tests[0].Err != nil:
		return poolError(tests[0].Err)
	case tests[0].Fee > feeAt(rate, tx.VSize()):
		return errorf(CodeVerify, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")
	}
	return nil
}

// feeAt returns the fee of vsize virtual bytes at a rate per 1000 of them, rounded up.
func feeAt(rate btcutil.Amount, vsize int) btcutil.Amount {
	return (rate*btcutil.Amount(vsize) + 999) / 1000
}

// testJSON is the verdict on one transaction of testmempoolaccept.
type testJSON struct {
	TxID    string        `json:"txid"`
	WTxID   string        `json:"wtxid"`
	Package string        `json:"package-error,omitempty"`
	Allowed *bool         `json:"allowed,omitempty"` // nil if it was not judged
	VSize   int           `json:"vsize,omitempty"`
	Fees    *testFeesJSON `json:"fees,omitempty"`
	Reason  string        `json:"reject-reason,omitempty"`
}

type testFeesJSON struct {
	Base     Amount   `json:"base"`
	Rate     Amount   `json:"effective-feerate"`
	Includes []string `json:"effective-includes"`
}

func (a *api) testMempoolAccept(ctx context.Context, c *Call) (any, error) {
	list := c.Value(0).List
	if len(list) < 1 || len(list) > maxTests {
		return nil, errorf(CodeInvalidParameter, "Array must contain between 1 and %d transactions.", maxTests)
	}
	maxRate, err := c.amountOr(1, defaultMaxFeeRate, ParseFeeRate)
	if err != nil {
		return nil, err
	}
	txs := make([]*consensus.Tx, len(list))
	for i, v := range list {
		text, err := v.AsString()
		if err != nil {
			return nil, err
		}
		tx, ok := parseTx(text, anyForm)
		if !ok {
			return nil, errorf(CodeDecode, "TX decode failed: %s %s", text, decodeHint)
		}
		txs[i] = tx
	}
	tests, err := a.Pool.Test(ctx, txs)
	if err != nil {
		return nil, err
	}
	verdicts := make([]testJSON, len(tests))
	for i, t := range tests {
		if verdicts[i], err = testVerdict(t, maxRate); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

// testVerdict puts the pool's verdict into Core's words. What is not a refusal is an error of our own.
func testVerdict(t ledger.PoolTest, maxRate btcutil.Amount) (testJSON, error) {
	j := testJSON{TxID: t.TxID.String(), WTxID: t.WTxID.String()}
	if t.PackageErr != nil {
		j.Package = t.PackageErr.Error()
		return j, nil
	}
	reason, refused := reasonOf(t.Err)
	j.Allowed = new(bool)
	switch {
	case errors.Is(t.Err, consensus.ErrMissingInput):
		j.Reason = "missing-inputs"
	case refused:
		j.Reason = reason
	case t.Err != nil:
		return testJSON{}, t.Err
	case maxRate > 0 && t.Fee > feeAt(maxRate, t.VSize):
		j.Reason = "max-fee-exceeded"
	default:
		*j.Allowed, j.VSize = true, t.VSize
		rate := t.Fee * 1000 / btcutil.Amount(t.VSize)
		j.Fees = &testFeesJSON{Base: Amount(t.Fee), Rate: Amount(rate), Includes: []string{j.WTxID}}
	}
	return j, nil
}
