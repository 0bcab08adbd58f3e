package chain

import (
	"bytes"
	"context"
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

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

func TestImportInAnyOrder(t *testing.T) {
	for seed := range int64(5) {
		s := newStory(t).grow("genesis", "a", 50)
		blocks := s.Path("a50")
		rand.New(rand.NewSource(seed)).Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
		p, err := Import(context.Background(), s.c, s.file(blocks...), nil)
		if err != nil || p.New != 50 || p.Lost != 0 {
			t.Fatalf("seed %d: %+v, %v", seed, p, err)
		}
		s.tip("a50")
	}
}

func TestImportGoesOn(t *testing.T) {
	s := newStory(t).grow("genesis", "a", 20)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Import(ctx, s.c, s.file(s.Path("a20")...), func(p Progress) {
		if p.Blocks == 7 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	s.tip("a7").kill().tip("a8") // the eighth was stored before it was to be connected
	p, err := Import(context.Background(), s.c, s.file(s.Path("a20")...), nil)
	if err != nil || p.New != 12 || p.Blocks != 20 {
		t.Fatalf("%+v, %v", p, err)
	}
	s.tip("a20")
}

func TestImportRefusals(t *testing.T) {
	s := newStory(t).grow("genesis", "a", 5)
	bad := s.Build("a3", chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value++ }))
	path := s.Path("a5")
	var rule consensus.RuleError
	if _, err := Import(context.Background(), s.c, s.file(path[0], path[1], path[2], bad, path[3]), nil); !errors.As(err, &rule) || rule.Kind != consensus.ErrCoinbaseValue {
		t.Fatalf("an invalid block: %v", err)
	}
	s.tip("a3")
	p, err := Import(context.Background(), s.c, s.file(path[4]), nil)
	if err != nil || p.Lost != 1 {
		t.Fatalf("a block without its parent: %+v, %v", p, err)
	}
	raw, err := os.ReadFile(s.file(path...)[0])
	if err != nil {
		t.Fatal(err)
	}
	var format *blockfile.FormatError
	p, err = Import(context.Background(), s.c, []string{writeFile(t, raw[:len(raw)-1])}, nil)
	if !errors.As(err, &format) || p.New != 1 || p.Blocks != 4 {
		t.Fatalf("a truncated file: %+v, %v", p, err)
	}
	s.tip("a4")
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
