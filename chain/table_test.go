package chain

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
)

// model is what a table should be: a map.
type model map[coinKey]modelled

type modelled struct {
	flags uint8
	value string
}

// is wants t to hold what m does, asked for and gone through, and its sums to be right.
func (m model) is(t *testing.T, got *table) {
	t.Helper()
	if got.live != len(m) {
		t.Fatalf("%d records, want %d", got.live, len(m))
	}
	units := 0
	for key, want := range m {
		e, _ := got.find(&key)
		if e == nil || *e.key() != key || e.flags() != want.flags || string(e.value()) != want.value {
			t.Fatalf("%x is not %+v", key, want)
		}
		units += recordUnits(len(want.value))
	}
	if got.units != units {
		t.Fatalf("%d units, want %d", got.units, units)
	}
	seen := 0
	if err := got.each(func(e entry) error {
		if want, ok := m[*e.key()]; !ok || e.flags() != want.flags || string(e.value()) != want.value {
			t.Fatalf("met %x, which should not be there", *e.key())
		}
		seen++
		return nil
	}); err != nil || seen != len(m) {
		t.Fatalf("met %d records of %d, %v", seen, len(m), err)
	}
}

func numberedKey(n int) (k coinKey) {
	binary.BigEndian.PutUint64(k[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint32(k[32:], uint32(n))
	return k
}

// put sets what a key maps to.
func (t *table) put(key *coinKey, flags uint8, value []byte) {
	_, slot := t.find(key)
	t.set(slot, key, flags, value)
}

// Whatever is done to a table, it holds what a map would.
func TestTableIsAMap(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		got, want := newTable(), model{}
		keys := 10 << (seed * 3 / 2 % 11)
		for step := range 20_000 {
			key := numberedKey(r.IntN(keys))
			switch r.IntN(10) {
			case 0, 1, 2, 3:
				n := r.IntN(60)
				if r.IntN(50) == 0 {
					n = r.IntN(maxValue + 1)
				}
				value := make([]byte, n)
				for i := range value {
					value[i] = byte(r.Uint32())
				}
				flags := uint8(1 + r.IntN(7))
				got.put(&key, flags, value)
				want[key] = modelled{flags, string(value)}
			case 4, 5, 6:
				if e, slot := got.find(&key); e != nil {
					got.remove(slot)
				}
				delete(want, key)
			case 7:
				if e, _ := got.find(&key); e != nil {
					e.setFlags(5)
					want[key] = modelled{5, want[key].value}
				}
			case 8:
				if step%500 == 0 {
					keep := func(k *coinKey) bool { return k[7]&3 != 0 }
					got.sweep(func(e entry) bool { return keep(e.key()) })
					for k := range want {
						if !keep(&k) {
							delete(want, k)
						}
					}
				}
			}
			if step%2_000 == 0 {
				want.is(t, got)
			}
		}
		want.is(t, got)
	}
}

// A slab may end with a record, or with room that is too small for one.
func TestTableFillsSlabs(t *testing.T) {
	for _, length := range []int{0, 1, 2, 3, 4, 5, maxValue - 1, maxValue} {
		got, want := newTable(), model{}
		for i := range 3 * slabUnits / recordUnits(length) {
			key, value := numberedKey(i), make([]byte, length)
			got.put(&key, 1, value)
			want[key] = modelled{1, string(value)}
		}
		want.is(t, got)
	}
}

// Room that coins leave is taken by others of their length, so that a set which changes does not grow.
func TestTableUsesRoomAgain(t *testing.T) {
	got := newTable()
	value := make([]byte, 33)
	for i := range 200_000 {
		key, old := numberedKey(i), numberedKey(i-1_000)
		got.put(&key, 1, value)
		if _, slot := got.find(&old); slot >= 0 {
			got.remove(slot)
		}
	}
	if limit := int64(1_001*recordUnits(33)*unitBytes + 5*4_096); got.bytes() > limit {
		t.Errorf("a thousand records take %d bytes, more than %d", got.bytes(), limit)
	}
}

// A million ordinary coins stay below 100 MB of memory.
func TestMillionCoins(t *testing.T) {
	const n = 1_000_000
	script := make([]byte, 34)
	script[0] = txscript.OP_1
	coin := consensus.Coin{Value: 123_456_789, PkScript: script, Height: 840_000, MedianTime: 1_700_000_000}
	value := appendCoin(nil, &coin)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := newCache()
	for i := range n {
		key := numberedKey(i)
		c.put(-1, &key, coinExists, value)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	took := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if took > 100_000_000 || took > c.bytes()+c.bytes()/20 {
		t.Errorf("%d coins take %d bytes, by their own count %d", n, took, c.bytes())
	}
	t.Logf("%.1f bytes a coin", float64(took)/n)
	runtime.KeepAlive(c)
}

func BenchmarkTable(b *testing.B) {
	const n = 1 << 20
	value := make([]byte, 33)
	fill := func() *table {
		t := newTable()
		for i := range n {
			key := numberedKey(i)
			t.put(&key, 1, value)
		}
		return t
	}
	b.Run("Fill", func(b *testing.B) {
		for b.Loop() {
			fill()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/coin")
	})
	t := fill()
	b.Run("Find", func(b *testing.B) {
		i := 0
		for b.Loop() {
			key := numberedKey(i * 7919 % n)
			if e, _ := t.find(&key); e == nil {
				b.Fatal("gone")
			}
			i++
		}
	})
	b.Run("Replace", func(b *testing.B) { // one goes, one comes
		i := 0
		for b.Loop() {
			old, key := numberedKey(i), numberedKey(i+n)
			_, slot := t.find(&old)
			t.remove(slot)
			t.put(&key, 1, value)
			i++
		}
	})
	b.Run("Collect", func(b *testing.B) { // garbage, beside a million coins
		for b.Loop() {
			runtime.GC()
		}
	})
	runtime.KeepAlive(t)
}
