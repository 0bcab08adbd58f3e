package chain

import (
	"context"
	"errors"
	"testing"

	"groat/consensus"
	"groat/internal/ledger"
)

// pruning is a chain of 400 small blocks in files of a few blocks each, of which it keeps as few as it may, with a branch at the bottom that lost.
func pruning(t *testing.T) *story {
	t.Helper()
	s := newStory(t)
	s.o.FileBytes, s.o.Prune, s.o.FlushEvery = 2000, 20_000, 25
	s.reopen().chain("genesis", "a", 20)
	s.grow("a10", "stale", 3).add("stale1", "stale2")
	return s.chain("a20", "b", 380)
}

// wantPruned checks what a pruned chain must have and must not.
func (s *story) wantPruned() {
	s.t.Helper()
	p := s.c.Pruning()
	tip := s.c.Tip().Height
	if !p.Pruned || p.Height < 50 || p.Height > tip-KeepBlocks {
		s.t.Fatalf("%+v at height %d", p, tip)
	}
	for h := range tip + 1 {
		hash, _ := s.c.AtHeight(h)
		_, err := s.c.Block(hash)
		_, undoErr := s.c.UndoOf(hash)
		if h < p.Height-20 && (!errors.Is(err, ledger.ErrPruned) || !errors.Is(undoErr, ledger.ErrPruned)) || h >= p.Height && (err != nil || undoErr != nil) {
			s.t.Fatalf("block %d, pruned below %d: %v, %v", h, p.Height, err, undoErr)
		}
		if info, err := s.c.Info(hash); err != nil || info.HaveData != (h >= p.Height) && h < p.Height-20 || info.Txs != 1 {
			s.t.Fatalf("block %d: %+v, %v", h, info, err)
		}
	}
}

func TestPrune(t *testing.T) {
	s := pruning(t)
	s.wantPruned()
	s.tip("b380").reopen().tip("b380").wantPruned()
	s.kill().tip("b380").wantPruned()
	for _, tip := range s.c.Tips() {
		if tip.Hash == s.At("stale2").State.Hash && tip.Status != ledger.HeadersOnly {
			t.Errorf("the branch that lost: %+v", tip)
		}
	}
	if found, err := Inspect(context.Background(), s.o, nil, nil); err != nil || len(found.Problems) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := Inspect(context.Background(), s.o, newMemStore(), nil); err == nil {
		t.Error("inspected deeply")
	}
	if err := CanRebuild(s.o); !errors.Is(err, ledger.ErrPruned) {
		t.Errorf("rebuild: %v", err)
	}
	// A reorganisation within what is kept, and back.
	s.grow("b360", "c", 25).add("c1", "c2", "c3", "c4", "c5")
	for _, b := range s.Path("c25")[380+5:] {
		s.addBlock(b)
	}
	s.tip("c25").wantPruned()
}

// What reaches below the blocks that are kept stops the node, and blames nobody.
func TestReorgBelowThePruned(t *testing.T) {
	s := pruning(t)
	if err := s.c.Invalidate(context.Background(), s.At("b1").State.Hash); !errors.Is(err, ledger.ErrPruned) {
		t.Fatalf("invalidate: %v", err)
	}
	s.tip("b380")
	s.grow("a20", "d", 382)
	var err error
	for _, b := range s.Path("d382")[20:] {
		if _, err = s.c.AddBlock(context.Background(), b); err != nil {
			break
		}
	}
	var rule consensus.RuleError
	if !errors.Is(err, ledger.ErrPruned) || errors.As(err, &rule) {
		t.Fatalf("a deep reorganisation: %v", err)
	}
	if err := s.c.Run(context.Background()); !errors.Is(err, ledger.ErrPruned) {
		t.Fatalf("Run: %v", err)
	}
}
