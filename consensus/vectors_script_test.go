package consensus

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// scriptVector is an entry of script_tests.json.
type scriptVector struct {
	name                string
	witness             wire.TxWitness
	value               btcutil.Amount
	scriptSig, pkScript []byte
	flags               txscript.ScriptFlags
	want                string // name of Core's script error
}

// TestCoreScriptVectors runs Bitcoin Core's script_tests.json as Core does: a transaction pays to the script, another one spends it. Those that
// pass must pass with fewer flags, those that fail must fail with more.
func TestCoreScriptVectors(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	texts := map[[2]string]int{} // failures that we word differently: Core's name and our text
	for _, row := range readVectors(t, "script_tests.json") {
		if len(row) == 1 {
			counts["comments"]++
			continue
		}
		v := readScriptVector(t, row)
		err := v.run(v.flags)
		if (v.want == "OK") != (err == nil) {
			t.Errorf("%s: want %s, got %v", v.name, v.want, err)
			continue
		}
		counts["run"]++
		if err == nil {
			counts["passed"]++
		}
		if strings.Contains(v.name, "TAPSCRIPT") {
			counts["tapscript"]++
		}
		if got := scriptText(t, err); err != nil && got != scriptErrors[v.want] {
			texts[[2]string{v.want, got}]++
		}
		checkMonotone(t, v)
	}
	if want := map[string]int{"comments": 51, "run": 1222, "passed": 675, "tapscript": 5}; !maps.Equal(counts, want) {
		t.Errorf("counted %v, want %v", counts, want)
	}
	if !maps.Equal(texts, scriptTextsThatDiffer) {
		t.Errorf("failures worded differently than by Core: %v", texts)
	}
}

// scriptTextsThatDiffer counts the vectors that fail as they must, but in other words than Core's. txscript has one code for what Core tells
// apart, or looks at the same fault in another order. Verdicts do not differ.
var scriptTextsThatDiffer = map[[2]string]int{
	{"SCRIPTNUM", "Data push larger than necessary"}:                                  55,
	{"INVALID_ALTSTACK_OPERATION", "Operation not valid with the current stack size"}: 2,
	{"SIG_DER", "Signature hash type missing or not understood"}:                      1,
}

// checkMonotone holds v against every single flag: a flag only ever restricts.
func checkMonotone(t *testing.T, v scriptVector) {
	t.Helper()
	for name, f := range singleFlags() {
		flags := v.flags | f
		if v.want == "OK" {
			flags = v.flags &^ f
		}
		if flags == v.flags || trimFlags(flags) != flags { // Core skips the combinations that mean nothing
			continue
		}
		if err := v.run(flags); (v.want == "OK") != (err == nil) {
			t.Errorf("%s: %s changes the verdict to %v", v.name, name, err)
		}
	}
}

func readScriptVector(t *testing.T, row []json.RawMessage) scriptVector {
	t.Helper()
	v := scriptVector{name: string(mustJSON(t, row))}
	var tap *taproot
	if row[0][0] == '[' {
		v.witness, v.value, tap = readWitness(t, row[0])
		row = row[1:]
	}
	pk := read[string](t, row[1])
	if tap != nil {
		pk = strings.ReplaceAll(pk, "#TAPROOTOUTPUT#", "0x"+hex.EncodeToString(tap.output))
	}
	v.scriptSig, v.pkScript = mustAssemble(t, read[string](t, row[0])), mustAssemble(t, pk)
	v.flags, v.want = flagsNamed(t, read[string](t, row[2])), read[string](t, row[3])
	if v.flags&txscript.ScriptVerifyCleanStack != 0 {
		v.flags |= txscript.ScriptBip16 | txscript.ScriptVerifyWitness
	}
	return v
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// taproot is what the placeholders #CONTROLBLOCK# and #TAPROOTOUTPUT# stand for: a tree of one script under Core's internal key.
type taproot struct{ control, output []byte }

// readWitness reads the items of a witness, which are hexadecimal or, after #SCRIPT#, a script to assemble, and the value behind them.
func readWitness(t *testing.T, raw json.RawMessage) (wire.TxWitness, btcutil.Amount, *taproot) {
	t.Helper()
	items := read[[]json.RawMessage](t, raw)
	value, err := btcutil.NewAmount(read[float64](t, items[len(items)-1]))
	if err != nil {
		t.Fatal(err)
	}
	var witness wire.TxWitness
	var tap *taproot
	for _, item := range items[:len(items)-1] {
		text := read[string](t, item)
		switch asm, isScript := strings.CutPrefix(text, "#SCRIPT#"); {
		case isScript:
			leaf := mustAssemble(t, asm)
			tap = treeOf(t, leaf)
			witness = append(witness, leaf)
		case text == "#CONTROLBLOCK#":
			witness = append(witness, tap.control)
		default:
			data, err := hex.DecodeString(text)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			witness = append(witness, data)
		}
	}
	return witness, value, tap
}

// treeOf commits to leaf under the point that nobody knows the key of (BIP341); Core uses another key, which no vector names.
func treeOf(t *testing.T, leaf []byte) *taproot {
	t.Helper()
	const nothingUpMySleeve = "0250929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
	raw, err := hex.DecodeString(nothingUpMySleeve)
	if err != nil {
		t.Fatal(err)
	}
	key, err := btcec.ParsePubKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	tree := txscript.AssembleTaprootScriptTree(txscript.NewBaseTapLeaf(leaf))
	root := tree.RootNode.TapHash()
	block := tree.LeafMerkleProofs[0].ToControlBlock(key)
	control, err := block.ToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return &taproot{control: control, output: txscript.ComputeTaprootOutputKey(key, root[:]).SerializeCompressed()[1:]}
}

// run spends the script under flags, with the two transactions that Core makes for it.
func (v scriptVector) run(flags txscript.ScriptFlags) error {
	credit := wire.NewMsgTx(1)
	credit.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: math.MaxUint32}, []byte{txscript.OP_0, txscript.OP_0}, nil))
	credit.AddTxOut(wire.NewTxOut(int64(v.value), v.pkScript))
	spend := wire.NewMsgTx(1)
	spend.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: credit.TxHash()}, v.scriptSig, v.witness))
	spend.AddTxOut(wire.NewTxOut(int64(v.value), nil))
	return ScriptCheck{Tx: NewTx(spend), Spent: []Coin{{Value: v.value, PkScript: v.pkScript}}, Flags: flags}.Verify()
}

// scriptText returns what err says about the script, and fails if it is not the kind of error that a script ends with.
func scriptText(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var rule RuleError
	if !errors.As(err, &rule) || !errors.Is(err, ErrScript) {
		t.Fatalf("a script fails with %v, which is no RuleError of kind ErrScript", err)
	}
	return rule.ScriptText()
}
