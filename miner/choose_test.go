package miner

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// sketch makes entries without coins: the choice does not look at them.
type sketch struct {
	entries []ledger.PoolEntry
	number  uint32
}

// add adds an entry of about the given size that spends outputs of the given ones, and returns its place.
func (k *sketch) add(fee btcutil.Amount, size int, parents ...int) int {
	k.number++
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{1}, Index: k.number}, nil, nil))
	e := ledger.PoolEntry{Fee: fee}
	for _, p := range parents {
		id := k.entries[p].Tx.TxID()
		msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: id, Index: k.number}, nil, nil))
		e.Depends = append(e.Depends, id)
	}
	msg.AddTxOut(wire.NewTxOut(0, nil))
	if missing := size - msg.SerializeSize(); missing > 0 {
		if missing > 252 {
			missing -= 2 // the length of the script takes more
		}
		msg.TxOut[0].PkScript = make([]byte, missing)
	}
	e.Tx = consensus.NewTx(msg)
	e.VSize = e.Tx.VSize()
	k.entries = append(k.entries, e)
	return len(k.entries) - 1
}

func (k *sketch) source(l Limits) Source {
	return Source{State: consensus.Genesis(consensus.Regtest()), Entries: k.entries, Script: []byte{txscript.OP_TRUE}, Now: time.Unix(1_700_000_000, 0), Limits: l}
}

// chosen returns the places of what is chosen, in order.
func (k *sketch) chosen(l Limits) []int {
	var places []int
	s := k.source(l)
	for _, e := range choose(s) {
		for i := range s.Entries {
			if e == &s.Entries[i] {
				places = append(places, i)
			}
		}
	}
	return places
}

func expect(t *testing.T, got []int, want ...int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("chosen are %v, want %v", got, want)
	}
}

func TestChildPaysForItsParents(t *testing.T) {
	var k sketch
	poor := k.add(100, 100)
	k.add(500, 100)
	mid := k.add(100, 100, poor)
	rich := k.add(4000, 100, mid)
	fair := k.add(1000, 100)
	expect(t, k.chosen(DefaultLimits()), poor, mid, rich, fair, 1)
}

func TestAncestorsAreCountedOnce(t *testing.T) {
	var k sketch
	shared := k.add(0, 1000)
	a := k.add(3000, 100, shared)
	b := k.add(1500, 100, shared) // pays for itself once a has paid for what they share
	lone := k.add(1000, 100)
	expect(t, k.chosen(DefaultLimits()), lone, shared, a, b)

	expect(t, k.chosen(Limits{Weight: 4_000_000, SigOps: 80_000, MinFee: 12_000}))
}

func TestARichParentDoesNotCarryAPoorChild(t *testing.T) {
	var k sketch
	rich := k.add(100_000, 100)
	poor := k.add(200, 100, rich)
	fair := k.add(5000, 100)
	expect(t, k.chosen(DefaultLimits()), rich, fair, poor)
}

func TestLeastFeeOfABlock(t *testing.T) {
	var k sketch
	just := k.add(100, 100)
	k.add(99, 100)
	expect(t, k.chosen(DefaultLimits()), just)
}

func TestWeightLimit(t *testing.T) {
	var k sketch
	a := k.add(5000, 1000)
	b := k.add(3000, 1000)
	small := k.add(200, 100)
	weight := reservedWeight + k.entries[a].Tx.Weight() + k.entries[b].Tx.Weight()
	l := DefaultLimits()
	l.Weight = weight
	expect(t, k.chosen(l), a, b)
	l.Weight--
	expect(t, k.chosen(l), a, small)
}

func TestSigOpLimit(t *testing.T) {
	var k sketch
	a := k.add(5000, 1000)
	b := k.add(3000, 1000)
	small := k.add(200, 100)
	k.entries[a].SigOpCost, k.entries[b].SigOpCost, k.entries[small].SigOpCost = 16_000, 16_000, 4
	l := DefaultLimits()
	l.SigOps = reservedSigOps + 32_000
	expect(t, k.chosen(l), a, b)
	l.SigOps--
	expect(t, k.chosen(l), a, small)
}

func TestWhatDidNotFitComesUpAgain(t *testing.T) {
	var k sketch
	big := k.add(1000, 2000)
	child := k.add(50_000, 200, big) // with big it is too large at first
	mid := k.add(30_000, 1000, big)
	l := DefaultLimits()
	l.Weight = reservedWeight + k.entries[big].Tx.Weight() + k.entries[child].Tx.Weight() + 3
	expect(t, k.chosen(l), big, child)
	l.Weight = reservedWeight + k.entries[big].Tx.Weight() + k.entries[mid].Tx.Weight() + k.entries[child].Tx.Weight()
	expect(t, k.chosen(l), big, child, mid)
}

func TestNotFinalIsLeftOutWithItsHeirs(t *testing.T) {
	var k sketch
	lock := k.add(1000, 100)
	msg := k.entries[lock].Tx.Msg.Copy()
	msg.LockTime, msg.TxIn[0].Sequence = 1, 0
	k.entries[lock].Tx = consensus.NewTx(msg)
	k.add(9000, 100, lock)
	free := k.add(1000, 100)
	expect(t, k.chosen(DefaultLimits()), free)
}

// TestRandomChoices holds random choices against what every template must be.
func TestRandomChoices(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var k sketch
		for i := range 60 {
			var parents []int
			for range r.IntN(3) {
				if i > 0 {
					parents = append(parents, r.IntN(i))
				}
			}
			k.add(btcutil.Amount(r.IntN(3000)), 100+r.IntN(900), parents...)
			k.entries[i].SigOpCost = r.IntN(100)
		}
		l := Limits{Weight: reservedWeight + r.IntN(150_000), SigOps: reservedSigOps + r.IntN(3000), MinFee: 1000}
		weight, sigOps := reservedWeight, reservedSigOps
		in := make(map[chainhash.Hash]bool)
		for _, i := range k.chosen(l) {
			e := k.entries[i]
			for _, p := range e.Depends {
				if !in[p] {
					t.Fatalf("seed %d: %d comes before its parent", seed, i)
				}
			}
			if in[e.Tx.TxID()] {
				t.Fatalf("seed %d: %d is there twice", seed, i)
			}
			in[e.Tx.TxID()] = true
			weight, sigOps = weight+e.Tx.Weight(), sigOps+e.SigOpCost
		}
		if weight > l.Weight || sigOps > l.SigOps {
			t.Fatalf("seed %d: weight %d of %d, sigops %d of %d", seed, weight, l.Weight, sigOps, l.SigOps)
		}
	}
}

func BenchmarkAssemble(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		r := rand.New(rand.NewPCG(1, 1))
		var k sketch
		for i := range n {
			var parents []int
			if i > 0 && r.IntN(10) < 3 {
				parents = []int{max(0, i-1-r.IntN(5))}
			}
			k.add(btcutil.Amount(200+r.IntN(5000)), 223, parents...)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Assemble(k.source(DefaultLimits()))
			}
		})
	}
}
