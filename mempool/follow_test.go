package mempool

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

func TestBlockConfirmsAndConflicts(t *testing.T) {
	s := newStory(t)
	coin, shared := s.coin(), s.coin()
	parent := s.pay(1000, coin)
	child := s.fan(2, 1000, chaintest.Out(parent, 0))
	grandchild := s.pay(1000, chaintest.Out(child, 0))
	loser := s.pay(1000, shared)
	heir := s.pay(1000, chaintest.Out(loser, 0), chaintest.Out(child, 1))
	for _, tx := range []*wire.MsgTx{parent, child, grandchild, loser, heir} {
		s.accept(tx)
	}
	winner := s.pay(70_000, shared)
	s.mine(parent, child, winner)
	s.catchUp()
	s.holds(grandchild)
	if e, _ := s.pool.Entry(grandchild.TxHash()); e.AncestorCount != 1 || len(e.Depends) != 0 {
		t.Fatalf("what it spends is in the chain now: %+v", e)
	}
}

func TestReorgGivesBack(t *testing.T) {
	//   start - a1(tx, child) - a2(late)
	//        \- b1 - b2 - b3
	s := newStory(t)
	fork := s.chain.node
	tx := s.pay(1000, s.coin())
	child := s.pay(0, chaintest.Out(tx, 0)) // a miner took it without a fee
	late := s.pay(1000, s.coin())
	waiting := s.pay(1000, chaintest.Out(child, 0))
	s.mine(tx, child)
	s.mine(late)
	s.catchUp()
	s.accept(waiting)

	s.mineOn(s.mineOn(s.mineOn(fork)))
	s.catchUp()
	s.holds(tx, child, late, waiting)
	if e, _ := s.pool.Entry(waiting.TxHash()); e.AncestorCount != 3 {
		t.Fatalf("the relations are gone: %+v", e)
	}
	txs, _ := s.pool.Since(0, 10)
	if len(txs) != 4 || txs[0].TxID() != tx.TxHash() || txs[1].TxID() != child.TxHash() || txs[2].TxID() != waiting.TxHash() {
		t.Fatalf("parents come before children: %v", txs)
	}
}

func TestReorgGivesBackWhatTheOtherSideLacks(t *testing.T) {
	//   start - a1(both, mine, double)
	//        \- b1(both) - b2(other double)
	s := newStory(t)
	fork := s.chain.node
	contested := s.coin()
	both, mine := s.pay(1000, s.coin()), s.pay(1000, s.coin())
	double, other := s.pay(1000, contested), s.pay(2000, contested)
	heir := s.pay(1000, chaintest.Out(double, 0))
	s.mine(both, mine, double)
	s.catchUp()
	s.accept(heir)
	s.mineOn(s.mineOn(fork, both), other)
	s.catchUp()
	s.holds(mine)
}

func TestReorgDropsWhatIsNotReadyAnyMore(t *testing.T) {
	s := newStory(t)
	fork := s.chain.node
	s.mine()
	a2 := s.mine()
	tip := s.chain.Tip()
	coinbaseOf := func(height int32) (found consensus.Entry) {
		for op, c := range s.chain.node.Coins {
			if c.Coinbase && c.Height == height {
				found = consensus.Entry{OutPoint: op, Coin: c}
			}
		}
		return found
	}
	immature, mature := s.pay(1000, coinbaseOf(tip.Height+1-consensus.Maturity)), s.pay(1000, coinbaseOf(tip.Height-consensus.Maturity))
	lock := func(at uint32, sequence uint32, coin consensus.Entry) *wire.MsgTx {
		msg := s.unsigned(1, 1000, coin)
		msg.LockTime, msg.TxIn[0].Sequence = at, sequence
		s.key.Sign(msg, []consensus.Entry{coin})
		return msg
	}
	final := lock(uint32(tip.Height)-1, wire.MaxTxInSequenceNum-1, s.coin())
	early := lock(uint32(tip.Height), wire.MaxTxInSequenceNum-1, s.coin())
	old, older := s.coin(), s.coin()
	age := tip.Height + 1 - old.Coin.Height
	locked := lock(0, uint32(age), old)
	unlocked := lock(0, uint32(tip.Height-older.Coin.Height), older)
	plain := s.pay(1000, s.coin())
	heir := s.pay(1000, chaintest.Out(early, 0))
	for _, tx := range []*wire.MsgTx{immature, mature, final, early, locked, unlocked, plain, heir} {
		s.chain.moveTo(a2)
		s.catchUp()
		s.accept(tx)
	}
	s.mineOn(fork) // an operator may have marked the better branch invalid: one block lower
	s.catchUp()
	s.holds(mature, final, unlocked, plain)
}

func TestReorgKeepsTheOrderOfWhatItPutsAside(t *testing.T) {
	s := newStory(t)
	fork := s.chain.node
	tx, coin := s.pay(1000, s.coin()), s.coin()
	locked := s.unsigned(1, 1000, coin)
	locked.TxIn[0].Sequence = 5 // long passed
	s.key.Sign(locked, []consensus.Entry{coin})
	s.mine(tx)
	s.catchUp()
	both := s.pay(1000, chaintest.Out(tx, 0), chaintest.Out(locked, 0))
	s.accept(locked)
	s.accept(both)
	s.mineOn(s.mineOn(fork))
	s.catchUp()
	s.holds(tx, locked, both)
}

func TestReorgDropsTheHeirsOfACoinbase(t *testing.T) {
	s := newStory(t)
	fork := s.chain.node
	a1 := s.mine()
	reward := chaintest.Out(a1.Block.Txs[0].Msg, 0)
	reward.Coin.Coinbase, reward.Coin.Height = true, a1.State.Height
	for range consensus.Maturity - 1 {
		s.mine()
	}
	s.catchUp()
	spend := s.pay(1000, reward)
	s.accept(spend)
	s.accept(s.pay(1000, chaintest.Out(spend, 0)))
	kept := s.pay(1000, s.coin())
	s.accept(kept)
	for range consensus.Maturity + 1 {
		fork = s.mineOn(fork)
	}
	s.catchUp()
	s.holds(kept)
}

func TestRestoreIsBounded(t *testing.T) {
	s := newStory(t)
	var txs []*consensus.Tx
	tx := consensus.NewTx(s.fan(3000, 100_000, s.coin()))
	for size := 0; size <= maxRestoreBytes+tx.Size(); size += tx.Size() {
		txs = append(txs, tx)
	}
	if kept := capBytes(txs); len(kept) != maxRestoreBytes/tx.Size() || len(capBytes(kept)) != len(kept) {
		t.Fatalf("%d of %d are kept", len(kept), len(txs))
	}
}

func TestEmptyPoolReadsNoBlocks(t *testing.T) {
	s := newStory(t)
	for range 20 {
		s.mine()
	}
	s.catchUp()
	if s.chain.reads != 0 {
		t.Fatalf("%d blocks were read for an empty pool", s.chain.reads)
	}
	s.accept(s.pay(1000, s.coin()))
	s.mine()
	s.catchUp()
	if s.chain.reads != 1 {
		t.Fatalf("%d blocks were read", s.chain.reads)
	}
}

func TestLongWay(t *testing.T) {
	s := newStory(t)
	s.chain.stride = 3 // the way is told in pieces
	fork := s.chain.node
	tx, late := s.pay(1000, s.coin()), s.pay(1000, s.coin())
	s.accept(tx)
	for n := range 20 {
		if n == 2 {
			s.mine(late)
			continue
		}
		s.mine()
	}
	s.catchUp()
	s.holds(tx)
	for n := range 21 {
		if n == 10 {
			fork = s.mineOn(fork, tx)
			continue
		}
		fork = s.mineOn(fork)
	}
	s.catchUp()
	s.holds(late)
}

func TestTheChainMovesWhileATransactionIsJudged(t *testing.T) {
	s := newStory(t)
	contested, other := s.coin(), s.coin()
	rival := s.pay(2000, contested)
	moves := 3
	s.chain.asked = func() {
		if moves--; moves == 0 {
			s.mine(rival)
		} else if moves > 0 {
			s.mine()
		}
	}
	s.refuseOnly("bad-txns-inputs-missingorspent", s.pay(1000, contested))
	moves = 3
	s.accept(s.pay(1000, other))
	if tip, _ := s.pool.Snapshot(); tip != s.chain.Tip().Hash {
		t.Fatal("accepted at another tip than the chain's")
	}
}

// slowScripts lets something happen while scripts run.
type slowScripts struct {
	ScriptVerifier
	meanwhile func()
}

func (v *slowScripts) Verify(ctx context.Context, checks []consensus.ScriptCheck) error {
	if f := v.meanwhile; f != nil {
		v.meanwhile = nil
		f()
	}
	return v.ScriptVerifier.Verify(ctx, checks)
}

func TestThePoolMovesWhileScriptsRun(t *testing.T) {
	s := newStory(t)
	slow := &slowScripts{ScriptVerifier: s.pool.scripts}
	s.pool.scripts = slow

	contested := s.coin()
	slow.meanwhile = func() {
		s.mine(s.pay(2000, contested))
		s.catchUp()
	}
	s.refuseOnly("bad-txns-inputs-missingorspent", s.pay(1000, contested))

	coin := s.coin()
	first, second := s.pay(1000, coin), s.pay(2000, coin)
	slow.meanwhile = func() { s.accept(first) }
	s.refuseOnly("txn-mempool-conflict", second)

	other := s.pay(1000, s.coin())
	slow.meanwhile = func() { s.accept(other) }
	s.refuseOnly("txn-already-in-mempool", other)

	slow.meanwhile = func() { // evicted, or replaced
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		s.pool.remove(s.pool.txs[first.TxHash()])
	}
	s.refuseOnly("bad-txns-inputs-missingorspent", s.pay(1000, chaintest.Out(first, 0)))

	last := s.pay(1000, chaintest.Out(other, 0))
	slow.meanwhile = func() { // its parent is in a block now
		s.mine(other)
		s.catchUp()
	}
	s.accept(last)
	s.holds(last)
}

func TestNoWorkOnAHalfRestoredPool(t *testing.T) {
	s := newStory(t)
	tx := s.pay(1000, s.coin())
	a1 := s.mine(tx)
	s.catchUp()
	s.mineOn(s.mineOn(a1.Parent))
	s.pool.undo(a1.Block, ref(a1)) // the goroutine that follows has come so far
	if tip, _ := s.pool.Snapshot(); tip == a1.Parent.State.Hash {
		t.Fatal("the miner would take this for the pool of that tip")
	}
	child := s.pay(1000, chaintest.Out(tx, 0))
	s.accept(child) // catches up first
	s.holds(tx, child)
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t)
		tx := s.pay(1000, s.coin())
		s.mine()
		wake := make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.pool.Run(ctx, wake) }()
		synctest.Wait() // asks first
		if tip, _ := s.pool.Snapshot(); tip != s.chain.Tip().Hash {
			t.Fatal("the pool did not catch up at the start")
		}
		s.accept(tx)
		s.mine(tx)
		wake <- struct{}{}
		synctest.Wait()
		s.holds()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		s.chain.broken = errors.New("the disk is gone")
		if err := s.pool.Run(t.Context(), wake); !errors.Is(err, s.chain.broken) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestFloorOfFees(t *testing.T) {
	for _, c := range []struct {
		rate btcutil.Amount
		size int
		want btcutil.Amount
	}{{1000, 110, 110}, {1001, 110, 111}, {1, 1, 1}, {0, 100, 0}, {3000, 98, 294}} {
		if got := feeFor(c.rate, c.size); got != c.want {
			t.Errorf("%d bytes at %d cost %d, want %d", c.size, c.rate, got, c.want)
		}
	}
}
