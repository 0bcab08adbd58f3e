package rpc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/address"
	"groat/internal/ledger"
)

func (a *api) signMethods() []Method {
	return []Method{
		{
			Name: "signrawtransactionwithkey", Category: "rawtransactions", Run: a.signRawTransactionWithKey,
			Args: []Arg{
				{Name: "hexstring", Type: ArgString, Required: true, Help: "The transaction hex string"},
				{Name: "privkeys", Type: ArgArray, Required: true, Sample: `["privatekey",...]`, Help: "The private keys for signing, in wallet import format"},
				{
					Name: "prevtxs", Type: ArgArray, Sample: `[{"txid":"hex","vout":n,"scriptPubKey":"hex","redeemScript":"hex","witnessScript":"hex","amount":amount},...]`,
					Help: "The previous dependent transaction outputs, and the scripts of those that pay to the hash of one",
				},
				{Name: "sighashtype", Type: ArgString, Default: `"DEFAULT" for Taproot, "ALL" otherwise`, Help: `The signature hash type: "DEFAULT", "ALL", "NONE", "SINGLE", the latter three perhaps with "|ANYONECANPAY"`},
			},
			Help:   "Sign inputs for raw transaction (serialized, hex-encoded).\nThe second argument is an array of base58-encoded private\nkeys that will be the only keys used to sign the transaction.",
			Result: "{hex, complete, errors}",
		},
		{
			Name: "combinerawtransaction", Category: "rawtransactions", Run: a.combineRawTransaction,
			Args: []Arg{{Name: "txs", Type: ArgArray, Required: true, Sample: `["hexstring",...]`, Help: "The hex strings of partially signed transactions"}},
			Help: "Combine multiple partially signed transactions into one transaction.\nThe combined transaction may be another partially signed transaction or a\nfully signed transaction.", Result: `"hex"`,
		},
	}
}

func (a *api) signRawTransactionWithKey(_ context.Context, c *Call) (any, error) {
	tx, ok := parseTx(c.String(0), anyForm)
	if !ok {
		return nil, errorf(CodeDecode, "TX decode failed. %s", decodeHint)
	}
	coins, err := a.spendable(tx)
	if err != nil {
		return nil, err
	}
	scripts := make(map[wire.OutPoint][][]byte)
	unpriced := make(map[wire.OutPoint]bool)
	for _, v := range c.Value(2).List {
		p, err := prevTx(v)
		if err != nil {
			return nil, err
		}
		if known, ok := coins[p.op]; ok && !bytes.Equal(known.PkScript, p.coin.PkScript) {
			return nil, errorf(CodeDecode, "Previous output scriptPubKey mismatch:\n%s\nvs:\n%s", pubKeyAsm(known.PkScript), pubKeyAsm(p.coin.PkScript))
		}
		if scripts[p.op], err = hashedScripts(v, p.coin.PkScript); err != nil {
			return nil, err
		}
		coins[p.op], unpriced[p.op] = p.coin, !p.priced
	}
	kind, known := sigHashTypes()[c.StringOr(3, "DEFAULT")]
	if !known {
		return nil, errorf(CodeInvalidParameter, "'%s' is not a valid sighash parameter.", c.String(3))
	}
	msg := tx.Msg.Copy()
	s := newSigner(msg, coins, kind)
	s.plain = c.StringOr(3, "DEFAULT") == "DEFAULT"
	for _, v := range c.Value(1).List {
		text, err := v.AsString()
		if err != nil {
			return nil, err
		}
		w, err := address.DecodeWIF(a.Params, text)
		if err != nil {
			return nil, errorf(CodeNotFound, "Invalid private key")
		}
		s.addKey(w.Key)
	}
	for i, in := range msg.TxIn {
		for _, script := range scripts[in.PreviousOutPoint] {
			s.addScript(i, script)
		}
	}
	return signAll(s, unpriced), nil
}

// signAll signs the inputs that can be signed and says what is wrong with the others. Those whose value was not told cannot have a witness.
func signAll(s *signer, unpriced map[wire.OutPoint]bool) signedJSON {
	var missing []unsignedJSON
	for i, in := range s.msg.TxIn {
		reason := "Input not found or already spent"
		if _, ok := s.coins[in.PreviousOutPoint]; ok {
			reason = unsignedReason(s.sign(i))
		}
		if unpriced[in.PreviousOutPoint] && len(in.Witness) > 0 {
			reason = "Missing amount"
		}
		if reason != "" {
			missing = append(missing, unsignedInputJSON(in, ledger.UnsignedInput{Index: i, Reason: reason}))
		}
	}
	return signedJSON{Hex: consensus.NewTx(s.msg).Raw(), Complete: len(missing) == 0, Errors: missing}
}

// unsignedReason says in Core's words why an input is not complete, "" if it is.
func unsignedReason(err error) string {
	var script txscript.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &script):
		return err.Error()
	case script.ErrorCode == txscript.ErrInvalidStackOperation || script.ErrorCode == txscript.ErrEmptyStack:
		return "Unable to sign input, invalid stack size (possibly missing key)"
	case script.ErrorCode == txscript.ErrNullFail:
		return "CHECK(MULTI)SIG failing with non-zero signature (possibly need more signatures)"
	}
	return consensus.ScriptErrorText(err)
}

// hashedScripts returns the scripts that the caller gives for an output that pays to the hash of one.
func hashedScripts(v Value, output []byte) ([][]byte, error) {
	if !txscript.IsPayToScriptHash(output) && !txscript.IsPayToWitnessScriptHash(output) {
		return nil, nil
	}
	var scripts [][]byte
	for _, key := range []string{"redeemScript", "witnessScript"} {
		given, _ := v.Get(key)
		if given.IsNull() {
			continue
		}
		text, err := given.AsString()
		if err != nil {
			return nil, err
		}
		script, err := hex.DecodeString(text)
		if err != nil {
			return nil, errorf(CodeInvalidParameter, "%s must be hexadecimal string (not '%s')", key, text)
		}
		scripts = append(scripts, script)
	}
	if len(scripts) == 0 {
		return nil, errorf(CodeInvalidParameter, "Missing redeemScript/witnessScript")
	}
	if len(scripts) == 2 && !bytes.Equal(scripts[0], scripts[1]) && !bytes.Equal(scripts[0], payToWitnessScriptHash(scripts[1])) {
		return nil, errorf(CodeInvalidParameter, "redeemScript does not correspond to witnessScript")
	}
	for _, script := range scripts {
		program := payToWitnessScriptHash(script)
		for _, pays := range [][]byte{payToScriptHash(script), program, payToScriptHash(program)} {
			if bytes.Equal(pays, output) {
				return scripts, nil
			}
		}
	}
	return nil, errorf(CodeInvalidParameter, "redeemScript/witnessScript does not match scriptPubKey")
}

// payToWitnessScriptHash returns the script that pays to the hash of a witness script (BIP141).
func payToWitnessScriptHash(script []byte) []byte {
	sum := sha256.Sum256(script)
	return witnessProgram(sum[:])
}

func (a *api) combineRawTransaction(_ context.Context, c *Call) (any, error) {
	var txs []*consensus.Tx
	for i, v := range c.Value(0).List {
		text, err := v.AsString()
		if err != nil {
			return nil, err
		}
		tx, ok := parseTx(text, anyForm)
		if !ok {
			return nil, errorf(CodeDecode, "TX decode failed for tx %d. %s", i, decodeHint)
		}
		if len(txs) > 0 && len(tx.Msg.TxIn) != len(txs[0].Msg.TxIn) {
			return nil, errorf(CodeInvalidParameter, "Transaction %d has other inputs than the first", i)
		}
		txs = append(txs, tx)
	}
	if len(txs) == 0 {
		return nil, errorf(CodeInvalidParameter, "Missing transactions")
	}
	coins, err := a.spendable(txs[0])
	if err != nil {
		return nil, err
	}
	msg := txs[0].Msg.Copy()
	s := newSigner(msg, coins, txscript.SigHashAll)
	for _, tx := range txs[1:] {
		s.collect(tx.Msg)
	}
	for i, in := range msg.TxIn {
		if _, ok := coins[in.PreviousOutPoint]; !ok {
			return nil, errorf(CodeVerify, "Input not found or already spent")
		}
		_ = s.sign(i) // what is not complete may become so when more signatures come
	}
	return hex.EncodeToString(consensus.NewTx(msg).Raw()), nil
}
