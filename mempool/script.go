package mempool

import (
	"github.com/btcsuite/btcd/txscript/v2"
)

// form is a kind of output script that policy tells apart, as Core's Solver does.
type form uint8

const (
	formOther      form = iota // none of those below
	formSimple                 // a key, a key's hash, a witness program of a known kind: no question of policy
	formScriptHash             // P2SH
	formMultisig               // keys in the output itself
	formData                   // OP_RETURN and pushes
	formFuture                 // witness program of a version or size that has no rules yet
)

// maxBareKeys is how many keys a multisig output may have to be standard.
const maxBareKeys = 3

// formOf tells which form script has.
func formOf(script []byte) form {
	switch {
	case txscript.IsPayToScriptHash(script):
		return formScriptHash
	case txscript.IsWitnessProgram(script):
		return programForm(script)
	case isData(script):
		return formData
	case txscript.IsPayToPubKey(script), txscript.IsPayToPubKeyHash(script):
		return formSimple
	}
	if _, _, ok := multisig(script); ok {
		return formMultisig
	}
	return formOther
}

func programForm(script []byte) form {
	switch {
	case txscript.IsPayToWitnessPubKeyHash(script), txscript.IsPayToWitnessScriptHash(script),
		txscript.IsPayToTaproot(script), txscript.IsPayToAnchorScript(script):
		return formSimple
	case script[0] == txscript.OP_0:
		return formOther // version 0 has these two sizes only: nobody can spend another
	}
	return formFuture
}

// isData reports whether script only carries data.
func isData(script []byte) bool {
	return len(script) > 0 && script[0] == txscript.OP_RETURN && txscript.IsPushOnlyScript(script[1:])
}

// multisig returns how many of how many keys a bare multisig script asks for. Each key has the length that its first byte
// says; whether it is on the curve shows when it is spent.
func multisig(script []byte) (need, keys int, ok bool) {
	if len(script) == 0 || script[len(script)-1] != txscript.OP_CHECKMULTISIG {
		return 0, 0, false
	}
	t := txscript.MakeScriptTokenizer(0, script)
	if !t.Next() {
		return 0, 0, false
	}
	if need, ok = number(t.Opcode(), t.Data()); !ok {
		return 0, 0, false
	}
	for t.Next() && isKey(t.Data()) {
		keys++
	}
	total, ok := number(t.Opcode(), t.Data())
	if !ok || total != keys || need < 1 || need > keys {
		return 0, 0, false
	}
	ends := t.Next() && t.Opcode() == txscript.OP_CHECKMULTISIG && t.Done() && t.Err() == nil
	return need, keys, ends
}

// number reads a count of keys: a small integer, or a push of one byte for 17 to 20.
func number(op byte, data []byte) (int, bool) {
	switch {
	case op >= txscript.OP_1 && op <= txscript.OP_16:
		return int(op) - txscript.OP_1 + 1, true
	case op == txscript.OP_DATA_1 && data[0] > 16 && data[0] <= txscript.MaxPubKeysPerMultiSig:
		return int(data[0]), true
	}
	return 0, false
}

// isKey reports whether data has the length of the public key that its first byte announces.
func isKey(data []byte) bool {
	if len(data) == 0 {
		return false
	}
	switch data[0] {
	case 2, 3:
		return len(data) == 33
	case 4, 6, 7:
		return len(data) == 65
	}
	return false
}

// lastPush returns what a script that only pushes leaves on top of the stack, as spending a script hash takes it
// for the script. ok is false if script does more than push, or would fail or push nothing if it were run.
func lastPush(script []byte) (data []byte, ok bool) {
	if len(script) == 0 || !txscript.IsPushOnlyScript(script) {
		return nil, false
	}
	var op byte
	items := 0
	t := txscript.MakeScriptTokenizer(0, script)
	for t.Next() {
		op, data = t.Opcode(), t.Data()
		items++
		if op == txscript.OP_RESERVED || len(data) > txscript.MaxScriptElementSize || items > txscript.MaxStackSize {
			return nil, false // the first counts as a push but fails
		}
	}
	switch {
	case op == txscript.OP_1NEGATE:
		return []byte{0x81}, true
	case op >= txscript.OP_1 && op <= txscript.OP_16:
		return []byte{op - txscript.OP_1 + 1}, true
	}
	return data, true
}
