package chaintest

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Kind is a form of output.
type Kind uint8

// The forms that a Key can pay to and spend.
const (
	P2WPKH Kind = iota
	P2TR
	P2PKH
)

// Key is a key that every test knows.
type Key struct{ priv *btcec.PrivateKey }

// KeyFor returns the key with the given number.
func KeyFor(n uint32) Key {
	seed := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("groat test key"), n))
	priv, _ := btcec.PrivKeyFromBytes(seed[:])
	return Key{priv}
}

// Private returns the private key.
func (k Key) Private() *btcec.PrivateKey { return k.priv }

// Script returns the script that pays to k in the given form.
func (k Key) Script(kind Kind) []byte {
	pub := k.priv.PubKey()
	hash := address.Hash160(pub.SerializeCompressed())
	b := txscript.NewScriptBuilder()
	switch kind {
	case P2TR:
		out := txscript.ComputeTaprootKeyNoScript(pub)
		b.AddOp(txscript.OP_1).AddData(out.SerializeCompressed()[1:])
	case P2PKH:
		b.AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(hash).AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG)
	default:
		b.AddOp(txscript.OP_0).AddData(hash)
	}
	script, err := b.Script()
	if err != nil {
		panic(err) // these scripts are short
	}
	return script
}

// Mature returns the coins of n that the given key can spend in the block after it, the oldest first.
func (n *Node) Mature(k Key) []consensus.Entry {
	var found []consensus.Entry
	scripts := k.scripts()
	for op, c := range n.Coins {
		if c.Coinbase && n.State.Height+1-c.Height < consensus.Maturity {
			continue
		}
		if _, ok := scripts[string(c.PkScript)]; ok {
			found = append(found, consensus.Entry{OutPoint: op, Coin: c})
		}
	}
	slices.SortFunc(found, func(a, b consensus.Entry) int {
		if a.Coin.Height != b.Coin.Height {
			return int(a.Coin.Height - b.Coin.Height)
		}
		return compareOutPoints(a.OutPoint, b.OutPoint)
	})
	return found
}

// scripts returns the scripts that pay to k.
func (k Key) scripts() map[string]Kind {
	scripts := make(map[string]Kind)
	for _, kind := range []Kind{P2WPKH, P2TR, P2PKH} {
		scripts[string(k.Script(kind))] = kind
	}
	return scripts
}

// Pay returns a signed transaction that spends coins of k and pays value to script, and what is left less the fee back to k.
func (k Key) Pay(coins []consensus.Entry, script []byte, value, fee btcutil.Amount) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	var sum btcutil.Amount
	for _, c := range coins {
		tx.AddTxIn(wire.NewTxIn(&c.OutPoint, nil, nil))
		sum += c.Coin.Value
	}
	tx.AddTxOut(wire.NewTxOut(int64(value), script))
	if rest := sum - value - fee; rest > 0 {
		tx.AddTxOut(wire.NewTxOut(int64(rest), k.Script(P2WPKH)))
	}
	k.Sign(tx, coins)
	return tx
}

// Sign signs every input of tx, which spend coins of k in this order.
func (k Key) Sign(tx *wire.MsgTx, coins []consensus.Entry) {
	outs := make(map[wire.OutPoint]*wire.TxOut, len(coins))
	for _, c := range coins {
		outs[c.OutPoint] = wire.NewTxOut(int64(c.Coin.Value), c.Coin.PkScript)
	}
	hashes := txscript.NewTxSigHashes(tx, txscript.NewMultiPrevOutFetcher(outs))
	scripts := k.scripts()
	for i, c := range coins {
		var err error
		in := tx.TxIn[i]
		switch scripts[string(c.Coin.PkScript)] {
		case P2TR:
			in.Witness, err = txscript.TaprootWitnessSignature(tx, hashes, i, int64(c.Coin.Value), c.Coin.PkScript, txscript.SigHashDefault, k.priv)
		case P2PKH:
			in.SignatureScript, err = txscript.SignatureScript(tx, i, c.Coin.PkScript, txscript.SigHashAll, k.priv, true)
		default:
			in.Witness, err = txscript.WitnessSignature(tx, hashes, i, int64(c.Coin.Value), c.Coin.PkScript, txscript.SigHashAll, k.priv, true)
		}
		if err != nil {
			panic(err) // these scripts can be signed
		}
	}
}

// Out returns output n of tx as a coin, unconfirmed.
func Out(tx *wire.MsgTx, n int) consensus.Entry {
	out := tx.TxOut[n]
	return consensus.Entry{
		OutPoint: wire.OutPoint{Hash: tx.TxHash(), Index: uint32(n)},
		Coin:     consensus.Coin{Value: btcutil.Amount(out.Value), PkScript: out.PkScript},
	}
}
