package consensus

import (
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// randomSpend returns a transaction and the outputs that it spends: some of them Taproot's, scripts of lengths on both sides of each form of a length.
func randomSpend(r *rand.Rand) (*wire.MsgTx, []wire.TxOut) {
	script := func() []byte {
		lengths := []int{0, 1, 22, 0xfc, 0xfd, 0xffff, 0x10000}
		b := make([]byte, lengths[r.IntN(len(lengths))])
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	tx := wire.NewMsgTx(int32(r.Uint32()))
	outs := make([]wire.TxOut, 1+r.IntN(8))
	ways := r.IntN(3)
	for i := range outs {
		in := &wire.TxIn{Sequence: r.Uint32()}
		in.PreviousOutPoint.Index = r.Uint32() >> 1
		in.PreviousOutPoint.Hash[r.IntN(32)] = byte(i)
		tx.AddTxIn(in)
		outs[i] = wire.TxOut{Value: r.Int64(), PkScript: script()}
		if ways == 0 || (ways == 1 && r.IntN(2) == 0) {
			outs[i].PkScript = append([]byte{txscript.OP_1, txscript.OP_DATA_32}, make([]byte, 32)...)
		}
	}
	for range r.IntN(4) {
		tx.AddTxOut(&wire.TxOut{Value: r.Int64(), PkScript: script()})
	}
	return tx, outs
}

func TestSigHashesAreTxscripts(t *testing.T) {
	r := rand.New(rand.NewPCG(143, 341))
	for range 500 {
		tx, outs := randomSpend(r)
		fetcher := txscript.NewMultiPrevOutFetcher(nil)
		for i, in := range tx.TxIn {
			fetcher.AddPrevOut(in.PreviousOutPoint, &outs[i])
		}
		if got, want := sigHashes(tx, outs), txscript.NewTxSigHashes(tx, fetcher); *got != *want {
			t.Fatalf("%d inputs, %d outputs: got %+v, want %+v", len(tx.TxIn), len(tx.TxOut), got, want)
		}
	}
}

func TestSpentOutputsByName(t *testing.T) {
	msg := wire.NewMsgTx(2)
	coins := make([]Coin, 3)
	for i := range coins {
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: uint32(i)}})
		coins[i].PkScript = []byte{byte(i)}
	}
	s := ScriptCheck{Tx: NewTx(msg), Spent: coins}.Begin()
	for input := range coins {
		for i, in := range msg.TxIn {
			if out := (spentBy{s, input}).FetchPrevOutput(in.PreviousOutPoint); out == nil || out.PkScript[0] != byte(i) {
				t.Errorf("input %d sees %v as the output of input %d", input, out, i)
			}
		}
		if out := (spentBy{s, input}).FetchPrevOutput(wire.OutPoint{Index: 3}); out != nil {
			t.Errorf("input %d sees %v, which is not spent", input, out)
		}
	}
}

func BenchmarkSigHashes(b *testing.B) {
	msg := wire.NewMsgTx(2)
	script := make([]byte, 22)
	msg.AddTxIn(&wire.TxIn{})
	msg.AddTxOut(&wire.TxOut{Value: 1, PkScript: script})
	msg.AddTxOut(&wire.TxOut{Value: 2, PkScript: script})
	outs := []wire.TxOut{{Value: 3, PkScript: script}}
	b.ReportAllocs()
	for b.Loop() {
		_ = sigHashes(msg, outs)
	}
}
