package loadchain

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Chains of every kind are valid under the rules, scripts included.
func TestChainsAreValid(t *testing.T) {
	for kind := P2WPKH; kind <= P2WSH; kind++ {
		now := time.Now()
		spec := Spec{Params: consensus.Regtest(), Kind: kind, Txs: 25, TxsPerBlock: 10, Last: now}
		got := follow(t, spec.Params, now, func(emit func(*consensus.Block) error) error { return Make(spec, emit) })
		if got.blocks != spec.Blocks() || got.spends != spec.Txs+1 {
			t.Errorf("%v: %d blocks with %d payments, want %d and %d", kind, got.blocks, got.spends, spec.Blocks(), spec.Txs+1)
		}
	}
}

// So are chains for their length, whose coins are of all ages when they are spent.
func TestGrowth(t *testing.T) {
	now := time.Now()
	s := Growth{Params: consensus.Regtest(), Blocks: 140, Coins: 30, Spends: 20, Last: now}
	got := follow(t, s.Params, now, func(emit func(*consensus.Block) error) error { return Grow(s, emit) })
	if want := 30*140 - got.spends; got.blocks != s.Blocks || len(got.coins) != want || got.spends < 100 || got.oldest < 135 {
		t.Errorf("%d blocks, %d coins left of which there should be %d, %d spent, after %d blocks at most", got.blocks, len(got.coins), want, got.spends, got.oldest)
	}
	short := Growth{Params: consensus.Regtest(), Blocks: 105, Coins: 1, Last: now} // which spends nothing
	if got := follow(t, s.Params, now, func(emit func(*consensus.Block) error) error { return Grow(short, emit) }); len(got.coins) != 105 {
		t.Errorf("%d coins of 105 blocks", len(got.coins))
	}
}

// followed is what a valid chain came to.
type followed struct {
	coins          consensus.Coins
	blocks, spends int   // and coins that were spent
	oldest         int32 // how many blocks old the oldest of them was
}

// follow checks a chain by the rules as it is made.
func follow(t *testing.T, p *consensus.Params, now time.Time, run func(func(*consensus.Block) error) error) (f followed) {
	t.Helper()
	at := consensus.Genesis(p)
	f.coins = consensus.Coins{}
	err := run(func(b *consensus.Block) error {
		if _, err := consensus.CheckHeader(at, &b.Header, now); err != nil {
			return err
		}
		if err := consensus.CheckBlock(p, b); err != nil {
			return err
		}
		if err := consensus.CheckBlockPlace(at, b); err != nil {
			return err
		}
		d, err := consensus.Connect(at, b, f.coins)
		if err != nil {
			return err
		}
		for _, c := range consensus.ScriptChecks(at, b, f.coins) {
			if err := c.Verify(); err != nil {
				return err
			}
		}
		at, f.blocks, f.spends = at.Next(&b.Header), f.blocks+1, f.spends+len(d.Spent)
		for _, e := range d.Spent {
			f.oldest = max(f.oldest, at.Height-e.Coin.Height)
		}
		apply(f.coins, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := at.Header.Timestamp; !got.Equal(now.Truncate(time.Second)) {
		t.Errorf("the last block is of %v, not %v", got, now)
	}
	return f
}

func apply(coins consensus.Coins, d consensus.Delta) {
	for _, e := range d.Spent {
		delete(coins, e.OutPoint)
	}
	for _, e := range d.Created {
		coins[wire.OutPoint(e.OutPoint)] = e.Coin
	}
}
