package chain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/chaintest"
	"groat/internal/disk"
	"groat/internal/ledger"
)

// plot is a run with a bit of everything: payments, a fork that is overtaken, flushes on both sides of it.
//
//	… - base - a1 - … - a6
//	        \ - b1 - … - b9
func plot(t *testing.T, o Options) (s *story, order []string) {
	t.Helper()
	s = newStory(t).chain("genesis", "base", 105)
	s.o.FlushEvery, s.o.FS, s.o.FileBytes = o.FlushEvery, o.FS, o.FileBytes
	s.reopen()
	s.Block("base105", "a1", chaintest.Txs(spend(s, "base105", 0), spend(s, "base105", 1)))
	s.Block("a1", "a2", chaintest.Txs(spend(s, "a1", 0)))
	s.Block("a2", "a3")
	s.grow("a3", "a+", 3)
	s.Block("base105", "b1", chaintest.Txs(spend(s, "base105", 1)))
	s.Block("b1", "b2", chaintest.Txs(spend(s, "b1", 2), spend(s, "b1", 3)))
	s.grow("b2", "b+", 7)
	return s, []string{"a1", "a2", "a3", "a+1", "b1", "b2", "b+1", "a+2", "b+2", "b+3", "a+3", "b+4", "b+5", "b+6", "b+7"}
}

// had wants the tip to be one of names, and the coins to be those after it.
func (s *story) had(names []string) {
	s.t.Helper()
	tip := s.c.Tip().Hash
	for _, name := range append([]string{"base105"}, names...) {
		if s.At(name).State.Hash == tip {
			s.tip(name)
			return
		}
	}
	s.t.Fatalf("the tip %v at height %d was never the tip", tip, s.c.Tip().Height)
}

// Whichever update of the store fails, whether it was made or not, and however many a flush takes: after reopening, the
// tip is one the node had, the coins are its coins, and the run can be finished.
func TestEveryUpdateFails(t *testing.T) {
	for _, limit := range []int{0, 12} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("limit=%d,made=%v", limit, after), func(t *testing.T) {
				s, order := plot(t, Options{FlushEvery: 2})
				n := 1
				for ; failUpdate(s.fork(1), order, n, limit, after); n++ {
				}
				t.Logf("%d updates", n-1)
			})
		}
	}
}

// failUpdate runs the plot with the n-th update failing and returns false if there are not so many.
func failUpdate(s *story, order []string, n, limit int, after bool) bool {
	s.t.Helper()
	s.mem.limit, s.mem.after, s.mem.left = limit, after, n
	reached := s.untilFailure(order)
	if s.mem.left > 0 {
		return false
	}
	if reached < len(order) {
		// Nothing may be written after a failure: what is in memory may not fit what is on the disk.
		before := s.mem.made()
		_, err := s.c.AddBlock(context.Background(), s.At("b+7").Block)
		if err == nil || s.mem.made() != before {
			s.t.Fatalf("update %d failed and the chain went on: %v", n, err)
		}
	}
	s.kill().had(order[:min(reached+1, len(order))])
	s.add(order...).tip("b+7")
	s.kill().tip("b+7")
	return true
}

// fork opens a copy of what a kill would leave of s now, with this part of what was not synced.
func (s *story) fork(keep float64) *story {
	s.t.Helper()
	f := *s
	f.mem = &memStore{records: s.mem.snapshot()}
	f.o.Store = f.mem
	f.o.Dir = copyTorn(s.t, s.o.Dir, s.c.disk, keep)
	f.open()
	s.t.Cleanup(func() { _ = f.c.Close() })
	return &f
}

// untilFailure adds blocks until one fails and returns how many did not.
func (s *story) untilFailure(order []string) int {
	s.t.Helper()
	for k, name := range order {
		_, err := s.c.AddBlock(context.Background(), s.At(name).Block)
		var rule consensus.RuleError
		if errors.As(err, &rule) {
			s.t.Fatalf("a failing disk made %s invalid: %v", name, err)
		}
		if err != nil {
			return k
		}
	}
	return len(order)
}

// Killed after any block, with what was not synced torn at any byte, the chain opens at a tip it had.
func TestKilledAnywhere(t *testing.T) {
	s, order := plot(t, Options{FlushEvery: 4})
	for k, name := range order {
		s.add(name)
		for _, keep := range []float64{0, 0.3, 0.9, 1} {
			killed := s.fork(keep)
			killed.had(order[:k+1])
			killed.add(order...).tip("b+7")
		}
	}
}

// copyTorn copies block and undo files and keeps a part only of what lies behind the synced ends.
func copyTorn(t *testing.T, from string, synced place, keep float64) string {
	t.Helper()
	to := t.TempDir()
	for name, end := range map[string]blockfile.Pos{"blk00000.dat": synced.blocks, "rev00000.dat": synced.undos} {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		size := int(end.Offset) + int(keep*float64(len(raw)-int(end.Offset)))
		if err := os.WriteFile(filepath.Join(to, name), raw[:size], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// A coin that the disk lost must not make a valid block invalid.
func TestLostCoinIsTheDisksFault(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	pay := spend(s, "base101", 0)
	s.Block("base101", "a1", chaintest.Txs(pay))
	s.reopen() // all coins are on the disk now, and none in memory
	good := s.mem.snapshot()
	lost := make(map[string]string)
	key := keyOf(pay.TxIn[0].PreviousOutPoint)
	for k, v := range good {
		if k != string(coinPrefix)+string(key[:]) {
			lost[k] = v
		}
	}
	s.mem.records = lost
	_, err := s.c.AddBlock(context.Background(), s.At("a1").Block)
	var rule consensus.RuleError
	if !errors.Is(err, ErrDamaged) || errors.As(err, &rule) {
		t.Fatalf("got %v, want ErrDamaged", err)
	}
	if _, err := s.c.UTXOSet(context.Background(), ledger.HashSerialized); !errors.Is(err, ErrDamaged) {
		t.Errorf("the coin set: got %v, want ErrDamaged", err)
	}
	s.mem.records = good // the disk is mended, as from a copy
	s.kill().tip("a1")
}

// A place that is gone is not an empty directory.
func TestLostPlaceIsDamage(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 3)
	s.reopen()
	s.mem.mu.Lock()
	delete(s.mem.records, placeKey)
	s.mem.mu.Unlock()
	_ = s.c.closeFiles()
	if _, err := Open(context.Background(), s.o); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v, want ErrDamaged", err)
	}
}

func TestOtherNetworksDirectory(t *testing.T) {
	s := newStory(t)
	_ = s.c.Close()
	o := s.o
	o.Params = consensus.Testnet()
	if _, err := Open(context.Background(), o); err == nil || errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
}

// A full disk stops the chain before anything is written, with an error that says so; after room was made it goes on.
func TestFullDisk(t *testing.T) {
	s := newStory(t).chain("genesis", "a", 3)
	s.grow("a3", "b", 2)
	s.c.o.Reserve = math.MaxInt64 / 2
	_, err := s.c.AddBlock(context.Background(), s.At("b1").Block)
	var full *disk.FullError
	if !errors.As(err, &full) || full.Path != s.o.Dir {
		t.Fatalf("got %v, want a FullError", err)
	}
	s.tip("a3")
	if err := s.c.Run(context.Background()); !errors.Is(err, disk.ErrFull) {
		t.Fatalf("Run: got %v, want ErrFull", err)
	}
	s.c.o.Reserve = 1
	s.add("b1").tip("b1").reopen().tip("b1").add("b2").tip("b2")

	o := s.o
	o.Reserve = math.MaxInt64 / 2
	_ = s.c.Close()
	if _, err := Open(context.Background(), o); !errors.As(err, &full) {
		t.Fatalf("Open: got %v, want a FullError", err)
	}
}
