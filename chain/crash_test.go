package chain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
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
	s.o.FlushEvery, s.o.FileBytes = o.FlushEvery, o.FileBytes
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
	for _, name := range names {
		if s.At(name).State.Hash == tip {
			s.tip(name)
			return
		}
	}
	s.t.Fatalf("the tip %v at height %d was never the tip", tip, s.c.Tip().Height)
}

// fork opens a copy of what a kill would leave of s now, with this part of what was not synced.
func (s *story) fork(keep float64) *story {
	s.t.Helper()
	f := s.copied(keep)
	f.open()
	s.t.Cleanup(func() { _ = f.c.Close() })
	return f
}

// copied is fork without opening.
func (s *story) copied(keep float64) *story {
	s.t.Helper()
	f := *s
	f.mem = &memStore{records: s.mem.snapshot(), limit: s.mem.limit}
	f.o.Store, f.o.Dir = f.mem, s.t.TempDir()
	synced := map[string]blockfile.Pos{"blk": s.c.disk.blocks, "rev": s.c.disk.undos}
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(s.o.Dir, e.Name()))
		if err != nil {
			s.t.Fatal(err)
		}
		var number, sure int
		if _, err := fmt.Sscanf(e.Name()[3:], "%05d.dat", &number); err != nil {
			s.t.Fatal(err)
		}
		switch end := synced[e.Name()[:3]]; {
		case number < int(end.File):
			sure = len(raw)
		case number == int(end.File):
			sure = int(end.Offset)
		}
		kept := raw[:sure+int(keep*float64(len(raw)-sure))]
		if err := os.WriteFile(filepath.Join(f.o.Dir, e.Name()), kept, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return &f
}

// Killed after any block, with what was not synced torn at any byte, the chain opens at a tip it had.
func TestKilledAnywhere(t *testing.T) {
	s, order := plot(t, Options{FlushEvery: 4})
	for k, name := range order {
		s.add(name)
		for _, keep := range []float64{0, 0.3, 0.9, 1} {
			killed := s.fork(keep)
			killed.had(append([]string{"base105"}, order[:k+1]...))
			killed.add(order...).tip("b+7")
		}
	}
}

// killed stops at every point that s comes by on its disk, and opens what a kill there would leave, and what a power cut would. Up to depth of them
// follow each other before a start succeeds. tips returns what may be the tip then.
func (s *story) killed(seen map[string]int, depth int, tips func() []string) {
	random := rand.New(rand.NewPCG(uint64(depth), 4))
	s.o.Point = func(point string) {
		seen[point]++
		for _, disk := range []*faultyDisk{s.mem.disk.clone(), s.mem.disk.clone().losePower(random)} {
			f := s.on(disk)
			f.o.Point = nil
			if depth > 1 && strings.HasPrefix(point, "flush") {
				f.killed(seen, depth-1, tips)
			}
			f.open()
			f.had(tips())
			_ = f.c.closeFiles()
		}
	}
}

// on returns a copy of s that is to be opened on disk. Its store holds what that of s does.
func (s *story) on(disk *faultyDisk) *story {
	f := *s
	f.mem = &memStore{disk: disk, records: s.mem.snapshot(), limit: s.mem.limit}
	f.o.Store, f.o.FS = f.mem, disk
	return &f
}

// Killed at any of the named places, and again at any of them while it is opened after that, the chain opens at a tip it had.
func TestKilledAtEveryPoint(t *testing.T) {
	s, order := plot(t, Options{FlushEvery: 4, FileBytes: 1500})
	s.mem.limit = 14
	seen, added := make(map[string]int), 1
	_ = s.c.Close()
	s = s.on(newFaultyDisk(t, s.o.Dir))
	s.killed(seen, 2, func() []string { return append([]string{"base105"}, order[:added]...) })
	s.open()
	s.c.far = 3
	for k, name := range order {
		added = k + 1
		s.add(name)
	}
	s.tip("b+7")
	for _, point := range Points() {
		if seen[point] == 0 && !strings.HasPrefix(point, "prune") { // TestEveryCallFailsInAPruning stops at those
			t.Errorf("the run did not come by %s", point)
		}
	}
	t.Log(seen)
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
