package chain

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
	"groat/internal/verify"
)

// from returns a source of the given blocks.
func from(blocks []*consensus.Block) func() (*consensus.Block, bool) {
	return func() (*consensus.Block, bool) {
		if len(blocks) == 0 {
			return nil, false
		}
		b := blocks[0]
		blocks = blocks[1:]
		return b, true
	}
}

// addMany adds the named blocks at once and returns the kinds of those that were refused.
func (s *story) addMany(names ...string) map[string]consensus.Kind {
	s.t.Helper()
	var blocks []*consensus.Block
	for _, name := range names {
		blocks = append(blocks, s.At(name).Block)
	}
	refused, reported := map[string]consensus.Kind{}, 0
	err := s.c.AddBlocks(context.Background(), from(blocks), func(b *consensus.Block, _ ledger.Added, err error) {
		if b != blocks[reported] {
			s.t.Errorf("report %d is about another block", reported)
		}
		var rule consensus.RuleError
		if errors.As(err, &rule) {
			refused[names[reported]] = rule.Kind
		} else if err != nil {
			s.t.Errorf("%s: %v", names[reported], err)
		}
		reported++
	})
	if err != nil || reported != len(names) {
		s.t.Fatalf("%d of %d blocks reported, %v", reported, len(names), err)
	}
	return refused
}

// pay makes n blocks named prefix1… on parent, each with payments that spend what the block before left.
func (s *story) pay(parent, prefix string, n int) []string {
	s.t.Helper()
	var names []string
	for i := range n {
		name := prefix + strconv.Itoa(i+1)
		s.Block(parent, name, chaintest.Txs(spend(s, parent, i%3)))
		names, parent = append(names, name), name
	}
	return names
}

// spoil adds a block on parent whose only payment has a bad signature.
func (s *story) spoil(parent, name string) {
	s.t.Helper()
	bad := spend(s, parent, 0)
	bad.TxIn[0].Witness[0][10] ^= 1
	s.Add(parent, name, s.Build(parent, chaintest.Txs(bad)))
}

func TestManyBlocks(t *testing.T) {
	for _, stretch := range []int{1, 7, stretchChanges} {
		s := newStory(t).chain("genesis", "base", 104)
		s.c.stretch = stretch
		names := s.pay("base104", "a", 30)
		if refused := s.addMany(names...); len(refused) > 0 {
			t.Fatalf("refused: %v", refused)
		}
		s.tip("a30").kill().tip("a30")
	}
}

// A block whose scripts fail, or that spends what is not there, takes nothing with it that comes before it.
func TestManyBlocksAndABadOne(t *testing.T) {
	for _, stretch := range []int{1, 7, stretchChanges} {
		s := newStory(t).chain("genesis", "base", 104)
		s.c.stretch = stretch
		names := s.pay("base104", "a", 10)
		s.spoil("a10", "bad")
		s.grow("bad", "b", 3)
		refused := s.addMany(append(names, "bad", "b1", "b2", "b3")...)
		if refused["bad"] != consensus.ErrScript || refused["b1"] != consensus.ErrPrevInvalid || len(refused) != 4 {
			t.Fatalf("refused: %v", refused)
		}
		s.tip("a10")
		missing := spend(s, "a10", 0)
		s.Block("a10", "c1", chaintest.Txs(missing))
		s.Add("c1", "again", s.Build("c1", chaintest.Txs(missing.Copy())))
		if refused := s.addMany("c1", "again"); refused["again"] != consensus.ErrDuplicateTx || len(refused) != 1 {
			t.Fatalf("refused: %v", refused)
		}
		s.tip("c1").kill().tip("c1")
	}
}

// guard is a verifier that looks at the chain whenever scripts are to be run: their blocks must not be part of it yet.
type guard struct {
	*verify.Verifier
	s *story

	mu     sync.Mutex
	blocks map[chainhash.Hash]int32 // height of the block with a transaction
	calls  int
}

func (g *guard) Verify(ctx context.Context, checks []consensus.ScriptCheck) error {
	err := g.Verifier.Verify(ctx, checks)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls++
	for _, check := range checks {
		if height := g.blocks[check.Tx.TxID()]; g.s.c.Tip().Height >= height {
			g.s.t.Errorf("block %d was published before its scripts had passed", height)
		}
	}
	return err
}

func TestNothingIsPublishedUnverified(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 104)
	names := s.pay("base104", "a", 40)
	g := &guard{Verifier: verify.New(2, 0), s: s, blocks: map[chainhash.Hash]int32{}}
	for _, name := range names {
		n := s.At(name)
		g.blocks[n.Block.Txs[1].TxID()] = n.State.Height
	}
	s.o.Scripts = g
	s.reopen()
	s.c.stretch = 8
	s.headers(names...)
	s.add(names[1:]...).add(names[0]).tip("a40") // all of them wait for the first
	if g.calls < 10 {
		t.Errorf("%d calls for 40 blocks in stretches of two or three", g.calls)
	}
}

// Whatever the order in which blocks come, good and bad, the end is the same as when they come one by one.
func TestManyBlocksInAnyOrder(t *testing.T) {
	for seed := range uint64(6) {
		s := newStory(t).chain("genesis", "base", 104)
		s.c.stretch = 5
		names := s.pay("base104", "a", 12)
		names = append(names, s.pay("a4", "b", 10)...)
		s.spoil("b10", "bad")
		s.grow("bad", "c", 4)
		names = append(names, "bad", "c1", "c2", "c3", "c4")
		s.headers(names[:22]...)
		s.headers(names[22:]...)
		r := rand.New(rand.NewPCG(seed, 2))
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		refused := s.addMany(names...)
		if s.At("b10").State.Work.Cmp(s.At("a12").State.Work) <= 0 {
			t.Fatal("b is to win")
		}
		for name := range refused {
			if name[0] == 'a' || name == "b1" {
				t.Errorf("seed %d: %s was refused", seed, name)
			}
		}
		s.tip("b10").kill().tip("b10")
	}
}
