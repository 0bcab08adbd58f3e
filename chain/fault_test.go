package chain

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"groat/consensus"
	"groat/internal/ledger"
)

// trial is a short run that begins with what base left, is made on a disk that fails, and has to come to its end when the disk is mended.
type trial struct {
	base  *story
	ready func(*story)                 // before anything fails; nil opens the chain
	run   func(*story) (tips []string) // ends when something failed, and says what may be the tip then
	again func(*story)                 // opens the chain again; nil is story.open
	end   func(*story)                 // finishes the run and checks where it led
}

// with makes the run with a fault at the n-th call and returns false if there are not so many. What is left is then opened: after a kill, or after the
// chain was closed by a node that had met the failure.
func (r trial) with(n int, f fault, closed bool) bool {
	t := r.base.t
	t.Helper()
	s := r.base.on(newFaultyDisk(t, r.base.o.Dir))
	disk := s.mem.disk
	if r.ready == nil {
		s.open()
	} else {
		r.ready(s)
	}
	disk.fail(n, f)
	tips := r.run(s)
	struck := disk.struck
	if !f.cut {
		disk.mend()
	}
	switch {
	case s.c == nil:
	case closed:
		_ = s.c.Close()
	default:
		_ = s.c.closeFiles()
	}
	disk.mend()
	if struck == "" {
		return false
	}
	if f.cut || struck == "sync" { // which lost something, but in memory all is well until then
		disk.losePower(rand.New(rand.NewPCG(uint64(n), 0)))
	}
	defer func() {
		if t.Failed() {
			t.Logf("that was after call %d, %s, had failed with %+v; closed: %v", n, struck, f, closed)
		}
	}()
	if r.again == nil {
		s.open()
	} else {
		r.again(s)
	}
	s.had(tips)
	r.end(s)
	_ = s.c.closeFiles()
	return true
}

// everywhere makes the run again and again, with each kind of fault at every call.
func (r trial) everywhere(t *testing.T) {
	for name, f := range map[string]fault{
		"refused":         {err: syscall.EIO},
		"answer lost":     {err: syscall.EIO, made: true},
		"full":            {err: syscall.ENOSPC},
		"flipped bit":     {},
		"power cut":       {err: errBroken, cut: true},
		"power cut after": {err: errBroken, cut: true, made: true},
	} {
		t.Run(name, func(t *testing.T) {
			base := *r.base
			base.t = t
			r.base = &base
			n := 1
			for r.with(n, f, n%2 == 0) {
				n++
			}
			if t.Logf("%d calls", n-1); n < 10 && f.err != nil {
				t.Error("these are too few")
			}
		})
	}
}

// blocks is a run that adds blocks one by one.
func blocks(before string, order []string) func(*story) []string {
	return func(s *story) []string {
		reached := s.untilFailure(order)
		return append([]string{before}, order[:min(reached+1, len(order))]...)
	}
}

// untilFailure adds blocks until one fails and returns how many did not. After a failed write nothing more may be written: what is in memory may not
// fit what is on the disk.
func (s *story) untilFailure(order []string) int {
	s.t.Helper()
	for k, name := range order {
		_, err := s.c.AddBlock(context.Background(), s.At(name).Block)
		var rule consensus.RuleError
		if errors.As(err, &rule) {
			s.t.Fatalf("a failing disk made %s invalid: %v", name, err)
		}
		if err == nil {
			continue
		}
		if before := s.mem.made(); s.c.broken != nil {
			if _, err := s.c.AddBlock(context.Background(), s.At(name).Block); err == nil || s.mem.made() != before {
				s.t.Fatalf("a write failed and the chain went on: %v", err)
			}
		}
		return k
	}
	return len(order)
}

// ends is the end of a run of blocks.
func ends(order []string, tip string) func(*story) {
	return func(s *story) {
		s.t.Helper()
		s.add(order...).tip(tip)
		s.kill().tip(tip)
	}
}

// Whichever call of files or store fails, and however: after reopening, the tip is one the node had, the coins are its coins, no block is invalid and
// the run can be finished. The same goes for whatever a power cut leaves of what was not synced.
func TestEveryCallFails(t *testing.T) {
	s, order := plot(t, Options{FlushEvery: 3})
	trial{base: s, run: blocks("base105", order), end: ends(order, "b+7")}.everywhere(t)
}

// With small files, flushes that take many transactions, and a reorganisation that is committed in steps.
func TestEveryCallFailsInSmallSteps(t *testing.T) {
	s, order := plot(t, Options{FlushEvery: 4, FileBytes: 1500})
	ready := func(s *story) {
		s.mem.limit = 12
		s.open()
		s.c.far = 3
	}
	trial{base: s, ready: ready, run: blocks("base105", order), end: ends(order, "b+7")}.everywhere(t)
}

// While the chain is opened after a flush that was interrupted, with blocks behind it that are connected again.
func TestEveryCallFailsInARecovery(t *testing.T) {
	s, order := plot(t, Options{})
	s.mem.limit = 12
	s.add(order[:12]...)
	s.mem.disk = new(faultyDisk)
	s.mem.disk.fail(6, fault{err: errBroken})
	if err := s.c.Flush(context.Background()); !errors.Is(err, errBroken) || s.mem.snapshot()[goalKey] == "" {
		t.Fatalf("no flush was interrupted: %v", err)
	}
	s.mem.disk = nil
	at := s.c.Tip().Hash
	run := func(s *story) []string {
		s.c, _ = Open(context.Background(), s.o)
		return order[:12]
	}
	end := func(s *story) {
		if s.c.Tip().Hash != at {
			s.t.Fatalf("the tip is %v", s.c.Tip().Hash)
		}
		ends(order, "b+7")(s)
	}
	trial{base: s, ready: func(*story) {}, run: run, end: end}.everywhere(t)
}

// While old files are removed.
func TestEveryCallFailsInAPruning(t *testing.T) {
	s := newStory(t)
	s.o.FileBytes = 3000
	s.reopen().chain("genesis", "a", 340).reopen()
	s.grow("a340", "b", 4)
	order := []string{"b1", "b2", "b3", "b4"}
	ready := func(s *story) {
		s.o.Prune, s.o.FlushEvery = 20_000, 2
		s.open()
	}
	end := func(s *story) {
		ends(order, "b4")(s)
		if p := s.c.Pruning(); p.Height < 30 {
			s.t.Fatalf("after all nothing was pruned: %+v", p)
		}
	}
	trial{base: s, ready: ready, run: blocks("a340", order), end: end}.everywhere(t)
}

// While coins and index are made anew from the block files.
func TestEveryCallFailsInARebuild(t *testing.T) {
	s := newStory(t)
	s.chain("genesis", "a", 6)
	s.grow("a3", "b", 5).add("b1", "b2", "b3", "b4", "b5").tip("b5")
	s.mem = newMemStore()
	if err := os.Remove(filepath.Join(s.o.Dir, "rev00000.dat")); err != nil {
		t.Fatal(err)
	}
	tips := []string{"genesis", "b1", "b2", "b3", "b4", "b5"}
	for n := range 6 {
		tips = append(tips, "a"+strconv.Itoa(n+1))
	}
	ready := func(s *story) { s.o.FlushEvery, s.mem.limit = 2, 12 }
	run := func(s *story) []string {
		s.c, _ = Rebuild(context.Background(), s.o, nil)
		return tips
	}
	trial{base: s, ready: ready, run: run, again: func(s *story) { s.rebuild() }, end: ends(nil, "b5")}.everywhere(t)
}

// inSmallStretches opens the chain such that a few blocks make several stretches of the pipeline, and several flushes.
func inSmallStretches(s *story) {
	s.o.FlushEvery = 3
	s.open()
	s.c.stretch = 6
}

// While blocks are stored by one goroutine and connected by another, and scripts run: what they look at is not let go before they end (CVE-2024-52911).
func TestEveryCallFailsWithManyBlocks(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 104)
	names := s.pay("base104", "a", 12)
	s.reopen()
	run := func(s *story) []string {
		var blocks []*consensus.Block
		for _, name := range names {
			blocks = append(blocks, s.At(name).Block)
		}
		_ = s.c.AddBlocks(context.Background(), from(blocks), func(b *consensus.Block, _ ledger.Added, err error) {
			if err != nil {
				s.t.Errorf("a disk's failure was a block's: %v", err)
			}
		})
		return append([]string{"base104"}, names...)
	}
	trial{base: s, ready: inSmallStretches, run: run, end: ends(names, "a12")}.everywhere(t)
}
