package mempool

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/internal/chaintest"
)

// limitTo makes the pool as large as it is now, plus room.
func (s *story) limitTo(room int64) { s.pool.policy.MaxBytes = s.pool.Info().Usage + room }

func TestFullPoolEvictsWhatPaysLeast(t *testing.T) {
	s := newStory(t)
	coins := s.split(6, s.script())
	cheap := s.pay(200, coins[0])
	heir := s.pay(300, chaintest.Out(cheap, 0))
	rescued := s.pay(150, coins[1])
	rescuer := s.pay(9000, chaintest.Out(rescued, 0))
	fair := s.pay(1000, coins[2])
	for _, tx := range []*wire.MsgTx{cheap, heir, rescued, rescuer, fair} {
		s.accept(tx)
	}
	s.limitTo(0)
	s.refuseFull(s.pay(220, coins[3])) // pays less than the pair of cheap and heir
	rich := s.pay(5000, coins[4])
	s.accept(rich)
	s.holds(rescued, rescuer, fair, rich)
}

// refuseFull adds tx, which pays less than all others. That raises what the pool asks for.
func (s *story) refuseFull(tx *wire.MsgTx) {
	s.Helper()
	before := s.pool.Info()
	s.refuseOnly("mempool full", tx)
	if after := s.pool.Info(); after.MinFeeRate <= before.MinFeeRate || after.Count != before.Count {
		s.Fatalf("the pool went from %+v to %+v", before, after)
	}
	s.check()
}

func TestFeeOfAFullPool(t *testing.T) {
	s := newStory(t)
	coins := s.split(9, s.script())
	kept := s.pay(5000, coins[0])
	s.accept(kept)
	s.limitTo(0)
	if got := s.pool.Info().MinFeeRate; got != 1000 {
		t.Fatalf("a pool that was never full asks for %v", got)
	}
	s.refuseFull(s.pay(220, coins[1]))
	const floor = 3000 // 220 for 110, and the increment
	if got := s.pool.Info().MinFeeRate; got != floor {
		t.Fatalf("it asks for %v", got)
	}
	err := s.refuse("mempool min fee not met", s.pay(329, coins[2]))
	if want := "mempool min fee not met, 329 < 330"; err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	s.refuse("min relay fee not met", s.pay(109, coins[2])) // what is always asked for comes first
	truc := s.unsigned(1, 109, coins[2])
	truc.Version = versionTRUC // but not of one that a child may pay for
	s.key.Sign(truc, coins[2:3])
	s.refuse("mempool min fee not met", truc)
	s.limitTo(100_000)
	s.accept(s.pay(330, coins[2]))

	s.now = s.now.Add(48 * time.Hour)
	if got := s.pool.Info().MinFeeRate; got != floor {
		t.Fatalf("without a block it asks for %v", got)
	}
	s.mine()
	s.catchUp()
	for _, step := range []struct {
		after time.Duration
		want  btcutil.Amount
	}{
		{3 * time.Hour, 1500}, // the pool is almost empty: a quarter of twelve hours
		{2 * time.Hour, 1000}, // not below the increment
		{3 * time.Hour, 1000}, // half of it is zero; this is what every transaction pays
	} {
		s.now = s.now.Add(step.after)
		s.limitTo(100_000_000)
		if got := s.pool.Info().MinFeeRate; got != step.want {
			t.Fatalf("after %v it asks for %v, want %v", step.after, got, step.want)
		}
	}
	if s.pool.floor.rate != 0 {
		t.Fatalf("the rate is %v", s.pool.floor.rate)
	}
	s.holds(kept, s.pay(330, coins[2]))
}

func TestWaitingTooLong(t *testing.T) {
	s := newStory(t)
	old := s.pay(1000, s.coin())
	s.accept(old)
	s.now = s.now.Add(time.Second)
	young := s.pay(1000, s.coin())
	heir := s.pay(1000, chaintest.Out(old, 0))
	s.accept(young)
	s.accept(heir)

	s.now = s.now.Add(336*time.Hour - time.Second)
	s.mine()
	s.catchUp()
	s.holds(old, young, heir)
	s.now = s.now.Add(time.Second)
	s.mine()
	s.catchUp()
	s.holds(young) // what builds on the old one goes with it
}
