package chain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
)

// The same blocks, good and broken, in any order, with copies, headers and restarts in between: the tip is the good block with the most work, and the coins
// are those after it.
func TestAnyArrivalLeadsToTheSameCoins(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			g := chaintest.New(t, consensus.Regtest())
			g.Grow(chaintest.Root, "base", 105)
			names := chaintest.RandomTree(r, g, "base105", "n", 40)
			best := heaviest(g, names)
			g.Block(best, "best") // or others may have as much work
			names = append(names, "best")
			for range 2 {
				s := storyOf(t, g)
				for i := range 105 {
					s.Arrive(fmt.Sprintf("base%d", i+1))
				}
				r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
				s.bring(r, names)
				s.Tip("best")
				s.restart().Tip("best")
			}
		})
	}
}

// heaviest returns a good block with the most work.
func heaviest(g *chaintest.Tree, names []string) string {
	return slices.MaxFunc(names, func(a, b string) int {
		x, y := g.At(a), g.At(b)
		if x.Sound() != y.Sound() {
			if x.Sound() {
				return 1
			}
			return -1
		}
		return x.State.Work.Cmp(y.State.Work)
	})
}

// bring brings all blocks in this order, again and again while any of them was not taken before its parent.
func (s *story) bring(r *rand.Rand, names []string) {
	s.t.Helper()
	for left := names; len(left) > 0; {
		var orphans []string
		for _, name := range left {
			n := s.Tree.At(name)
			switch r.IntN(12) {
			case 0:
				_, _ = s.c.AddHeaders(context.Background(), headersOf(n))
			case 1:
				m := chaintest.Mutations()[2+r.IntN(2)*7] // the last transaction again; another reserved value
				if len(n.Block.Txs) > 2 {
					_, _ = s.c.AddBlock(context.Background(), chaintest.Mutant(n.Block, m.Change))
				}
			case 2:
				if r.IntN(4) == 0 {
					s.restart()
				}
			}
			_, err := s.c.AddBlock(context.Background(), n.Block)
			if errors.Is(err, consensus.ErrPrevUnknown) {
				orphans = append(orphans, name)
				continue
			}
			s.fair(n, err)
			if r.IntN(5) == 0 {
				s.checkSupply()
			}
		}
		if len(orphans) == len(left) {
			for _, name := range orphans { // what follows a header that was refused is never known
				if s.Tree.At(name).Sound() {
					s.t.Fatalf("%s has no place", name)
				}
			}
			return
		}
		left = orphans
	}
}

// fair wants a verdict on n to be about n: a good block is taken, and a broken one or what follows it is refused as such, at once or later.
func (s *story) fair(n *chaintest.Node, err error) {
	s.t.Helper()
	var rule consensus.RuleError
	switch {
	case err == nil:
	case n.Sound() || !errors.As(err, &rule):
		s.t.Fatalf("%s: %v", n.Name, err)
	case rule.Kind == consensus.ErrPrevInvalid && n.Parent.Sound(), rule.Kind == consensus.ErrKnownInvalid && n.Flaw == 0:
		s.t.Fatalf("%s: %v", n.Name, err)
	case rule.Kind != consensus.ErrPrevInvalid && rule.Kind != consensus.ErrKnownInvalid && rule.Kind != n.Flaw:
		s.t.Fatalf("%s has the flaw %v, but was refused for %v", n.Name, n.Flaw, err)
	}
}

func (s *story) checkSupply() {
	s.t.Helper()
	tip := s.c.Tip()
	set, err := s.c.UTXOSet(context.Background(), ledger.NoHash)
	if err != nil || set.Tip.Hash != tip.Hash || set.Total > chaintest.Schedule(s.Tree.Params, tip.Height) {
		s.t.Fatalf("%v exist at height %d, %v", set.Total, tip.Height, err)
	}
}

// What is connected and undone again leaves the same bytes in the store, coin for coin, wherever the chain goes in between.
func TestUndoneBlocksLeaveTheSameBytes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	s := newStory(t)
	s.Blocks("base", 110)
	at := map[string][]byte{"base110": s.coinBytes()}
	for i := range 20 {
		name := fmt.Sprintf("x%d", i)
		parent := "base110"
		if i > 0 {
			parent = fmt.Sprintf("x%d", i-1)
		}
		s.On(parent).Block(name, chaintest.Txs(chaintest.RandomTxs(r, s.Tree.At(parent), chaintest.KeyFor(0))...))
		at[name] = s.coinBytes()
	}
	same := func(name string) {
		t.Helper()
		if s.Tip(name); !bytes.Equal(s.coinBytes(), at[name]) {
			t.Fatalf("the coins at %s are stored in other bytes", name)
		}
	}
	names := slices.Sorted(maps.Keys(at))
	for range 7 { // down to anywhere, and up again
		name := names[r.IntN(len(names))]
		if name == "x19" {
			continue
		}
		above := "x0"
		if name != "base110" {
			var n int
			_, _ = fmt.Sscanf(name, "x%d", &n)
			above = fmt.Sprintf("x%d", n+1)
		}
		s.Invalidate(above)
		same(name)
		if r.IntN(3) == 0 {
			s.restart()
			same(name)
		}
		s.Reconsider(above)
		same("x19")
	}
	s.On("base110").HiddenBlocks("y", 21).Arrive(namesOf("y", 21)...).Tip("y21") // another branch and back
	s.Invalidate("y1")
	same("x19")
	s.Invalidate("base1").Tip(chaintest.Root)
	if b := s.coinBytes(); len(b) != 0 {
		t.Errorf("%d bytes of coins are left of nothing", len(b))
	}
}

func namesOf(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i+1)
	}
	return names
}

// coinBytes returns all coins as they are in the store, keys and values.
func (s *story) coinBytes() []byte {
	s.t.Helper()
	if err := s.c.Flush(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	var all []byte
	err := s.db.Prefix("chain").Iterate([]byte("c"), func(key, value []byte) error {
		all = append(append(all, key...), value...)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// headersOf returns the headers from the first block to n.
func headersOf(n *chaintest.Node) []wire.BlockHeader {
	headers := make([]wire.BlockHeader, n.State.Height)
	for ; n.Parent != nil; n = n.Parent {
		headers[n.State.Height-1] = n.Block.Header
	}
	return headers
}
