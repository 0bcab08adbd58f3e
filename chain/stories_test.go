package chain_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/chain"
	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
	"groat/internal/store"
	"groat/internal/verify"
)

// story is a chaintest.Story over a real chain on a real store.
type story struct {
	*chaintest.Story
	t   *testing.T
	dir string
	now func() time.Time

	db *store.DB
	c  *chain.Chain
}

// newStory begins a story on regtest.
func newStory(t *testing.T) *story {
	t.Helper()
	return storyOn(t, consensus.Regtest())
}

// storyOn begins a story on another network, which must have trivial work.
func storyOn(t *testing.T, p *consensus.Params) *story {
	t.Helper()
	return storyOf(t, chaintest.New(t, p))
}

// storyOf begins a story about a tree that may have other stories.
func storyOf(t *testing.T, g *chaintest.Tree) *story {
	t.Helper()
	s := &story{t: t, dir: t.TempDir(), now: func() time.Time { return g.Now }}
	s.open(g.Params)
	s.Story = chaintest.Tell(g, s.c)
	t.Cleanup(s.close)
	return s
}

func (s *story) open(p *consensus.Params) {
	s.t.Helper()
	db, err := store.Open(store.Options{Dir: filepath.Join(s.dir, "store")})
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := chain.Open(context.Background(), chain.Options{
		Params: p, Dir: filepath.Join(s.dir, "blocks"), Store: db.Prefix("chain"), Scripts: verify.New(2, 1000), Now: s.now, Reserve: 1,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.db, s.c = db, c
}

func (s *story) close() {
	if err := s.c.Close(); err != nil {
		s.t.Errorf("close the chain: %v", err)
	}
	if err := s.db.Close(); err != nil {
		s.t.Errorf("close the store: %v", err)
	}
}

// restart closes the chain and its store and opens them again.
func (s *story) restart() *chaintest.Story {
	s.t.Helper()
	s.close()
	s.open(s.Tree.Params)
	s.Chain = s.c
	return s.Story
}

func TestStoryOfForks(t *testing.T) {
	t.Parallel()
	//   genesis - a1 - a2 - a3 - a4
	//          \- b1 - b2 - b3 - b4 - b5
	//                    \- c3 - c4 - c5 - c6
	s := newStory(t)
	s.Blocks("a", 4).Tip("a4")
	s.On("genesis").Blocks("b", 3).Tip("a4") // less work
	s.Block("b4").Tip("a4")                  // equal work: first seen stays
	s.On("b2").Blocks("c", 2).Tip("a4")      // equal work again, on a fork of the fork
	s.Status(ledger.ValidHeaders, "b4", "c2").Status(ledger.Active, "a1", "a4")
	s.On("b4").Block("b5").Tip("b5") // more work
	s.Status(ledger.ValidFork, "a4", "a1")
	s.restart().Tip("b5")
	s.On("c2").Block("c3").Tip("b5") // equal to b5, and later
	s.Block("c4").Tip("c4").Status(ledger.Active, "b2").Status(ledger.ValidFork, "b3", "b5")
	s.On("a4").HiddenBlocks("d", 3).Headers("d1", "d2", "d3").BestHeader("d3").Tip("c4") // headers do not move the tip
	s.Arrive("d1", "d2").Tip("c4").Arrive("d3").Tip("d3")
	s.restart().Tip("d3")
}

func TestStoryOfADeepReorg(t *testing.T) {
	t.Parallel()
	//   … - base101 - a1 - … - a1000
	//              \- b1 - … - b1001, with payments on both sides
	s := newStory(t)
	s.Blocks("base", 101).Tip("base101")
	s.Block("a", chaintest.Spend(s.Coin(0))).Blocks("a", 999, chaintest.Barren).Tip("a999")
	s.On("base101").Hidden("b").Hidden("b0", chaintest.Spend(s.Coin(0), s.Coin(1))).HiddenBlocks("b", 999, chaintest.Barren)
	names := []string{"b", "b0"}
	for i := range 997 {
		names = append(names, fmt.Sprintf("b%d", i+1))
	}
	s.Arrive(names...).Tip("a999") // as long
	s.Arrive("b998").Tip("a999")
	begin := time.Now()
	s.Arrive("b999")
	t.Logf("1,000 blocks undone and 1,001 connected in %v", time.Since(begin))
	s.Tip("b999")
	s.restart().Tip("b999")
	s.Invalidate("b").Tip("a999").Reconsider("b").Tip("b999")
}

func TestStoryOfAReorgThatFails(t *testing.T) {
	t.Parallel()
	for _, flaw := range chaintest.Flaws() {
		if flaw.ByItself() {
			continue // such a block never begins a reorganisation
		}
		t.Run(flaw.Kind.Error(), func(t *testing.T) {
			//   … - base101 - a1 - a2 - a3
			//              \- b1 - b2 - bad - b4 - b5
			s := newStory(t)
			s.Blocks("base", 101).Block("a1", chaintest.Spend(s.Coin(0))).Block("a2").Block("a3").Tip("a3")
			s.On("base101").Block("b1", chaintest.Spend(s.Coin(0), s.Coin(1))).Block("b2").Tip("a3")
			s.Hidden("bad", flaw.Mod).Hidden("b4").Hidden("b5")
			s.Headers("bad", "b4", "b5").BestHeader("b5")
			s.Arrive("b5", "b4").Tip("a3")
			s.Arrive("bad").Refused(flaw.Kind).Tip("a3").BestHeader("a3")
			s.Status(ledger.Invalid, "bad", "b4", "b5").Status(ledger.ValidFork, "b1", "b2").Status(ledger.Active, "a1", "a3")
			s.Arrive("bad").Refused(consensus.ErrKnownInvalid).Arrive("b4").Refused(consensus.ErrPrevInvalid)
			s.restart().Tip("a3").Arrive("bad").Refused(consensus.ErrKnownInvalid)
			s.On("b2").Block("c3").Block("c4").Tip("c4") // what was good of the branch can be built upon
			s.Reconsider("bad").Tip("c4").Status(ledger.Invalid, "bad")
		})
	}
}

func TestStoryOfOrphans(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.HiddenBlocks("a", 8)
	for _, name := range []string{"a8", "a3", "a2"} { // nobody knows where they belong
		s.Arrive(name).Refused(consensus.ErrPrevUnknown)
	}
	s.Headers("a2").Refused(consensus.ErrPrevUnknown)
	s.Arrive("a1").Tip("a1")
	s.Headers("a2", "a3", "a4", "a5", "a6", "a7", "a8").BestHeader("a8").Tip("a1")
	s.Arrive("a8", "a6", "a4", "a3").Tip("a1").Status(ledger.HeadersOnly, "a8", "a3")
	s.restart().Tip("a1").BestHeader("a8")
	s.Arrive("a2").Tip("a4").Arrive("a7").Tip("a4").Arrive("a5").Tip("a8")
	s.On("genesis").HiddenBlocks("o", 3)
	other := s.Tree.At("o1").Block
	// a chain of orphans whose first block is never seen is never part of anything
	s.Arrive("o2").Refused(consensus.ErrPrevUnknown).Arrive("o3").Refused(consensus.ErrPrevUnknown).Tip("a8")
	if _, err := s.c.Info(other.Hash()); err == nil {
		t.Error("the chain knows a block that nobody told it of")
	}
}

func TestStoryOfMarks(t *testing.T) {
	t.Parallel()
	//   … - base101 - a1(x) - a2 - a3
	//              \- b1(x) - b2
	//                      \- c2 - c3
	s := newStory(t)
	s.Blocks("base", 101).Block("a1", chaintest.Spend(s.Coin(0))).Block("a2").Block("a3").Tip("a3")
	s.On("base101").Block("b1", chaintest.Spend(s.Coin(0), s.Coin(1))).Block("b2")
	s.On("b1").Block("c2").Block("c3").Tip("a3")

	s.Precious("c3").Tip("c3").Precious("b2").Tip("c3") // only among equals
	s.Precious("a3").Tip("a3").Precious("c3").Tip("c3")
	s.Invalidate("c3").Tip("a3").Invalidate("a2").Tip("b2") // b2 was there before c2
	s.Precious("c2").Tip("c2")
	s.Arrive("a3").Refused(consensus.ErrPrevInvalid).Arrive("a2").Refused(consensus.ErrMarkedInvalid).Tip("c2")
	s.restart().Tip("c2").Status(ledger.Invalid, "a2", "a3", "c3").Arrive("a2").Refused(consensus.ErrKnownInvalid) // why is not kept

	s.Invalidate("b1").Tip("a1").Status(ledger.Invalid, "b1", "b2", "c2")
	s.On("a1").Block("d2").Tip("d2").Block("d3").Block("d4").Tip("d4") // the chain goes on meanwhile
	s.Reconsider("c3").Tip("d4").Status(ledger.ValidFork, "b1", "c3")  // less work now
	s.Reconsider("a3").Tip("d4").Invalidate("d2").Tip("c3")            // preferred among equals, as it was
	s.Reconsider("d4").Tip("d4")
	s.Invalidate("base101").Tip("base100").Reconsider("base101").Tip("d4")
	s.restart().Tip("d4")
}

// The tip is the operator's to move, but not what is valid: a marked branch that is extended stays marked, and a preferred block that turns out
// invalid is left again.
func TestStoryOfMarksAndFlaws(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Blocks("base", 101).Blocks("a", 2).Tip("a2")
	s.On("base101").Block("b1")
	s.Hidden("bad", chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value++ })).Arrive("bad").Tip("a2")
	s.Precious("bad").Tip("a2").Status(ledger.Invalid, "bad").Status(ledger.ValidFork, "b1")
	s.Reconsider("bad").Tip("a2").Status(ledger.Invalid, "bad") // it is still preferred, so it is tried again
	s.Invalidate("a2").Tip("a1").Status(ledger.Invalid, "bad")
	s.On("a2").Hidden("a3").Arrive("a3").Refused(consensus.ErrPrevInvalid).Headers("a3").Refused(consensus.ErrPrevInvalid)
	s.Reconsider("a2").Tip("a2").Arrive("a3").Tip("a3")
}
