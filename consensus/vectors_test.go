package consensus

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"

	"groat/internal/moddata"
)

// coreFlags has the names that Bitcoin Core's vectors give to script flags: all that Core 28 knows (transaction_tests.cpp).
var coreFlags = map[string]txscript.ScriptFlags{
	"P2SH":                                  txscript.ScriptBip16,
	"STRICTENC":                             txscript.ScriptVerifyStrictEncoding,
	"DERSIG":                                txscript.ScriptVerifyDERSignatures,
	"LOW_S":                                 txscript.ScriptVerifyLowS,
	"SIGPUSHONLY":                           txscript.ScriptVerifySigPushOnly,
	"MINIMALDATA":                           txscript.ScriptVerifyMinimalData,
	"NULLDUMMY":                             txscript.ScriptStrictMultiSig,
	"DISCOURAGE_UPGRADABLE_NOPS":            txscript.ScriptDiscourageUpgradableNops,
	"CLEANSTACK":                            txscript.ScriptVerifyCleanStack,
	"MINIMALIF":                             txscript.ScriptVerifyMinimalIf,
	"NULLFAIL":                              txscript.ScriptVerifyNullFail,
	"CHECKLOCKTIMEVERIFY":                   txscript.ScriptVerifyCheckLockTimeVerify,
	"CHECKSEQUENCEVERIFY":                   txscript.ScriptVerifyCheckSequenceVerify,
	"WITNESS":                               txscript.ScriptVerifyWitness,
	"DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM": txscript.ScriptVerifyDiscourageUpgradeableWitnessProgram,
	"WITNESS_PUBKEYTYPE":                    txscript.ScriptVerifyWitnessPubKeyType,
	"CONST_SCRIPTCODE":                      txscript.ScriptVerifyConstScriptCode,
	"TAPROOT":                               txscript.ScriptVerifyTaproot,
	"DISCOURAGE_UPGRADABLE_PUBKEYTYPE":      txscript.ScriptVerifyDiscourageUpgradeablePubkeyType,
	"DISCOURAGE_OP_SUCCESS":                 txscript.ScriptVerifyDiscourageOpSuccess,
	"DISCOURAGE_UPGRADABLE_TAPROOT_VERSION": txscript.ScriptVerifyDiscourageUpgradeableTaprootVersion,
}

// singleFlags returns the flags to add or to remove one by one, by name. Under the race detector there are none: it would only slow down the same
// arithmetic in one goroutine.
func singleFlags() map[string]txscript.ScriptFlags {
	if UnderRace {
		return nil
	}
	return coreFlags
}

func allCoreFlags() (all txscript.ScriptFlags) {
	for _, f := range coreFlags {
		all |= f
	}
	return all
}

// flagsNamed reads a list of flags as in the vectors.
func flagsNamed(t *testing.T, list string) (flags txscript.ScriptFlags) {
	t.Helper()
	for _, name := range strings.Split(list, ",") {
		f, ok := coreFlags[name]
		if !ok && name != "" && name != "NONE" {
			t.Fatalf("the vectors name a flag that we do not know: %q", name)
		}
		flags |= f
	}
	return flags
}

// trimFlags removes the flags that mean nothing without another one which is not set; fillFlags adds the other one (Core's TrimFlags, FillFlags).
func trimFlags(f txscript.ScriptFlags) txscript.ScriptFlags {
	if f&txscript.ScriptBip16 == 0 {
		f &^= txscript.ScriptVerifyWitness
	}
	if f&txscript.ScriptVerifyWitness == 0 {
		f &^= txscript.ScriptVerifyCleanStack
	}
	return f
}

func fillFlags(f txscript.ScriptFlags) txscript.ScriptFlags {
	if f&txscript.ScriptVerifyCleanStack != 0 {
		f |= txscript.ScriptVerifyWitness
	}
	if f&txscript.ScriptVerifyWitness != 0 {
		f |= txscript.ScriptBip16
	}
	return f
}

// withoutOne returns what is left of flags without each of them in turn (Core's ExcludeIndividualFlags).
func withoutOne(flags txscript.ScriptFlags) []txscript.ScriptFlags {
	found := map[txscript.ScriptFlags]bool{}
	for _, f := range coreFlags {
		if left := trimFlags(flags &^ f); left != flags {
			found[left] = true
		}
	}
	return slices.Collect(maps.Keys(found))
}

// scriptErrors has Core's words for the names of its script errors (script_error.cpp, of Core 28 and, where it has none, of the later version that the
// vectors were taken from).
var scriptErrors = map[string]string{
	"EVAL_FALSE":                            "Script evaluated without error but finished with a false/empty top stack element",
	"VERIFY":                                "Script failed an OP_VERIFY operation",
	"EQUALVERIFY":                           "Script failed an OP_EQUALVERIFY operation",
	"NUMEQUALVERIFY":                        "Script failed an OP_NUMEQUALVERIFY operation",
	"SCRIPT_SIZE":                           "Script is too big",
	"PUSH_SIZE":                             "Push value size limit exceeded",
	"OP_COUNT":                              "Operation limit exceeded",
	"STACK_SIZE":                            "Stack size limit exceeded",
	"SIG_COUNT":                             "Signature count negative or greater than pubkey count",
	"PUBKEY_COUNT":                          "Pubkey count negative or limit exceeded",
	"BAD_OPCODE":                            "Opcode missing or not understood",
	"DISABLED_OPCODE":                       "Attempted to use a disabled opcode",
	"INVALID_STACK_OPERATION":               "Operation not valid with the current stack size",
	"INVALID_ALTSTACK_OPERATION":            "Operation not valid with the current altstack size",
	"OP_RETURN":                             "OP_RETURN was encountered",
	"UNBALANCED_CONDITIONAL":                "Invalid OP_IF construction",
	"NEGATIVE_LOCKTIME":                     "Negative locktime",
	"UNSATISFIED_LOCKTIME":                  "Locktime requirement not satisfied",
	"SIG_HASHTYPE":                          "Signature hash type missing or not understood",
	"SIG_DER":                               "Non-canonical DER signature",
	"MINIMALDATA":                           "Data push larger than necessary",
	"SIG_PUSHONLY":                          "Only push operators allowed in signatures",
	"SIG_HIGH_S":                            "Non-canonical signature: S value is unnecessarily high",
	"SIG_NULLDUMMY":                         "Dummy CHECKMULTISIG argument must be zero",
	"MINIMALIF":                             "OP_IF/NOTIF argument must be minimal",
	"NULLFAIL":                              "Signature must be zero for failed CHECK(MULTI)SIG operation",
	"DISCOURAGE_UPGRADABLE_NOPS":            "NOPx reserved for soft-fork upgrades",
	"DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM": "Witness version reserved for soft-fork upgrades",
	"PUBKEYTYPE":                            "Public key is neither compressed or uncompressed",
	"CLEANSTACK":                            "Stack size must be exactly one after execution",
	"WITNESS_PROGRAM_WRONG_LENGTH":          "Witness program has incorrect length",
	"WITNESS_PROGRAM_WITNESS_EMPTY":         "Witness program was passed an empty witness",
	"WITNESS_PROGRAM_MISMATCH":              "Witness program hash mismatch",
	"WITNESS_MALLEATED":                     "Witness requires empty scriptSig",
	"WITNESS_MALLEATED_P2SH":                "Witness requires only-redeemscript scriptSig",
	"WITNESS_UNEXPECTED":                    "Witness provided for non-witness script",
	"WITNESS_PUBKEYTYPE":                    "Using non-compressed keys in segwit",
	"SCRIPTNUM":                             "unknown error",                                    // its own name since Core 29
	"TAPSCRIPT_EMPTY_PUBKEY":                "Public key is neither compressed or uncompressed", // its own name since Core 29
}

// readVectors reads one of the JSON files in txscript's data folder: a list of lists.
func readVectors(t *testing.T, name string) [][]json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(moddata.Dir(t, moddata.Txscript), "data", name))
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]json.RawMessage
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return rows
}

// read takes a value out of a vector.
func read[T any](t *testing.T, raw json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// assemble builds a script as the vectors write it: words are opcodes, numbers are pushed, 0x… stands for itself and '…' is pushed
// (Core's ParseScript).
func assemble(text string) ([]byte, error) {
	var s []byte
	for _, word := range strings.Fields(text) {
		if n, err := strconv.ParseInt(word, 10, 64); err == nil {
			push, err := txscript.NewScriptBuilder().AddInt64(n).Script()
			if err != nil {
				return nil, err
			}
			s = append(s, push...)
			continue
		}
		if digits, ok := strings.CutPrefix(word, "0x"); ok {
			raw, err := hex.DecodeString(digits)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", word, err)
			}
			s = append(s, raw...)
			continue
		}
		if len(word) >= 2 && word[0] == '\'' && word[len(word)-1] == '\'' {
			s = append(s, pushOf([]byte(word[1:len(word)-1]))...)
			continue
		}
		op, ok := opcode(word)
		if !ok {
			return nil, fmt.Errorf("unknown word %q", word)
		}
		s = append(s, op)
	}
	return s, nil
}

// opcode finds an opcode by its name, with or without OP_; the small numbers only with it.
func opcode(name string) (byte, bool) {
	if op, ok := txscript.OpcodeByName[name]; ok {
		return op, true
	}
	op, ok := txscript.OpcodeByName["OP_"+name]
	return op, ok
}

// pushOf returns the shortest push of data by its length, as Core's CScript << vector.
func pushOf(data []byte) []byte {
	switch n := len(data); {
	case n < txscript.OP_PUSHDATA1:
		return append([]byte{byte(n)}, data...)
	case n <= math.MaxUint8:
		return append([]byte{txscript.OP_PUSHDATA1, byte(n)}, data...)
	default:
		return append([]byte{txscript.OP_PUSHDATA2, byte(n), byte(n >> 8)}, data...)
	}
}

func mustAssemble(t *testing.T, text string) []byte {
	t.Helper()
	s, err := assemble(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
