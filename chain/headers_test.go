package chain

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// growHeaders adds n headers in a row, whose hashes and work are made up, and makes them the best chain.
func growHeaders(t *tree, n int) {
	h := wire.BlockHeader{Version: 4, Bits: t.params.PowLimitBits}
	step := consensus.WorkOf(h.Bits)
	for range n {
		tip := t.len - 1
		var hash chainhash.Hash
		binary.LittleEndian.PutUint32(hash[:], uint32(t.len))
		t.add(tip, &h, hash, t.work(tip).Add(step))
	}
	t.active = t.follow(t.active, t.len-1)
	t.unsaved = nil
}

// A million headers, all of the best chain, take less than 200 bytes of memory each, with all that finds them.
func TestMillionHeaders(t *testing.T) {
	const n = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	tree := newTree(consensus.Regtest())
	growHeaders(tree, n)
	runtime.GC()
	runtime.ReadMemStats(&after)
	took := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if took > 200*n {
		t.Errorf("%d headers take %d bytes", n, took)
	}
	t.Logf("%.1f bytes a header", float64(took)/n)
	runtime.KeepAlive(tree)
}

// Work that needs more than half of its 256 bits is counted too, though nobody can do it.
func TestHugeWork(t *testing.T) {
	tree, at := newTree(consensus.Regtest()), consensus.Genesis(consensus.Regtest())
	const (
		easiest = 0x207fffff // as compact targets: 2 hashes,
		half    = 0x11020000 // 2^127 - 1,
		hardest = 0x01010000 // and 2^255
	)
	for k, bits := range []uint32{half, easiest, half, half, hardest, half} {
		h := wire.BlockHeader{PrevBlock: at.Hash, Bits: bits, Nonce: uint32(k)}
		next := at.Next(&h)
		i := tree.add(tree.len-1, &h, next.Hash, next.Work)
		if tree.work(i) != next.Work || tree.bestHeader() != i {
			t.Errorf("the work of header %d is %v, want %v; the best is %d", i, tree.work(i), next.Work, tree.bestHeader())
		}
		at = next
	}
}

// A block that comes between the sync of its file and the making of its record is not in the record: a crash may take it.
func TestBlockThatComesDuringAFlush(t *testing.T) {
	s := newStory(t).chain("genesis", "a", 2).grow("a2", "b", 1).headers("b1")
	late := s.At("b1")
	s.c.o.Point = func(name string) {
		if name != pointBlocksSynced {
			return
		}
		if _, _, err := s.c.store(late.Block); err != nil {
			t.Error(err)
		}
	}
	if err := s.c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	key := indexKey(late.State.Height, late.State.Hash)
	saved, err := decodeNode(key, []byte(s.mem.snapshot()[string(key)]))
	if err != nil || saved.block.Length != 0 {
		t.Errorf("the record of the late block: %+v, %v", saved, err)
	}
	s.kill().tip("b1")
}

// mineHeaders returns n headers that follow the first block of p, a network whose headers cost no work.
func mineHeaders(p *consensus.Params, n int) []wire.BlockHeader {
	headers := make([]wire.BlockHeader, n)
	prev, begin := p.GenesisHash, p.Genesis.Header.Timestamp
	for k := range headers {
		h := &headers[k]
		*h = wire.BlockHeader{Version: 4, PrevBlock: prev, Bits: p.PowLimitBits, Timestamp: begin.Add(time.Duration(k+1) * time.Minute)}
		for consensus.CheckWork(p, h) != nil {
			h.Nonce++
		}
		prev = h.BlockHash()
	}
	return headers
}

// BenchmarkHeaders checks and adds headers as a peer sends them, writes them, opens a chain that has them, and finds them.
func BenchmarkHeaders(b *testing.B) {
	const n, answer = 200_000, 2_000
	headers := mineHeaders(consensus.Regtest(), n)
	add := func(b *testing.B, c *Chain) {
		for some := range slices.Chunk(headers, answer) {
			if _, err := c.AddHeaders(b.Context(), some); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("Add", func(b *testing.B) {
		per(b, "header", n, func() (func(), func()) {
			c, done := openBench(b, Options{})
			return func() { add(b, c) }, done
		})
	})
	b.Run("Flush", func(b *testing.B) {
		per(b, "header", n, func() (func(), func()) {
			c, done := openBench(b, Options{})
			add(b, c)
			return done, func() {}
		})
	})
	dir := b.TempDir()
	c, done := openBenchIn(b, dir, Options{})
	add(b, c)
	done()
	b.Run("Open", func(b *testing.B) {
		per(b, "header", n, func() (func(), func()) {
			done := func() {}
			return func() { _, done = openBenchIn(b, dir, Options{}) }, func() { done() }
		})
	})
	b.Run("Find", func(b *testing.B) {
		tree := newTree(consensus.Regtest())
		growHeaders(tree, n)
		i := 0
		for b.Loop() {
			if _, ok := tree.find(tree.at(id(i * 7919 % n)).hash); !ok {
				b.Fatal("gone")
			}
			i++
		}
	})
}
