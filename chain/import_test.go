package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/chaintest"
)

// file writes blocks in the exchange format and returns the file's name.
func (s *story) file(blocks ...*consensus.Block) []string {
	s.t.Helper()
	var w bytes.Buffer
	for _, b := range blocks {
		if err := blockfile.Write(&w, s.Params, b.Raw()); err != nil {
			s.t.Fatal(err)
		}
	}
	return []string{writeFile(s.t, w.Bytes())}
}

func writeFile(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "blocks.dat")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Whatever the order and however the blocks are spread over files, twice some of them, it is one chain.
func TestImportInAnyOrder(t *testing.T) {
	for seed := range uint64(6) {
		s := newStory(t).chain("genesis", "base", 104)
		s.pay("base104", "a", 20)
		blocks := s.Path("a20")
		again := newStory(t)
		r := rand.New(rand.NewPCG(seed, 1))
		if seed > 0 {
			blocks = append(blocks, blocks[10:20]...)
			r.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
		} else {
			slices.Reverse(blocks) // each block before its parent
		}
		at := r.IntN(len(blocks))
		files := append(again.file(blocks[:at]...), again.file(blocks[at:]...)...)
		got, err := Import(t.Context(), again.c, files, nil)
		if err != nil || got.New != 124 || got.Lost != 0 || got.Blocks != len(blocks) {
			t.Fatalf("seed %d: %+v, %v", seed, got, err)
		}
		if again.c.Tip().Hash != s.At("a20").State.Hash {
			t.Fatalf("seed %d: the tip is at %d", seed, again.c.Tip().Height)
		}
		if got, err := Import(t.Context(), again.c, files, nil); err != nil || got.New != 0 || got.Blocks != len(blocks) {
			t.Fatalf("seed %d, again: %+v, %v", seed, got, err)
		}
	}
}

// heavy makes the coinbase of a block fill a megabyte, in an output that nobody can spend.
func heavy(tx *wire.MsgTx) {
	tx.AddTxOut(wire.NewTxOut(0, append([]byte{txscript.OP_RETURN}, make([]byte, 900_000)...)))
}

// An import that is stopped keeps what it has, goes on after it, and does not do again what is done.
func TestImportGoesOn(t *testing.T) {
	s := newStory(t)
	parent := "genesis"
	for i := range 30 {
		name := "a" + strconv.Itoa(i+1)
		s.Block(parent, name, chaintest.Coinbase(heavy))
		parent = name
	}
	file := s.file(s.Path("a30")...)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Import(ctx, s.c, file, func(p Progress) {
		if p.Blocks >= 4 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	height := s.c.Tip().Height
	if height < 4 || height == 30 {
		t.Fatalf("stopped at height %d", height)
	}
	s.kill()
	left := 30 - int(s.c.Tip().Height)
	if left == 0 || s.c.Tip().Height < height {
		t.Fatalf("at %d after a kill at %d", s.c.Tip().Height, height)
	}
	var last Progress
	got, err := Import(t.Context(), s.c, file, func(p Progress) { last = p })
	if err != nil || got.New != left || got.Blocks != 30 || last.Blocks != left || last.Done() != 1 || last.Height != 30 {
		t.Fatalf("%+v, %+v, %v; %d were left", got, last, err, left)
	}
	s.tip("a30")
}

// The headers come first; then the bar counts what is to be done, and nothing behind the zeros that end a file.
func TestImportProgress(t *testing.T) {
	s := newStory(t).grow("genesis", "a", 10)
	s.add("a1", "a2", "a3")
	raw, err := os.ReadFile(s.file(append(s.Path("a10"), s.At("genesis").Block)...)[0])
	if err != nil {
		t.Fatal(err)
	}
	file := []string{writeFile(t, append(raw, make([]byte, 1<<20)...))}
	headers, last := 0, Progress{}
	got, err := Import(t.Context(), s.c, file, func(p Progress) {
		if p.Headers > 0 {
			headers = p.Headers
			return
		}
		if p.Blocks < last.Blocks || p.Bytes < last.Bytes || p.Height < last.Height || p.Bytes > p.TotalBytes {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	})
	want := Progress{Blocks: 7, Height: 10}
	for _, b := range s.Path("a10")[3:] {
		want.Bytes += int64(b.Size())
	}
	want.TotalBytes = want.Bytes
	if err != nil || got.Blocks != 11 || got.New != 7 || headers != 11 || last != want || last.Done() != 1 {
		t.Fatalf("%+v, %d headers, %+v, %v", got, headers, last, err)
	}
	if got, err := Import(t.Context(), s.c, file, func(p Progress) {
		if p.Blocks > 0 || p.TotalBytes > 0 {
			t.Errorf("there is nothing left to do, but %+v", p)
		}
	}); err != nil || got.New != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// offset returns where a block begins in a file that file made of blocks.
func offset(blocks []*consensus.Block, b *consensus.Block) (at int64) {
	for _, other := range blocks {
		if other == b {
			break
		}
		at += int64(8 + other.Size())
	}
	return at
}

// Whatever is wrong with a block, and wherever in the files it stands, the import says which one it is and where, and keeps those before it.
func TestImportOfAnInvalidBlock(t *testing.T) {
	for _, flaw := range chaintest.Flaws() {
		s := newStory(t).grow("genesis", "base", 110)
		bad := s.Add("base110", "bad", s.Build("base110", flaw.Mod)).Block
		s.grow("bad", "b", 2)
		good := s.Path("base110")
		for name, files := range map[string][][]*consensus.Block{
			"last":               {append(slices.Clone(good), bad)},
			"before descendants": {append(slices.Clone(good), bad, s.At("b1").Block, s.At("b2").Block)},
			"behind descendants": {append([]*consensus.Block{s.At("b2").Block, s.At("b1").Block}, append(slices.Clone(good), bad)...)},
			"before ancestors":   {append([]*consensus.Block{bad, s.At("b1").Block}, good...)},
			"in a file before":   {{s.At("b1").Block, bad}, good},
			"in a file behind":   {good, {bad, s.At("b1").Block}},
			"in the middle":      {append(append(slices.Clone(good[:50]), bad), good[50:]...)},
		} {
			again := newStory(t)
			var names []string
			var want string
			for _, blocks := range files {
				names = append(names, again.file(blocks...)...)
				if slices.Contains(blocks, bad) {
					want = fmt.Sprintf("%s: the block at byte %d, %v, is invalid", names[len(names)-1], offset(blocks, bad), bad.Hash())
				}
			}
			_, err := Import(t.Context(), again.c, names, nil)
			var rule consensus.RuleError
			if !errors.As(err, &rule) || rule.Kind != flaw.Kind || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("%v %s: got %v, want %v and %q", flaw.Kind, name, err, flaw.Kind, want)
			}
			if again.c.Tip().Hash != s.At("base110").State.Hash {
				t.Errorf("%v %s: the tip is at %d", flaw.Kind, name, again.c.Tip().Height)
			}
		}
	}
}

// A branch is looked at closely only when it becomes the best, and then the block that is wrong is named, not the one that made it so.
func TestImportOfAnInvalidBranch(t *testing.T) {
	s := newStory(t).grow("genesis", "base", 104)
	s.pay("base104", "a", 3)
	s.spoil("base104", "bad")
	s.grow("bad", "b", 4)
	blocks := append(s.Path("a3"), s.Path("b4")[104:]...)
	again := newStory(t)
	_, err := Import(t.Context(), again.c, again.file(blocks...), nil)
	bad := s.At("bad").Block
	if !errors.Is(err, consensus.ErrScript) || !strings.Contains(err.Error(), fmt.Sprintf("byte %d, %v", offset(blocks, bad), bad.Hash())) {
		t.Errorf("got %v", err)
	}
	if again.c.Tip().Hash != s.At("a3").State.Hash {
		t.Errorf("the tip is at %d", again.c.Tip().Height)
	}
}

// A block that an earlier import stored, and nobody could judge then, is named where it stands now, or said to have been here.
func TestImportOfAnInvalidBlockThatWasHere(t *testing.T) {
	s := newStory(t).grow("genesis", "base", 110)
	s.spoil("base110", "bad")
	path, bad := s.Path("bad"), s.At("bad").Block
	for _, blocks := range [][]*consensus.Block{path, path[:110]} {
		again := newStory(t)
		headers := make([]wire.BlockHeader, len(path))
		for i, b := range path {
			headers[i] = b.Header
		}
		if _, err := again.c.AddHeaders(t.Context(), headers); err != nil {
			t.Fatal(err)
		}
		again.addBlock(bad)
		_, err := Import(t.Context(), again.c, again.file(blocks...), nil)
		want := "which was here before, is invalid"
		if len(blocks) == len(path) {
			want = fmt.Sprintf("byte %d, %v, is invalid", offset(blocks, bad), bad.Hash())
		}
		if !errors.Is(err, consensus.ErrScript) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if again.c.Tip().Hash != s.At("base110").State.Hash {
			t.Errorf("the tip is at %d", again.c.Tip().Height)
		}
		again.reopen() // it remembers
		if _, err := Import(t.Context(), again.c, again.file(path...), nil); !errors.Is(err, consensus.ErrKnownInvalid) {
			t.Errorf("again: got %v", err)
		}
	}
}

// A malformed copy of a block is refused where it stands and harms neither the good one nor those that follow it.
func TestImportOfAMalformedCopy(t *testing.T) {
	s := newStory(t).grow("genesis", "a", 5)
	copied := chaintest.Mutant(s.At("a3").Block, func(m *wire.MsgBlock) { m.Transactions[0].LockTime ^= 1 })
	path := s.Path("a5")
	_, err := Import(t.Context(), s.c, s.file(path[0], path[1], copied, path[3], path[4]), nil)
	if !errors.Is(err, consensus.ErrMerkleRoot) || !strings.Contains(err.Error(), fmt.Sprint(copied.Hash())) {
		t.Fatalf("got %v", err)
	}
	s.tip("a2")
	if got, err := Import(t.Context(), s.c, s.file(path...), nil); err != nil || got.New != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	s.tip("a5")
}

// What ends the reading of a file ends the import, behind the blocks that come before it.
func TestImportOfBadFiles(t *testing.T) {
	s := newStory(t).grow("genesis", "a", 5)
	path := s.Path("a5")
	raw, err := os.ReadFile(s.file(path[:4]...)[0])
	if err != nil {
		t.Fatal(err)
	}
	last := int64(len(raw)) - 8 - int64(path[3].Size())
	noBlock := slices.Clone(raw)
	noBlock[last+8+80] = 0xfd // the count of transactions goes on with what is none
	var format *blockfile.FormatError
	for name, c := range map[string]struct {
		data []byte
		is   func(error) bool
	}{
		"truncated": {raw[:len(raw)-1], func(err error) bool { return errors.As(err, &format) && format.Offset == last }},
		"no block":  {noBlock, func(err error) bool { return strings.Contains(err.Error(), fmt.Sprintf("byte %d is no block", last)) }},
	} {
		again := newStory(t)
		file := writeFile(t, c.data)
		got, err := Import(t.Context(), again.c, []string{file, again.file(path[3:]...)[0]}, nil)
		if err == nil || !c.is(err) || !strings.HasPrefix(err.Error(), file) || got.New != 3 || got.Blocks != 3 || got.Lost != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if again.c.Tip().Hash != s.At("a3").State.Hash {
			t.Errorf("%s: the tip is at %d", name, again.c.Tip().Height)
		}
	}
	got, err := Import(t.Context(), s.c, append(s.file(path[3], path[4]), s.file(path[0])...), nil)
	if err != nil || got.Lost != 2 || got.New != 1 {
		t.Errorf("blocks without their parents: %+v, %v", got, err)
	}
	if _, err := Import(t.Context(), s.c, []string{filepath.Join(t.TempDir(), "none.dat")}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	s.tip("a1")
}

// Whichever call of the disk fails in an import, it is not a block's fault, and an import again comes to the end.
func TestEveryCallFailsInAnImport(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 104)
	names := s.pay("base104", "a", 12)
	path := s.Path("a12")
	files := append(s.file(path[110:]...), s.file(path[100:112]...)...)
	s.reopen()
	run := func(s *story) []string {
		_, err := Import(context.Background(), s.c, files, nil)
		if rule := (consensus.RuleError{}); errors.As(err, &rule) {
			s.t.Errorf("a disk's failure was a block's: %v", err)
		}
		return append([]string{"base104"}, names...)
	}
	end := func(s *story) {
		s.t.Helper()
		if got, err := Import(context.Background(), s.c, files, nil); err != nil || got.Lost != 0 {
			s.t.Fatalf("%+v, %v", got, err)
		}
		s.tip("a12").kill().tip("a12")
	}
	trial{base: s, ready: inSmallStretches, run: run, end: end}.everywhere(t)
}

// Scripts below the trusted block are not run, in whatever order the blocks come; they are if it is not there.
func TestImportAssumesValid(t *testing.T) {
	s := newStory(t).grow("genesis", "base", 104)
	s.pay("base104", "a", 12)
	blocks := s.Path("a12")
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	for _, c := range []struct {
		trusted chainhash.Hash
		runs    int
		warning bool
	}{{s.At("a10").State.Hash, 2, false}, {s.At("a12").State.Hash, 0, false}, {chainhash.Hash{1}, 12, true}, {chainhash.Hash{}, 12, false}} {
		again, v := newStory(t), &scripts{}
		var log bytes.Buffer
		again.o.Scripts, again.o.AssumeValid, again.o.Log = v, c.trusted, slog.New(slog.NewTextHandler(&log, nil))
		again.reopen()
		if _, err := Import(t.Context(), again.c, again.file(blocks...), nil); err != nil {
			t.Fatal(err)
		}
		if again.c.Tip().Hash != s.At("a12").State.Hash || v.ran != c.runs || strings.Contains(log.String(), "all scripts are run") != c.warning {
			t.Errorf("%v: %d scripts, at height %d\n%s", c.trusted, v.ran, again.c.Tip().Height, log.String())
		}
		f := again.emptied()
		if v.ran = 0; f.rebuild().c.Tip().Hash != s.At("a12").State.Hash || v.ran != c.runs {
			t.Errorf("rebuilt below %v: %d scripts, at height %d", c.trusted, v.ran, f.c.Tip().Height)
		}
		_ = f.c.Close()
	}
}

func TestExportAndImport(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	s.Block("base101", "a1", chaintest.Txs(spend(s, "base101", 0)))
	s.add("a1")
	var w bytes.Buffer
	if n, err := Export(context.Background(), s.c, &w, 0, 1000, nil); err != nil || n != 103 {
		t.Fatalf("%d blocks, %v", n, err)
	}
	again := newStory(t)
	if _, err := Import(context.Background(), again.c, []string{writeFile(t, w.Bytes())}, nil); err != nil {
		t.Fatal(err)
	}
	if again.hash() != s.hash() {
		t.Fatal("the coin sets differ")
	}
}
