package chain

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

func TestEachCoin(t *testing.T) {
	s := newStory(t).chain("genesis", "a", 3)
	seen := make(consensus.Coins)
	tip, err := s.c.EachCoin(t.Context(), func(op wire.OutPoint, coin consensus.Coin) { seen[op] = coin })
	if err != nil || tip.Hash != s.At("a3").State.Hash {
		t.Fatalf("at %v, %v", tip.Hash, err)
	}
	want := s.At("a3").Coins
	same := func(x, y consensus.Coin) bool {
		return x.Value == y.Value && string(x.PkScript) == string(y.PkScript) && x.Height == y.Height
	}
	if !maps.EqualFunc(seen, want, same) {
		t.Errorf("%d coins, want %d: %v", len(seen), len(want), seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.c.EachCoin(ctx, func(wire.OutPoint, consensus.Coin) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("aborted: %v", err)
	}
}
