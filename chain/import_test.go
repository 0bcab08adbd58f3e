package chain

import (
	"bytes"
	"context"
	"errors"
	"math/rand"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/chaintest"
)

// file returns blocks in the exchange format.
func (s *story) file(blocks ...*consensus.Block) *blockfile.Reader {
	s.t.Helper()
	var w bytes.Buffer
	for _, b := range blocks {
		if err := blockfile.Write(&w, s.Params, b.Raw()); err != nil {
			s.t.Fatal(err)
		}
	}
	return blockfile.NewReader(s.Params, bytes.NewReader(w.Bytes()), int64(w.Len()))
}

func TestImportInAnyOrder(t *testing.T) {
	for seed := range int64(5) {
		s := newStory(t).grow("genesis", "a", 50)
		blocks := s.Path("a50")
		rand.New(rand.NewSource(seed)).Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
		p, err := Import(context.Background(), s.c, s.file(blocks...), nil)
		if err != nil || p.Blocks != 50 || p.Orphans != 0 || p.Height != 50 {
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
	if err != nil || p.Known != 8 || p.Blocks != 12 {
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
	if err != nil || p.Orphans != 1 {
		t.Fatalf("a block without its parent: %+v, %v", p, err)
	}
	var w bytes.Buffer
	for _, b := range path {
		if err := blockfile.Write(&w, s.Params, b.Raw()); err != nil {
			t.Fatal(err)
		}
	}
	cut := w.Bytes()[:w.Len()-1]
	var format *blockfile.FormatError
	p, err = Import(context.Background(), s.c, blockfile.NewReader(s.Params, bytes.NewReader(cut), int64(len(cut))), nil)
	if !errors.As(err, &format) || p.Blocks != 1 {
		t.Fatalf("a truncated file: %+v, %v", p, err)
	}
	s.tip("a4")
}

func TestExportAndImport(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	s.Block("base101", "a1", chaintest.Txs(spend(s, "base101", 0)))
	s.add("a1")
	var w bytes.Buffer
	p, err := Export(context.Background(), s.c, &w, 0, 1000, nil)
	if err != nil || p.Blocks != 103 || p.Height != 102 || p.Offset != int64(w.Len()) {
		t.Fatalf("%+v, %v", p, err)
	}
	again := newStory(t)
	if _, err := Import(context.Background(), again.c, blockfile.NewReader(s.Params, bytes.NewReader(w.Bytes()), int64(w.Len())), nil); err != nil {
		t.Fatal(err)
	}
	if again.hash() != s.hash() {
		t.Fatal("the coin sets differ")
	}
}
