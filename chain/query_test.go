package chain

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
)

// hashes returns the hashes of named blocks.
func (s *story) hashes(names ...string) []chainhash.Hash {
	s.t.Helper()
	out := make([]chainhash.Hash, len(names))
	for i, name := range names {
		out[i] = s.At(name).State.Hash
	}
	return out
}

func refs(list []ledger.Ref) []chainhash.Hash {
	out := make([]chainhash.Hash, len(list))
	for i, r := range list {
		out[i] = r.Hash
	}
	return out
}

func TestSince(t *testing.T) {
	//   genesis - a1 - a2 - a3
	//          \- b1 - b2
	s := newStory(t).chain("genesis", "a", 3).chain("genesis", "b", 2)
	for _, c := range []struct {
		place         string
		max           int
		undo, connect []string
	}{
		{"a3", 9, nil, nil},
		{"a1", 9, nil, []string{"a2", "a3"}},
		{"a1", 1, nil, []string{"a2"}},
		{"genesis", 9, nil, []string{"a1", "a2", "a3"}},
		{"b2", 9, []string{"b2", "b1"}, []string{"a1", "a2", "a3"}},
		{"b2", 1, []string{"b2"}, nil},
		{"b2", 2, []string{"b2", "b1"}, nil},
		{"b2", 3, []string{"b2", "b1"}, []string{"a1"}},
	} {
		p, err := s.c.Since(s.At(c.place).State.Hash, c.max)
		if err != nil || !slices.Equal(refs(p.Undo), s.hashes(c.undo...)) || !slices.Equal(refs(p.Connect), s.hashes(c.connect...)) {
			t.Errorf("since %s, at most %d: %+v, %v", c.place, c.max, p, err)
		}
	}
	p, err := s.c.Since(chainhash.Hash{}, 2)
	if err != nil || !slices.Equal(refs(p.Connect), s.hashes("genesis", "a1")) {
		t.Errorf("from before the first block: %+v, %v", p, err)
	}
	if _, err := s.c.Since(chainhash.Hash{1}, 2); !errors.Is(err, ledger.ErrUnknownBlock) {
		t.Errorf("unknown: %v", err)
	}
}

func TestTips(t *testing.T) {
	s := newStory(t).chain("genesis", "a", 3).chain("a1", "b", 1)
	s.grow("a3", "h", 2).headers("h1", "h2")
	s.chain("genesis", "c", 2)
	bad := s.Block("a3", "bad", chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value++ })).Block
	s.refused(bad, consensus.ErrCoinbaseValue)
	got := make(map[chainhash.Hash]ledger.Tip)
	for _, tip := range s.c.Tips() {
		got[tip.Hash] = tip
	}
	want := map[string]ledger.Tip{
		"a3": {BranchLength: 0, Status: ledger.Active}, "h2": {BranchLength: 2, Status: ledger.HeadersOnly},
		"b1": {BranchLength: 1, Status: ledger.ValidHeaders}, "c2": {BranchLength: 2, Status: ledger.ValidHeaders},
		"bad": {BranchLength: 1, Status: ledger.Invalid},
	}
	if len(got) != len(want) {
		t.Errorf("%d tips", len(got))
	}
	for name, w := range want {
		n := s.At(name).State
		w.Hash, w.Height = n.Hash, n.Height
		if got[n.Hash] != w {
			t.Errorf("%s is %+v, want %+v", name, got[n.Hash], w)
		}
	}
	if first := s.c.Tips()[0]; first.Hash != s.At("h2").State.Hash {
		t.Errorf("the first tip is at %d", first.Height)
	}
}

func TestInfo(t *testing.T) {
	s := newStory(t).chain("genesis", "a", 2)
	s.grow("a2", "h", 1).headers("h1")
	info, err := s.c.Info(s.At("a1").State.Hash)
	if err != nil || info.State != s.At("a1").State || info.Next != s.At("a2").State.Hash || info.Txs != 1 || !info.HaveData {
		t.Errorf("a1: %+v, %v", info, err)
	}
	info, err = s.c.Info(s.At("a2").State.Hash)
	if err != nil || info.Next != (chainhash.Hash{}) || info.Status != ledger.Active {
		t.Errorf("a2: %+v, %v", info, err)
	}
	info, err = s.c.Info(s.At("h1").State.Hash)
	if err != nil || info.Status != ledger.HeadersOnly || info.HaveData || info.Txs != 0 {
		t.Errorf("h1: %+v, %v", info, err)
	}
	if _, err := s.c.Info(chainhash.Hash{1}); !errors.Is(err, ledger.ErrUnknownBlock) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := s.c.RawBlock(s.At("h1").State.Hash); !errors.Is(err, ledger.ErrNoData) {
		t.Errorf("block of h1: %v", err)
	}
	if _, err := s.c.Block(chainhash.Hash{1}); !errors.Is(err, ledger.ErrUnknownBlock) {
		t.Errorf("unknown block: %v", err)
	}
	for _, name := range []string{"genesis", "a2"} {
		raw, err := s.c.RawBlock(s.At(name).State.Hash)
		if err != nil || !bytes.Equal(raw, s.At(name).Block.Raw()) {
			t.Errorf("block %s: %d bytes, %v", name, len(raw), err)
		}
	}
}

func TestUndoOf(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	pay := spend(s, "base101", 0)
	s.Block("base101", "a1", chaintest.Txs(pay))
	s.Block("base101", "b1")
	s.add("a1", "b1")
	spent, err := s.c.UndoOf(s.At("a1").State.Hash)
	op := pay.TxIn[0].PreviousOutPoint
	if err != nil || len(spent) != 1 || spent[0].OutPoint != op || !sameCoin(spent[0].Coin, s.At("base101").Coins[op]) {
		t.Errorf("a1 spent %+v, %v", spent, err)
	}
	if _, err := s.c.UndoOf(s.At("b1").State.Hash); !errors.Is(err, ledger.ErrNoData) {
		t.Errorf("b1, never connected: %v", err)
	}
	if spent, err := s.c.UndoOf(s.At("genesis").State.Hash); err != nil || spent != nil {
		t.Errorf("genesis: %v, %v", spent, err)
	}
}

func TestCoins(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	s.reopen() // on the disk
	pay := spend(s, "base101", 0)
	s.Block("base101", "a1", chaintest.Txs(pay))
	s.add("a1")
	all := slices.Collect(maps.Keys(s.At("base101").Coins))
	all = append(all, wire.OutPoint{Hash: pay.TxHash()}, wire.OutPoint{Index: 7})
	coins, at, err := s.c.Coins(all)
	if err != nil || at != s.At("a1").State {
		t.Fatalf("at %d, %v", at.Height, err)
	}
	want := s.At("a1").Coins
	for _, op := range all {
		got, ok := coins[op]
		if w, exists := want[op]; ok != exists || (ok && !sameCoin(got, w)) {
			t.Errorf("%v: %+v %v, want %+v %v", op, got, ok, w, exists)
		}
	}
}

func TestLocatorAndHeaders(t *testing.T) {
	s := newStory(t).chain("genesis", "a", 40)
	loc := s.c.Locator()
	var heights []int32
	for _, hash := range loc {
		info, err := s.c.Info(hash)
		if err != nil {
			t.Fatal(err)
		}
		heights = append(heights, info.State.Height)
	}
	if !slices.Equal(heights, []int32{40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 29, 25, 17, 1, 0}) {
		t.Errorf("locator: %v", heights)
	}
	for _, c := range []struct {
		locator []chainhash.Hash
		stop    chainhash.Hash
		max     int
		want    []string
	}{
		{s.hashes("a38"), chainhash.Hash{}, 9, []string{"a39", "a40"}},
		{s.hashes("a38"), chainhash.Hash{}, 1, []string{"a39"}},
		{s.hashes("a30"), s.At("a32").State.Hash, 9, []string{"a31", "a32"}},
		{append([]chainhash.Hash{{1}}, s.hashes("a39", "a2")...), chainhash.Hash{}, 9, []string{"a40"}},
		{[]chainhash.Hash{{1}}, chainhash.Hash{}, 2, []string{"a1", "a2"}},
		{s.hashes("a40"), chainhash.Hash{}, 9, nil},
		{nil, s.At("a7").State.Hash, 9, []string{"a7"}},
		{nil, chainhash.Hash{1}, 9, nil},
	} {
		var got []chainhash.Hash
		for _, h := range s.c.HeadersAfter(c.locator, c.stop, c.max) {
			got = append(got, h.BlockHash())
		}
		if !slices.Equal(got, s.hashes(c.want...)) {
			t.Errorf("headers after %v: %d, want %v", c.locator, len(got), c.want)
		}
	}
}

func TestWatch(t *testing.T) {
	s := newStory(t)
	tips, stop := s.c.Watch()
	heads, stopHeads := s.c.WatchHeaders()
	s.grow("genesis", "a", 3)
	s.headers("a1", "a2")
	if len(tips) != 0 || len(heads) != 1 {
		t.Fatalf("after headers: %d and %d tokens", len(tips), len(heads))
	}
	s.add("a1", "a2")
	if len(tips) != 1 || len(heads) != 1 {
		t.Fatalf("after blocks: %d and %d tokens", len(tips), len(heads))
	}
	<-tips
	<-heads
	stop()
	stopHeads()
	s.add("a3")
	if len(tips) != 0 || len(heads) != 0 {
		t.Fatalf("after the end: %d and %d tokens", len(tips), len(heads))
	}
}
