package chain

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
)

func TestAmountsRoundTrip(t *testing.T) {
	for _, n := range []uint64{0, 1, 9, 10, 546, 1_0000_0000, 50_0000_0000, 12_3456_7890, uint64(consensus.MaxMoney), uint64(consensus.MaxMoney) - 1} {
		if got, ok := decompressAmount(compressAmount(n)); !ok || got != n {
			t.Errorf("%d became %d, %v", n, got, ok)
		}
	}
	// Bitcoin Core's own examples, of its compress_tests.
	for n, x := range map[uint64]uint64{0: 0, 1: 1, 1_000_000: 7, 1_0000_0000: 9, 50_0000_0000: 50, 2_100_000_000_000_000: 21_000_000} {
		if got := compressAmount(n); got != x {
			t.Errorf("%d is compressed to %d, want %d", n, got, x)
		}
	}
	for _, x := range []uint64{compressAmount(uint64(consensus.MaxMoney) + 1), math.MaxUint64} {
		if n, ok := decompressAmount(x); ok {
			t.Errorf("%d was taken for the amount %d", x, n)
		}
	}
}

func someCoins() []consensus.Coin {
	return []consensus.Coin{
		{},
		{Value: 50_0000_0000, PkScript: bytes.Repeat([]byte{0x51}, 67), Height: 1, Coinbase: true, MedianTime: 1231006505},
		{Value: consensus.MaxMoney, PkScript: bytes.Repeat([]byte{1}, 10_000), Height: math.MaxInt32, MedianTime: math.MaxUint32},
		{Value: 1, PkScript: []byte{0}, Height: 840_000},
	}
}

func TestCoinsRoundTrip(t *testing.T) {
	for _, c := range someCoins() {
		got, err := decodeCoin(appendCoin(nil, &c))
		if err != nil || !sameCoin(got, c) {
			t.Errorf("%+v became %+v, %v", c, got, err)
		}
	}
}

func someUndo() (chainhash.Hash, []consensus.Entry) {
	var spent []consensus.Entry
	for i, c := range someCoins() {
		spent = append(spent, consensus.Entry{OutPoint: wire.OutPoint{Hash: chainhash.Hash{byte(i)}, Index: uint32(i) << 20}, Coin: c})
	}
	return chainhash.Hash{7}, spent
}

func TestUndoRoundTrip(t *testing.T) {
	hash, spent := someUndo()
	raw := encodeUndo(hash, spent)
	got, err := decodeUndo(hash, raw)
	if err != nil || len(got) != len(spent) {
		t.Fatalf("%d of %d coins, %v", len(got), len(spent), err)
	}
	for i := range got {
		if got[i].OutPoint != spent[i].OutPoint || !sameCoin(got[i].Coin, spent[i].Coin) {
			t.Errorf("coin %d is %+v, want %+v", i, got[i], spent[i])
		}
	}
	if _, err := decodeUndo(chainhash.Hash{8}, raw); err == nil {
		t.Error("another block's record was taken")
	}
	for n := range raw {
		if _, err := decodeUndo(hash, raw[:n]); err == nil {
			t.Errorf("the first %d bytes of %d were taken", n, len(raw))
		}
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	p := place{tip: chainhash.Hash{1}}
	raw := p.encode(chainhash.Hash{2})
	if got, err := decodePlace(raw, chainhash.Hash{2}); err != nil || *got != p {
		t.Fatalf("%+v, %v", got, err)
	}
	raw[0]++
	if _, err := decodePlace(raw, chainhash.Hash{2}); err == nil {
		t.Fatal("a newer version was taken")
	}
	raw[0] -= 2
	if _, err := decodePlace(raw, chainhash.Hash{2}); !errors.Is(err, ErrOutdated) {
		t.Fatalf("an older version: %v", err)
	}
}

func FuzzCoin(f *testing.F) {
	for _, c := range someCoins() {
		f.Add(appendCoin(nil, &c))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := decodeCoin(raw)
		if err != nil {
			return
		}
		if again := appendCoin(nil, &c); !bytes.Equal(again, raw) {
			t.Fatalf("%x became %+v and then %x", raw, c, again)
		}
	})
}

func FuzzUndo(f *testing.F) {
	hash, spent := someUndo()
	f.Add(encodeUndo(hash, spent))
	f.Add(encodeUndo(hash, nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		spent, err := decodeUndo(hash, raw)
		if err != nil {
			return
		}
		if again := encodeUndo(hash, spent); !bytes.Equal(again, raw) {
			t.Fatalf("%x became %x", raw, again)
		}
	})
}

func someNodes() []savedNode {
	p := consensus.Regtest()
	genesis := savedNode{hash: p.GenesisHash, header: p.Genesis.Header}
	full := savedNode{
		height: math.MaxInt32, hash: chainhash.Hash{9}, header: wire.BlockHeader{Version: -1, PrevBlock: p.GenesisHash, Timestamp: time.Unix(math.MaxUint32, 0), Bits: 0x207fffff},
		flags: connected | failed, order: math.MinInt32, txs: math.MaxUint32,
		block: blockfile.Location{Pos: blockfile.Pos{File: 1, Offset: 127}, Length: 128}, undo: blockfile.Location{Pos: blockfile.Pos{File: math.MaxUint32}, Length: 1},
	}
	child := full
	child.height, child.order, child.flags = 1, -1, 0
	return []savedNode{genesis, full, child}
}

func TestNodesRoundTrip(t *testing.T) {
	for _, n := range someNodes() {
		key, value := n.encode()
		if got, err := decodeNode(key, value); err != nil || *got != n {
			t.Errorf("%+v became %+v, %v", n, got, err)
		}
		for k := range value {
			if _, err := decodeNode(key, value[:k]); err == nil {
				t.Errorf("the first %d bytes of %d were taken", k, len(value))
			}
		}
		if _, err := decodeNode(key, append(value, 0)); err == nil {
			t.Error("a byte more was taken")
		}
	}
}

func FuzzIndex(f *testing.F) {
	for _, n := range someNodes() {
		key, value := n.encode()
		f.Add(key, value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s, err := decodeNode(key, value)
		if err != nil {
			return
		}
		if k, v := s.encode(); !bytes.Equal(k, key) || !bytes.Equal(v, value) {
			t.Fatalf("%x: %x became %+v and then %x: %x", key, value, s, k, v)
		}
		_ = newTree(consensus.Regtest()).restore(s) // refused or taken, but without a panic
	})
}

func FuzzPlace(f *testing.F) {
	p := place{tip: chainhash.Hash{1}, tally: tally{5, 7}}
	f.Add(p.encode(chainhash.Hash{2}))
	f.Add((&place{blocks: blockfile.Pos{File: 1, Offset: math.MaxUint32}, undos: blockfile.Pos{Offset: 8}}).encode(chainhash.Hash{2}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := decodePlace(raw, chainhash.Hash{2})
		if err == nil && !bytes.Equal(p.encode(chainhash.Hash{2}), raw) {
			t.Fatalf("%x became %+v", raw, p)
		}
	})
}
