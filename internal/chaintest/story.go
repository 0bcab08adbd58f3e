package chaintest

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// Chain is what a Story is told to.
type Chain interface {
	AddBlock(ctx context.Context, b *consensus.Block) (ledger.Added, error)
	AddHeaders(ctx context.Context, headers []wire.BlockHeader) (consensus.State, error)
	Invalidate(ctx context.Context, hash chainhash.Hash) error
	Reconsider(ctx context.Context, hash chainhash.Hash) error
	Precious(ctx context.Context, hash chainhash.Hash) error
	Tip() consensus.State
	BestHeader() consensus.State
	Info(hash chainhash.Hash) (ledger.BlockInfo, error)
	UTXOSet(ctx context.Context, hash ledger.SetHash) (ledger.SetInfo, error)
}

// Story tells a Chain about the blocks of a Tree, by name, and holds it to what the tree knows: the tip and its coins. Whatever the chain refuses
// must be followed by Refused.
type Story struct {
	Tree  *Tree
	Chain Chain // may be replaced, as after a restart

	t       testing.TB
	place   string // the block that the next one follows
	refusal error  // of what was told last, until Refused looks at it
}

// Tell begins a story at the first block of g.
func Tell(g *Tree, c Chain) *Story {
	s := &Story{Tree: g, Chain: c, t: g.t, place: Root}
	g.t.Cleanup(func() {
		if !g.t.Failed() {
			s.settle()
		}
	})
	return s
}

// settle wants the chain to have taken what it was told.
func (s *Story) settle() {
	s.t.Helper()
	if s.refusal != nil {
		s.t.Fatalf("refused: %v", s.refusal)
	}
}

// On says which block the next one follows.
func (s *Story) On(name string) *Story {
	s.t.Helper()
	s.Tree.At(name)
	s.place = name
	return s
}

// Hidden builds a block that the chain is not told of yet. The next one follows it.
func (s *Story) Hidden(name string, mods ...Mod) *Story {
	s.t.Helper()
	s.Tree.Block(s.place, name, mods...)
	s.place = name
	return s
}

// Block builds a block and tells the chain. The next one follows it.
func (s *Story) Block(name string, mods ...Mod) *Story {
	s.t.Helper()
	return s.Hidden(name, mods...).Arrive(name)
}

// HiddenBlocks builds n blocks named prefix1, prefix2, …, of which the chain is not told yet.
func (s *Story) HiddenBlocks(prefix string, n int, mods ...Mod) *Story {
	s.t.Helper()
	for i := range n {
		s.Hidden(prefix+strconv.Itoa(i+1), mods...)
	}
	return s
}

// Blocks builds n blocks named prefix1, prefix2, … and tells the chain.
func (s *Story) Blocks(prefix string, n int, mods ...Mod) *Story {
	s.t.Helper()
	for i := range n {
		s.Block(prefix+strconv.Itoa(i+1), mods...)
	}
	return s
}

// Arrive tells the chain of blocks of the tree, in this order.
func (s *Story) Arrive(names ...string) *Story {
	s.t.Helper()
	for _, name := range names {
		s.Give(s.Tree.At(name).Block)
	}
	return s
}

// Give tells the chain of a block that is not in the tree, as one that will be refused.
func (s *Story) Give(b *consensus.Block) *Story {
	s.t.Helper()
	s.settle()
	_, s.refusal = s.Chain.AddBlock(context.Background(), b)
	return s
}

// Headers tells the chain of the headers of blocks of the tree.
func (s *Story) Headers(names ...string) *Story {
	s.t.Helper()
	s.settle()
	headers := make([]wire.BlockHeader, len(names))
	for i, name := range names {
		headers[i] = s.Tree.At(name).Block.Header
	}
	_, s.refusal = s.Chain.AddHeaders(context.Background(), headers)
	return s
}

// Mutant tells the chain of a changed copy of a block of the tree, with the same header.
func (s *Story) Mutant(name string, change func(*wire.MsgBlock)) *Story {
	s.t.Helper()
	b := Mutant(s.Tree.At(name).Block, change)
	if b.Hash() != s.Tree.At(name).State.Hash {
		s.t.Fatalf("the copy of %s has another hash", name)
	}
	return s.Give(b)
}

// Refused wants the last block or headers to be refused for breaking the rule.
func (s *Story) Refused(kind consensus.Kind) *Story {
	s.t.Helper()
	var rule consensus.RuleError
	if !errors.As(s.refusal, &rule) || rule.Kind != kind {
		s.t.Fatalf("got %v, want %v", s.refusal, kind)
	}
	s.refusal = nil
	return s
}

// Invalidate marks a block as an operator does.
func (s *Story) Invalidate(name string) *Story { s.t.Helper(); return s.mark(s.Chain.Invalidate, name) }

// Reconsider removes the marks of a block.
func (s *Story) Reconsider(name string) *Story { s.t.Helper(); return s.mark(s.Chain.Reconsider, name) }

// Precious prefers a block among those with its work.
func (s *Story) Precious(name string) *Story { s.t.Helper(); return s.mark(s.Chain.Precious, name) }

func (s *Story) mark(how func(context.Context, chainhash.Hash) error, name string) *Story {
	s.t.Helper()
	s.settle()
	if err := how(context.Background(), s.Tree.At(name).State.Hash); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return s
}

// Tip wants the named block to be the tip, and the coins to be those after it, which are no more than the schedule allows.
func (s *Story) Tip(name string) *Story {
	s.t.Helper()
	s.settle()
	want := s.Tree.At(name)
	if got := s.Chain.Tip(); got != want.State {
		s.t.Fatalf("the tip is %v at height %d, want %s at %d", got.Hash, got.Height, name, want.State.Height)
	}
	set, err := s.Chain.UTXOSet(context.Background(), ledger.HashSerialized)
	if err != nil {
		s.t.Fatalf("coin set at %s: %v", name, err)
	}
	if set.Coins != int64(len(want.Coins)) || set.Hash != SetHash(want.Coins) || set.Total != SetSum(want.Coins) {
		s.t.Fatalf("at %s there are %d coins worth %v, want %d worth %v", name, set.Coins, set.Total, len(want.Coins), SetSum(want.Coins))
	}
	if most := Schedule(s.Tree.Params, want.State.Height); set.Total > most {
		s.t.Fatalf("at %s there are %v, the schedule allows %v", name, set.Total, most)
	}
	return s
}

// BestHeader wants the named block to be the end of the best chain of headers.
func (s *Story) BestHeader(name string) *Story {
	s.t.Helper()
	s.settle()
	if got := s.Chain.BestHeader(); got.Hash != s.Tree.At(name).State.Hash {
		s.t.Fatalf("the best header is %v at height %d, want %s", got.Hash, got.Height, name)
	}
	return s
}

// Status wants the named blocks to be thought of so.
func (s *Story) Status(status ledger.Status, names ...string) *Story {
	s.t.Helper()
	s.settle()
	for _, name := range names {
		if info, err := s.Chain.Info(s.Tree.At(name).State.Hash); err != nil || info.Status != status {
			s.t.Fatalf("%s is %q, %v; want %q", name, info.Status, err, status)
		}
	}
	return s
}

// Coin returns a coin that key 0 can spend in the next block: the k-th, by age.
func (s *Story) Coin(k int) consensus.Entry {
	s.t.Helper()
	coins := s.Tree.At(s.place).Mature(KeyFor(0))
	if len(coins) <= k {
		s.t.Fatalf("%s has %d coins that can be spent", s.place, len(coins))
	}
	return coins[k]
}
