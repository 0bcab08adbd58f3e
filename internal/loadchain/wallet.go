package loadchain

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Kind is a form of output.
type Kind uint8

// The forms that a chain can be made of.
const (
	P2WPKH Kind = iota
	P2TR        // spent by its key
	P2PKH
	P2WSH // 2 of 3
)

func (k Kind) String() string { return [...]string{"P2WPKH", "P2TR", "P2PKH", "P2WSH"}[k] }

// keyCount is how many keys a chain uses: so many that no verifier gains by remembering them in a row.
const keyCount = 256

// wallet has keys by number and what they can sign.
type wallet struct {
	kind    Kind
	keys    [keyCount]*btcec.PrivateKey
	scripts [keyCount][]byte
	inner   [keyCount][]byte // the script behind a P2WSH output
}

func newWallet(kind Kind) *wallet {
	w := &wallet{kind: kind}
	for i := range w.keys {
		seed := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("groat load key"), uint32(i)))
		w.keys[i], _ = btcec.PrivKeyFromBytes(seed[:])
	}
	for i := range w.keys {
		w.scripts[i] = w.build(i)
	}
	return w
}

func (w *wallet) key(i int) *btcec.PrivateKey { return w.keys[i%keyCount] }

func (w *wallet) script(i int) []byte { return w.scripts[i%keyCount] }

func (w *wallet) build(i int) []byte {
	pub := w.key(i).PubKey()
	b := txscript.NewScriptBuilder()
	switch w.kind {
	case P2TR:
		return must(b.AddOp(txscript.OP_1).AddData(txscript.ComputeTaprootKeyNoScript(pub).SerializeCompressed()[1:]).Script())
	case P2PKH:
		return must(b.AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(address.Hash160(pub.SerializeCompressed())).
			AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG).Script())
	case P2WSH:
		b.AddOp(txscript.OP_2)
		for k := range 3 {
			b.AddData(w.key(i + k).PubKey().SerializeCompressed())
		}
		w.inner[i] = must(b.AddOp(txscript.OP_3).AddOp(txscript.OP_CHECKMULTISIG).Script())
		hash := sha256.Sum256(w.inner[i])
		return must(txscript.NewScriptBuilder().AddOp(txscript.OP_0).AddData(hash[:]).Script())
	}
	return must(b.AddOp(txscript.OP_0).AddData(address.Hash160(pub.SerializeCompressed())).Script())
}

// sign signs the only input of tx, which spends c.
func (w *wallet) sign(tx *wire.MsgTx, c coin) {
	in, key := tx.TxIn[0], w.key(c.key)
	if w.kind == P2PKH {
		in.SignatureScript = must(txscript.SignatureScript(tx, 0, c.out.PkScript, txscript.SigHashAll, key, true))
		return
	}
	hashes := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(c.out.PkScript, c.out.Value))
	switch w.kind {
	case P2TR:
		in.Witness = must(txscript.TaprootWitnessSignature(tx, hashes, 0, c.out.Value, c.out.PkScript, txscript.SigHashDefault, key))
	case P2WSH:
		inner := w.inner[c.key%keyCount]
		in.Witness = wire.TxWitness{nil}
		for k := range 2 {
			in.Witness = append(in.Witness, must(txscript.RawTxInWitnessSignature(tx, hashes, 0, c.out.Value, inner, txscript.SigHashAll, w.key(c.key+k))))
		}
		in.Witness = append(in.Witness, inner)
	default:
		in.Witness = must(txscript.WitnessSignature(tx, hashes, 0, c.out.Value, c.out.PkScript, txscript.SigHashAll, key, true))
	}
}

// must returns v. The scripts here are short and the engine signs all of them, so an error is a mistake of this package.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
