package consensus

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// laxForms are ways to write a signature that Bitcoin Core takes before BIP66 (pubkey.cpp, ecdsa_signature_parse_der_lax), given its numbers.
// ours says whether btcec takes them too. Where it does not, a block of before BIP66 that holds such a signature is judged
// differently: no vector of Core's has one, and since BIP66 all but the first are invalid everywhere.
var laxForms = []struct {
	name  string
	write func(r, s []byte) []byte
	ours  bool
}{
	{"strict DER", func(r, s []byte) []byte { return seq(num(r), num(s)) }, true},
	{"negative R", func(r, s []byte) []byte { return seq(num(r[1:]), num(s)) }, true},
	{"padded R", func(r, s []byte) []byte { return seq(num(append([]byte{0, 0, 0}, r...)), num(s)) }, true},
	{"padded S", func(r, s []byte) []byte { return seq(num(r), num(append([]byte{0, 0, 0}, s...))) }, true},
	{"bytes after the sequence", func(r, s []byte) []byte { return append(seq(num(r), num(s)), 1, 2, 3) }, true},
	{"bytes after S", func(r, s []byte) []byte { return seq(num(r), num(s), []byte{1, 2, 3}) }, false},
	{"sequence longer than it says", func(r, s []byte) []byte { return slices.Concat([]byte{0x30, 10}, num(r), num(s)) }, false},
	{"sequence shorter than it says", func(r, s []byte) []byte { return slices.Concat([]byte{0x30, 99}, num(r), num(s)) }, false},
	{"sequence of indefinite length", func(r, s []byte) []byte { return slices.Concat([]byte{0x30, 0x80}, num(r), num(s)) }, false},
	{"long form of R's length", func(r, s []byte) []byte { return seq(longNum(r), num(s)) }, false},
	{"long form of S's length", func(r, s []byte) []byte { return seq(num(r), longNum(s)) }, false},
}

func seq(parts ...[]byte) []byte {
	all := slices.Concat(parts...)
	return append([]byte{0x30, byte(len(all))}, all...)
}

func num(n []byte) []byte     { return append([]byte{2, byte(len(n))}, n...) }
func longNum(n []byte) []byte { return append([]byte{2, 0x81, byte(len(n))}, n...) }

// TestSignaturesBeforeBIP66 runs each of laxForms with and without BIP66 (DERSIG).
func TestSignaturesBeforeBIP66(t *testing.T) {
	t.Parallel()
	key, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{7}, 32))
	script := append(pushOf(key.PubKey().SerializeCompressed()), txscript.OP_CHECKSIG)
	tx, r, s := signedWithHighR(t, key, script)
	differ := 0
	for _, form := range laxForms {
		tx.TxIn[0].SignatureScript = pushOf(append(form.write(r, s), byte(txscript.SigHashAll)))
		verify := func(flags txscript.ScriptFlags) bool {
			return ScriptCheck{Tx: NewTx(tx.Copy()), Spent: []Coin{{PkScript: script}}, Flags: flags}.Verify() == nil
		}
		if got := verify(txscript.ScriptBip16); got != form.ours {
			t.Errorf("%s: valid before BIP66 is %v", form.name, got)
		}
		if got := verify(txscript.ScriptBip16 | txscript.ScriptVerifyDERSignatures); got != (form.name == "strict DER") {
			t.Errorf("%s: valid since BIP66 is %v", form.name, got)
		}
		if !form.ours {
			differ++
		}
	}
	if differ != 6 {
		t.Errorf("%d forms are judged differently than by Core, want 6", differ)
	}
}

// signedWithHighR returns a transaction and a signature for its first input whose R begins with a zero, to keep it positive.
func signedWithHighR(t *testing.T, key *btcec.PrivateKey, script []byte) (tx *wire.MsgTx, r, s []byte) {
	t.Helper()
	for i := range uint32(math.MaxUint16) {
		tx = wire.NewMsgTx(1)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: i}, nil, nil))
		tx.AddTxOut(wire.NewTxOut(0, nil))
		hash, err := txscript.CalcSignatureHash(script, txscript.SigHashAll, tx, 0)
		if err != nil {
			t.Fatal(err)
		}
		sig := ecdsa.Sign(key, hash).Serialize()
		if n := int(sig[3]); n == 33 {
			return tx, sig[4:][:n], sig[4+n+2:]
		}
	}
	t.Fatal("no signature has a high R")
	return nil, nil, nil
}

// TestTransactionOfNothing: Core reads a transaction without inputs and outputs and then refuses it; we do not read it, so that the two zeros
// can only be a witness marker with a flag that does not exist.
func TestTransactionOfNothing(t *testing.T) {
	t.Parallel()
	if _, err := ParseTx([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}); !errors.Is(err, ErrDecode) {
		t.Error(err)
	}
}
