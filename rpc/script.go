package rpc

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
)

// opNames has the names of the operations from OP_NOP on, as Bitcoin Core writes them.
var opNames = [...]string{
	"OP_NOP", "OP_VER", "OP_IF", "OP_NOTIF", "OP_VERIF", "OP_VERNOTIF", "OP_ELSE", "OP_ENDIF", "OP_VERIFY", "OP_RETURN",
	"OP_TOALTSTACK", "OP_FROMALTSTACK", "OP_2DROP", "OP_2DUP", "OP_3DUP", "OP_2OVER", "OP_2ROT", "OP_2SWAP", "OP_IFDUP", "OP_DEPTH",
	"OP_DROP", "OP_DUP", "OP_NIP", "OP_OVER", "OP_PICK", "OP_ROLL", "OP_ROT", "OP_SWAP", "OP_TUCK",
	"OP_CAT", "OP_SUBSTR", "OP_LEFT", "OP_RIGHT", "OP_SIZE", "OP_INVERT", "OP_AND", "OP_OR", "OP_XOR", "OP_EQUAL", "OP_EQUALVERIFY",
	"OP_RESERVED1", "OP_RESERVED2", "OP_1ADD", "OP_1SUB", "OP_2MUL", "OP_2DIV", "OP_NEGATE", "OP_ABS", "OP_NOT", "OP_0NOTEQUAL",
	"OP_ADD", "OP_SUB", "OP_MUL", "OP_DIV", "OP_MOD", "OP_LSHIFT", "OP_RSHIFT", "OP_BOOLAND", "OP_BOOLOR", "OP_NUMEQUAL",
	"OP_NUMEQUALVERIFY", "OP_NUMNOTEQUAL", "OP_LESSTHAN", "OP_GREATERTHAN", "OP_LESSTHANOREQUAL", "OP_GREATERTHANOREQUAL",
	"OP_MIN", "OP_MAX", "OP_WITHIN", "OP_RIPEMD160", "OP_SHA1", "OP_SHA256", "OP_HASH160", "OP_HASH256", "OP_CODESEPARATOR",
	"OP_CHECKSIG", "OP_CHECKSIGVERIFY", "OP_CHECKMULTISIG", "OP_CHECKMULTISIGVERIFY", "OP_NOP1", "OP_CHECKLOCKTIMEVERIFY",
	"OP_CHECKSEQUENCEVERIFY", "OP_NOP4", "OP_NOP5", "OP_NOP6", "OP_NOP7", "OP_NOP8", "OP_NOP9", "OP_NOP10", "OP_CHECKSIGADD",
}

// opName returns the name of an operation that pushes no bytes.
func opName(op byte) string {
	switch {
	case op == txscript.OP_1NEGATE:
		return "-1"
	case op == txscript.OP_RESERVED:
		return "OP_RESERVED"
	case op >= txscript.OP_1 && op <= txscript.OP_16:
		return strconv.Itoa(int(op-txscript.OP_1) + 1)
	case op >= txscript.OP_NOP && int(op-txscript.OP_NOP) < len(opNames):
		return opNames[op-txscript.OP_NOP]
	case op == txscript.OP_INVALIDOPCODE:
		return "OP_INVALIDOPCODE"
	}
	return "OP_UNKNOWN"
}

// pubKeyAsm and scriptSigAsm write a script in words. Bytes that look like a signature in a scriptSig get
// the name of their sighash type in place of the byte.
func pubKeyAsm(script []byte) string    { return asm(script, false) }
func scriptSigAsm(script []byte) string { return asm(script, !consensus.Unspendable(script)) }

func asm(script []byte, signatures bool) string {
	var words []string
	t := txscript.MakeScriptTokenizer(0, script)
	for t.Next() {
		data := t.Data()
		switch {
		case t.Opcode() > txscript.OP_PUSHDATA4:
			words = append(words, opName(t.Opcode()))
		case len(data) <= 4:
			words = append(words, strconv.FormatInt(scriptNumber(data), 10))
		case signatures:
			words = append(words, signatureText(data))
		default:
			words = append(words, hex.EncodeToString(data))
		}
	}
	if t.Err() != nil {
		words = append(words, "[error]")
	}
	return strings.Join(words, " ")
}

// scriptNumber reads a push of at most four bytes as the number it stands for: little-endian, with a sign bit.
func scriptNumber(b []byte) int64 {
	if len(b) == 0 {
		return 0
	}
	var n int64
	for i, x := range b {
		n |= int64(x) << (8 * i)
	}
	sign := int64(0x80) << (8 * (len(b) - 1))
	if n&sign != 0 {
		return -(n &^ sign)
	}
	return n
}

// signatureText writes bytes of a scriptSig, with the sighash type in words if they are a signature.
func signatureText(data []byte) string {
	last := len(data) - 1
	name, ok := sigHashName(data[last])
	if !ok || !strictDER(data[:last]) {
		return hex.EncodeToString(data)
	}
	return hex.EncodeToString(data[:last]) + "[" + name + "]"
}

// sigHashName returns the name of a sighash type that BIP66 allows.
func sigHashName(b byte) (string, bool) {
	names := [...]string{txscript.SigHashAll: "ALL", txscript.SigHashNone: "NONE", txscript.SigHashSingle: "SINGLE"}
	kind := b &^ byte(txscript.SigHashAnyOneCanPay)
	if kind == 0 || int(kind) >= len(names) {
		return "", false
	}
	if kind != b {
		return names[kind] + "|ANYONECANPAY", true
	}
	return names[kind], true
}

// strictDER reports whether b is a signature in the encoding that BIP66 asks for. The values are not looked at.
func strictDER(b []byte) bool {
	const minLen, maxLen = 8, 72
	if len(b) < minLen || len(b) > maxLen || b[0] != 0x30 || int(b[1]) != len(b)-2 {
		return false
	}
	rest, ok := derInteger(b[2:])
	if !ok {
		return false
	}
	rest, ok = derInteger(rest)
	return ok && len(rest) == 0
}

// derInteger takes a positive integer in its shortest form off b.
func derInteger(b []byte) (rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 0x02 {
		return nil, false
	}
	n := int(b[1])
	if n == 0 || n > len(b)-2 || b[2]&0x80 != 0 {
		return nil, false
	}
	if n > 1 && b[2] == 0 && b[3]&0x80 == 0 {
		return nil, false
	}
	return b[2+n:], true
}

// validOps reports whether a script is of a length that can be run and consists of operations that exist.
func validOps(script []byte) bool {
	if len(script) > txscript.MaxScriptSize {
		return false
	}
	t := txscript.MakeScriptTokenizer(0, script)
	for t.Next() {
		if t.Opcode() > txscript.OP_NOP10 || len(t.Data()) > txscript.MaxScriptElementSize {
			return false
		}
	}
	return t.Err() == nil
}

// scriptType is the form of an output script, by Core's name.
type scriptType string

const (
	typeNonstandard scriptType = "nonstandard"
	typePubKey      scriptType = "pubkey"
	typePubKeyHash  scriptType = "pubkeyhash"
	typeScriptHash  scriptType = "scripthash"
	typeMultisig    scriptType = "multisig"
	typeNullData    scriptType = "nulldata"
	typeKeyHashV0   scriptType = "witness_v0_keyhash"
	typeScriptV0    scriptType = "witness_v0_scripthash"
	typeTaproot     scriptType = "witness_v1_taproot"
	typeAnchor      scriptType = "anchor"
	typeUnknown     scriptType = "witness_unknown"
)

// classify returns the form of an output script and, of a pubkey or multisig, its keys.
func classify(script []byte) (scriptType, [][]byte) {
	switch {
	case txscript.IsPayToScriptHash(script):
		return typeScriptHash, nil
	case txscript.IsPayToWitnessPubKeyHash(script):
		return typeKeyHashV0, nil
	case txscript.IsPayToWitnessScriptHash(script):
		return typeScriptV0, nil
	case txscript.IsPayToTaproot(script):
		return typeTaproot, nil
	case txscript.IsPayToAnchorScript(script):
		return typeAnchor, nil
	case txscript.IsWitnessProgram(script):
		if script[0] == txscript.OP_0 {
			return typeNonstandard, nil
		}
		return typeUnknown, nil
	case len(script) > 0 && script[0] == txscript.OP_RETURN && pushOnly(script[1:]):
		return typeNullData, nil
	case txscript.IsPayToPubKeyHash(script):
		return typePubKeyHash, nil
	}
	if key, ok := payToPubKey(script); ok {
		return typePubKey, [][]byte{key}
	}
	if _, keys, ok := multisig(script); ok {
		return typeMultisig, keys
	}
	return typeNonstandard, nil
}

// pushOnly reports whether a script does nothing but push.
func pushOnly(script []byte) bool {
	t := txscript.MakeScriptTokenizer(0, script)
	for t.Next() {
		if t.Opcode() > txscript.OP_16 {
			return false
		}
	}
	return t.Err() == nil
}

// keySize reports whether b has the length of a public key that its first byte asks for.
func keySize(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch b[0] {
	case 2, 3:
		return len(b) == btcec.PubKeyBytesLenCompressed
	case 4, 6, 7:
		return len(b) == 65
	}
	return false
}

// payToPubKey returns the key of a script that asks for a signature by it.
func payToPubKey(script []byte) ([]byte, bool) {
	n := len(script)
	if n < 35 || int(script[0]) != n-2 || script[n-1] != txscript.OP_CHECKSIG || !keySize(script[1:n-1]) {
		return nil, false
	}
	return script[1 : n-1], true
}

// multisig takes a script m key… n OP_CHECKMULTISIG apart.
func multisig(script []byte) (required int, keys [][]byte, ok bool) {
	if len(script) == 0 || script[len(script)-1] != txscript.OP_CHECKMULTISIG {
		return 0, nil, false
	}
	t := txscript.MakeScriptTokenizer(0, script)
	if !t.Next() {
		return 0, nil, false
	}
	required, ok = keyCount(t.Opcode(), t.Data())
	for ok && t.Next() && keySize(t.Data()) {
		keys = append(keys, t.Data())
	}
	if !ok || t.Err() != nil {
		return 0, nil, false
	}
	total, ok := keyCount(t.Opcode(), t.Data())
	if !ok || total != len(keys) || required > total || t.ByteIndex() != int32(len(script))-1 {
		return 0, nil, false
	}
	return required, keys, true
}

// keyCount reads a number of keys from 1 to 20, pushed in its shortest form.
func keyCount(op byte, data []byte) (int, bool) {
	switch {
	case op >= txscript.OP_1 && op <= txscript.OP_16:
		return int(op-txscript.OP_1) + 1, true
	case op == txscript.OP_DATA_1 && data[0] > 16 && data[0] <= txscript.MaxPubKeysPerMultiSig:
		return int(data[0]), true
	}
	return 0, false
}

// validKey reports whether b is a public key on the curve, in one of the two usual encodings.
func validKey(b []byte) bool {
	if !keySize(b) || b[0] > 4 {
		return false
	}
	_, err := btcec.ParsePubKey(b)
	return err == nil
}
