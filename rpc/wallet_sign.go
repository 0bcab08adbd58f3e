package rpc

import (
	"context"
	"encoding/hex"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func (a *api) walletSignMethods() []Method {
	return []Method{{
		Name: "signrawtransactionwithwallet", Run: a.inWallet(a.signRawTransactionWithWallet),
		Args: []Arg{
			{Name: "hexstring", Type: ArgString, Required: true, Help: "The transaction hex string"},
			{
				Name: "prevtxs", Type: ArgArray, Sample: `[{"txid":"hex","vout":n,"scriptPubKey":"hex","amount":amount},...]`,
				Help: "The previous dependent transaction outputs that are in no block and not in the mempool",
			},
			{Name: "sighashtype", Type: ArgString, Default: `"ALL"`, Help: `The signature hash type: "ALL", "NONE", "SINGLE", each perhaps with "|ANYONECANPAY"`},
		},
		Help: "Sign inputs for raw transaction (serialized, hex-encoded).", Result: "{hex, complete, errors}",
	}}
}

// sigHashTypes are the types of P2WPKH's signatures by name.
func sigHashTypes() map[string]txscript.SigHashType {
	return map[string]txscript.SigHashType{
		"DEFAULT":             txscript.SigHashAll,
		"ALL":                 txscript.SigHashAll,
		"NONE":                txscript.SigHashNone,
		"SINGLE":              txscript.SigHashSingle,
		"ALL|ANYONECANPAY":    txscript.SigHashAll | txscript.SigHashAnyOneCanPay,
		"NONE|ANYONECANPAY":   txscript.SigHashNone | txscript.SigHashAnyOneCanPay,
		"SINGLE|ANYONECANPAY": txscript.SigHashSingle | txscript.SigHashAnyOneCanPay,
	}
}

// signedJSON is the answer of signrawtransactionwithwallet.
type signedJSON struct {
	Hex      hexBytes       `json:"hex"`
	Complete bool           `json:"complete"`
	Errors   []unsignedJSON `json:"errors,omitempty"`
}

// unsignedJSON is an input that nothing satisfies yet.
type unsignedJSON struct {
	TxID      string     `json:"txid"`
	Vout      uint32     `json:"vout"`
	Witness   []hexBytes `json:"witness"`
	ScriptSig hexBytes   `json:"scriptSig"`
	Sequence  uint32     `json:"sequence"`
	Error     string     `json:"error"`
}

func (a *api) signRawTransactionWithWallet(ctx context.Context, w Wallet, c *Call) (any, error) {
	tx, ok := parseTx(c.String(0), anyForm)
	if !ok {
		return nil, errorf(CodeDecode, "TX decode failed. %s", decodeHint)
	}
	if err := unlocked(w); err != nil {
		return nil, err
	}
	coins, err := a.spendable(tx)
	if err != nil {
		return nil, err
	}
	for _, v := range c.Value(1).List {
		p, err := prevTx(v)
		if err == nil && !p.priced { // every output of these wallets is signed with its value
			err = errorf(CodeType, "Missing amount")
		}
		if err != nil {
			return nil, err
		}
		coins[p.op] = p.coin
	}
	kind, known := sigHashTypes()[c.StringOr(2, "ALL")]
	if !known {
		return nil, errorf(CodeInvalidParameter, "'%s' is not a valid sighash parameter.", c.String(2))
	}
	msg := tx.Msg.Copy()
	missing, err := w.Sign(ctx, msg, coins, kind)
	if err != nil {
		return nil, err
	}
	j := signedJSON{Hex: consensus.NewTx(msg).Raw(), Complete: len(missing) == 0}
	for _, m := range missing {
		j.Errors = append(j.Errors, unsignedInputJSON(msg.TxIn[m.Index], m))
	}
	return j, nil
}

func unsignedInputJSON(in *wire.TxIn, m ledger.UnsignedInput) unsignedJSON {
	j := unsignedJSON{
		TxID: in.PreviousOutPoint.Hash.String(), Vout: in.PreviousOutPoint.Index, Witness: []hexBytes{}, ScriptSig: in.SignatureScript, Sequence: in.Sequence, Error: m.Reason,
	}
	for _, item := range in.Witness {
		j.Witness = append(j.Witness, item)
	}
	return j
}

// prevOut is an output that the caller knows of.
type prevOut struct {
	op     wire.OutPoint
	coin   consensus.Coin
	priced bool // its value was told
}

// prevTx reads an output that the caller knows of.
func prevTx(v Value) (p prevOut, err error) {
	if v.Kind != Object {
		return p, errorf(CodeDecode, "expected object with {\"txid'\",\"vout\",\"scriptPubKey\"}")
	}
	field := func(key string) string {
		value, ok := v.Get(key)
		if !ok && err == nil {
			err = errorf(CodeType, "Missing %s", key)
		}
		if ok && value.Kind != String && err == nil {
			err = wrongType(value, String)
		}
		return value.Text
	}
	txid, script := field("txid"), field("scriptPubKey")
	if err != nil {
		return p, err
	}
	if p.op.Hash, err = parseHash(txid, "txid"); err != nil {
		return p, err
	}
	vout, _ := v.Get("vout")
	n, err := vout.AsInt(32)
	switch {
	case err != nil:
		return p, err
	case n < 0:
		return p, errorf(CodeDecode, "vout cannot be negative")
	}
	p.op.Index = uint32(n)
	if p.coin.PkScript, err = hex.DecodeString(script); err != nil {
		return p, errorf(CodeInvalidParameter, "scriptPubKey must be hexadecimal string (not '%s')", script)
	}
	amount, priced := v.Get("amount")
	if p.priced = priced; priced {
		p.coin.Value, err = ParseAmount(amount)
	}
	return p, err
}
