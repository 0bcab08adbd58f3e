package chain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"groat/internal/blockfile"
	"groat/internal/ledger"
)

// inspect closes the chain and looks at what it left, deeply.
func (s *story) inspect() Inspection {
	s.t.Helper()
	_ = s.c.closeFiles()
	found, err := Inspect(context.Background(), s.o, newMemStore(), nil)
	if err != nil {
		s.t.Fatalf("inspect: %v", err)
	}
	return found
}

// forked is a flushed chain with payments and a branch that lost.
func forked(t *testing.T) *story {
	t.Helper()
	s, order := plot(t, Options{})
	s.add(order...).reopen().tip("b+7")
	return s
}

func TestInspectFindsNothingWrong(t *testing.T) {
	s := forked(t)
	want := s.hash()
	before := s.mem.snapshot()
	files := dirContents(t, s.o.Dir)
	found := s.inspect()
	if len(found.Problems) > 0 || found.Set.Hash != want || found.Set.Tip.Hash != s.At("b+7").State.Hash || found.Tail != 0 || found.Unfinished {
		t.Errorf("%+v", found)
	}
	if s.mem.made() != 0 && len(before) != len(s.mem.snapshot()) || !slices.Equal(files, dirContents(t, s.o.Dir)) {
		t.Error("it changed what it looked at")
	}
}

// dirContents returns names and contents of the files in dir.
func dirContents(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Name()+"\n"+string(raw))
	}
	return out
}

// After a kill there is a torn tail, which is no damage.
func TestInspectAfterAKill(t *testing.T) {
	s := forked(t)
	s.grow("b+7", "c", 2).add("c1", "c2")
	killed := s.fork(0.7)
	found := killed.kill().fork(1).inspect()
	if len(found.Problems) > 0 || found.Set.Tip.Height < 114 {
		t.Errorf("%+v", found)
	}
	name := filepath.Join(s.o.Dir, "blk00000.dat")
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 50)); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if found := s.inspect(); len(found.Problems) > 0 || found.Tail != 50 {
		t.Errorf("%+v", found)
	}
}

func TestInspectFindsDamage(t *testing.T) {
	flip := func(name string, at func(s *story) uint32) func(*testing.T, *story) {
		return func(t *testing.T, s *story) {
			path := filepath.Join(s.o.Dir, name)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			raw[at(s)] ^= 0x10
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	node := func(s *story, name string) *node {
		i, _ := s.c.tree.find(s.At(name).State.Hash)
		return s.c.tree.at(i)
	}
	change := func(fn func(records map[string]string)) func(*testing.T, *story) {
		return func(_ *testing.T, s *story) {
			s.mem.mu.Lock()
			defer s.mem.mu.Unlock()
			fn(s.mem.records)
		}
	}
	for name, c := range map[string]struct {
		damage func(*testing.T, *story)
		says   string
	}{
		"a block":        {flip("blk00000.dat", func(s *story) uint32 { return node(s, "b2").block.Offset + 40 }), "is not in blk00000.dat"},
		"an undo record": {flip("rev00000.dat", func(s *story) uint32 { return node(s, "b2").undo.Offset + 40 }), "is not in rev00000.dat"},
		"lost coin": {change(func(r map[string]string) {
			for k := range r {
				if k[0] == coinPrefix {
					delete(r, k)
					return
				}
			}
		}), "coins of"},
		"swapped coins": {change(func(r map[string]string) {
			for k, v := range r {
				if k[0] == coinPrefix {
					delete(r, k)
					r[k[:1]+strings.Repeat("x", len(k)-1)] = v
					return
				}
			}
		}), "not those that were there"},
		"lost header": {change(func(r map[string]string) {
			for k := range r {
				if k[0] == indexPrefix && k[4] == 50 {
					delete(r, k)
				}
			}
		}), "no parent in the index"},
		"lost place": {change(func(r map[string]string) { delete(r, placeKey) }), "no tip"},
	} {
		t.Run(name, func(t *testing.T) {
			s := forked(t)
			c.damage(t, s)
			found := s.inspect()
			if len(found.Problems) == 0 || !strings.Contains(strings.Join(found.Problems, "\n"), c.says) {
				t.Errorf("want %q, got %+v", c.says, found)
			}
		})
	}
}

// A coin whose value is not what the blocks lead to has a good tally; only the deep inspection can tell.
func TestDeepInspection(t *testing.T) {
	s := forked(t)
	s.mem.mu.Lock()
	for k, v := range s.mem.records {
		if k[0] == coinPrefix {
			s.mem.records[k] = v + "\x51"
			break
		}
	}
	s.mem.mu.Unlock()
	if shallow, err := Inspect(context.Background(), s.o, nil, nil); err != nil || len(shallow.Problems) > 0 {
		t.Errorf("%+v, %v", shallow, err)
	}
	if found := s.inspect(); len(found.Problems) != 1 || !strings.Contains(found.Problems[0], "not those that the blocks lead to") {
		t.Errorf("%+v", found)
	}
}

// emptied returns what a rebuild begins with: the block files alone.
func (s *story) emptied() *story {
	s.t.Helper()
	f := *s
	_ = s.c.closeFiles()
	f.mem = newMemStore()
	f.o.Store, f.o.Dir = f.mem, s.t.TempDir()
	raw, err := os.ReadFile(filepath.Join(s.o.Dir, "blk00000.dat"))
	if err == nil {
		err = os.WriteFile(filepath.Join(f.o.Dir, "blk00000.dat"), raw, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return &f
}

func (s *story) rebuild() *story {
	s.t.Helper()
	c, err := Rebuild(context.Background(), s.o, nil)
	if err != nil {
		s.t.Fatalf("rebuild: %v", err)
	}
	s.c = c
	return s
}

func TestRebuild(t *testing.T) {
	s := forked(t).emptied().rebuild()
	s.tip("b+7").reopen().tip("b+7")
	if found := s.inspect(); len(found.Problems) > 0 {
		t.Errorf("%+v", found)
	}
}

// Damage in the middle of a file costs what was there, and not what follows. What the network sends again completes the chain, and the damage is
// not met again.
func TestRebuildAroundDamage(t *testing.T) {
	s := forked(t)
	i, _ := s.c.tree.find(s.At("base50").State.Hash)
	at := s.c.tree.at(i).block.Offset
	s = s.emptied()
	path := filepath.Join(s.o.Dir, "blk00000.dat")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[at+100] ^= 1
	if err := os.WriteFile(path, append(raw, make([]byte, 77)...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.rebuild().tip("base49")
	s.add("base50")
	for _, b := range s.Path("b+7")[50:] {
		s.addBlock(b)
	}
	s.tip("b+7").reopen()
	if found := s.inspect(); len(found.Problems) > 0 || found.Tail != 0 {
		t.Errorf("%+v", found)
	}
}

func TestRebuildNeedsTheFirstBlocks(t *testing.T) {
	o := Options{Params: newStory(t).Params, Dir: t.TempDir()}
	if err := CanRebuild(o); !errors.Is(err, ErrNoBlocks) {
		t.Errorf("nothing: %v", err)
	}
	f, err := blockfile.Open(blockfile.Options{Dir: o.Dir, Name: "blk", Magic: o.Params.Magic, Synced: blockfile.Pos{File: 3}})
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if err := CanRebuild(o); !errors.Is(err, ledger.ErrPruned) {
		t.Errorf("pruned: %v", err)
	}
}
