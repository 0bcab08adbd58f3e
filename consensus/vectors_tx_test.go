package consensus

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// txVector is an entry of tx_valid.json or tx_invalid.json.
type txVector struct {
	name  string
	tx    *Tx
	coins Coins
	flags string
}

// TestCoreValidTransactions runs Bitcoin Core's tx_valid.json as Core does: each is valid under all flags but the ones it names, also with any
// one flag less, and invalid as soon as one of those it names is added.
func TestCoreValidTransactions(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, row := range readVectors(t, "tx_valid.json") {
		if len(row) == 1 {
			counts["comments"]++
			continue
		}
		counts["run"]++
		v := readTxVector(t, row)
		if err := CheckTx(v.tx); err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		excluded := flagsNamed(t, v.flags)
		flags := allCoreFlags() &^ excluded
		if flags != fillFlags(flags) {
			t.Errorf("%s: the flags mean nothing together", v.name)
		}
		v.expect(t, flags, true)
		for _, f := range singleFlags() {
			v.expect(t, withoutNops(trimFlags(flags&^f)), true)
		}
		for _, less := range withoutOne(excluded) {
			counts["maximal"]++
			if less == excluded&^txscript.ScriptVerifyNullFail && strings.Contains(v.name, nullFailDiffers) {
				counts["differ"]++
				v.expect(t, allCoreFlags()&^less, true)
				continue
			}
			v.expect(t, allCoreFlags()&^less, false)
		}
	}
	if want := map[string]int{"comments": 129, "run": 121, "maximal": 102, "differ": 1}; !maps.Equal(counts, want) {
		t.Errorf("counted %v, want %v", counts, want)
	}
}

// nullFailDiffers is the script of the one vector that txscript and Core judge differently, under a flag that is policy and no rule: txscript does
// not ask for an empty signature (NULLFAIL) where the public key is none at all.
const nullFailDiffers = `"0x00 CHECKSIG NOT"`

// withoutNops removes DISCOURAGE_UPGRADABLE_NOPS, which is policy, where one of two opcodes that once were such NOPs is not in force: txscript goes on to
// take it for one and Core does not. None of our blocks and no mempool runs scripts that way.
func withoutNops(f txscript.ScriptFlags) txscript.ScriptFlags {
	const lockTimes = txscript.ScriptVerifyCheckLockTimeVerify | txscript.ScriptVerifyCheckSequenceVerify
	if f&lockTimes != lockTimes {
		f &^= txscript.ScriptDiscourageUpgradableNops
	}
	return f
}

// TestCoreInvalidTransactions runs tx_invalid.json: each breaks a rule of CheckTx (BADTX) or is invalid under the flags it names, also with any one
// flag more, and valid as soon as one of them is missing.
func TestCoreInvalidTransactions(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, row := range readVectors(t, "tx_invalid.json") {
		if len(row) == 1 {
			counts["comments"]++
			continue
		}
		v := readTxVector(t, row)
		if err := CheckTx(v.tx); err != nil || v.flags == "BADTX" {
			counts["bad"]++
			if err == nil || v.flags != "BADTX" {
				t.Errorf("%s: CheckTx says %v", v.name, err)
			}
			continue
		}
		counts["run"]++
		flags := flagsNamed(t, v.flags)
		if flags != fillFlags(flags) {
			t.Errorf("%s: the flags mean nothing together", v.name)
		}
		v.expect(t, flags, false)
		for _, f := range singleFlags() {
			v.expect(t, fillFlags(flags|f), false)
		}
		for _, less := range withoutOne(flags) {
			counts["minimal"]++
			v.expect(t, less, true)
		}
	}
	if want := map[string]int{"comments": 108, "bad": 9, "run": 84, "minimal": 89}; !maps.Equal(counts, want) {
		t.Errorf("counted %v, want %v", counts, want)
	}
}

func (v txVector) expect(t *testing.T, flags txscript.ScriptFlags, valid bool) {
	t.Helper()
	spent := make([]Coin, len(v.tx.Msg.TxIn))
	for i, in := range v.tx.Msg.TxIn {
		spent[i] = v.coins[in.PreviousOutPoint]
	}
	err := ScriptCheck{Tx: v.tx, Spent: spent, Flags: flags}.Verify()
	if valid != (err == nil) {
		t.Errorf("%s: under flags %x, valid must be %v: %v", v.name, flags, valid, err)
	}
	scriptText(t, err)
}

func readTxVector(t *testing.T, row []json.RawMessage) txVector {
	t.Helper()
	v := txVector{name: string(mustJSON(t, row)), coins: Coins{}, flags: read[string](t, row[2])}
	for _, in := range read[[][]json.RawMessage](t, row[0]) {
		hash, err := chainhash.NewHashFromStr(read[string](t, in[0]))
		if err != nil {
			t.Fatal(err)
		}
		coin := Coin{PkScript: mustAssemble(t, read[string](t, in[2]))}
		if len(in) == 4 {
			coin.Value = btcutil.Amount(read[int64](t, in[3]))
		}
		v.coins[wire.OutPoint{Hash: *hash, Index: uint32(read[int64](t, in[1]))}] = coin // -1 stands for 2^32-1
	}
	raw, err := hex.DecodeString(read[string](t, row[1]))
	if err != nil {
		t.Fatal(err)
	}
	if v.tx, err = ParseTx(raw); err != nil {
		t.Fatalf("%s: %v", v.name, err)
	}
	for _, in := range v.tx.Msg.TxIn {
		if _, ok := v.coins[in.PreviousOutPoint]; !ok {
			t.Fatalf("%s does not say what %v is", v.name, in.PreviousOutPoint)
		}
	}
	return v
}

// TestCoreSignatureHashes runs sighash.json: 500 random transactions with random scripts and types of hash.
func TestCoreSignatureHashes(t *testing.T) {
	t.Parallel()
	run := 0
	for _, row := range readVectors(t, "sighash.json") {
		if len(row) == 1 {
			continue
		}
		run++
		raw, err := hex.DecodeString(read[string](t, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		tx, err := ParseTx(raw)
		if err != nil {
			t.Errorf("%d: %v", run, err)
			continue
		}
		script, err := hex.DecodeString(read[string](t, row[1]))
		if err != nil {
			t.Fatal(err)
		}
		kind := txscript.SigHashType(uint32(read[int32](t, row[3])))
		got, err := txscript.CalcSignatureHash(script, kind, tx.Msg, read[int](t, row[2]))
		if err != nil {
			t.Errorf("%d: %v", run, err)
			continue
		}
		if hash := chainhash.Hash(got); hash.String() != read[string](t, row[4]) {
			t.Errorf("%d: %v, want %s", run, hash, row[4])
		}
	}
	if run != 500 {
		t.Errorf("ran %d vectors, want 500", run)
	}
}
