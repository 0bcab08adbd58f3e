package chain

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
	"groat/internal/store"
	"groat/internal/verify"
)

// story tells a chain about the blocks of a tree and knows their names.
type story struct {
	*chaintest.Tree
	t    *testing.T
	o    Options
	mem  *memStore
	c    *Chain
	name map[chainhash.Hash]string
}

// newStory begins with an empty chain on regtest.
func newStory(t *testing.T) *story {
	t.Helper()
	p := consensus.Regtest()
	s := &story{Tree: chaintest.New(t, p), t: t, mem: newMemStore(), name: make(map[chainhash.Hash]string)}
	s.o = Options{Params: p, Dir: t.TempDir(), Store: s.mem, Scripts: verify.New(2, 1000), Now: func() time.Time { return s.Now }, Reserve: 1}
	s.open()
	t.Cleanup(func() { _ = s.c.Close() })
	return s
}

func (s *story) open() {
	s.t.Helper()
	c, err := Open(context.Background(), s.o)
	if err != nil {
		s.t.Fatalf("open: %v", err)
	}
	s.c = c
}

// kill leaves the chain as a killed process would, and opens it again.
func (s *story) kill() *story {
	s.t.Helper()
	_ = s.c.closeFiles()
	s.open()
	return s
}

func (s *story) reopen() *story {
	s.t.Helper()
	if err := s.c.Close(); err != nil {
		s.t.Fatalf("close: %v", err)
	}
	s.open()
	return s
}

// chain grows blocks named prefix1… on parent and adds them.
func (s *story) chain(parent, prefix string, n int) *story {
	s.t.Helper()
	last := s.Grow(parent, prefix, n)
	path := s.Path(last.Name)
	for _, b := range path[len(path)-n:] {
		s.addBlock(b)
	}
	return s
}

// grow makes blocks without adding them.
func (s *story) grow(parent, prefix string, n int) *story {
	s.t.Helper()
	s.Grow(parent, prefix, n)
	return s
}

func (s *story) addBlock(b *consensus.Block) {
	s.t.Helper()
	if _, err := s.c.AddBlock(context.Background(), b); err != nil {
		s.t.Fatalf("add block at time %v: %v", b.Header.Timestamp, err)
	}
}

// add adds blocks of the tree.
func (s *story) add(names ...string) *story {
	s.t.Helper()
	for _, name := range names {
		if _, err := s.c.AddBlock(context.Background(), s.At(name).Block); err != nil {
			s.t.Fatalf("add %s: %v", name, err)
		}
	}
	return s
}

// refused wants b to break the rule kind.
func (s *story) refused(b *consensus.Block, kind consensus.Kind) *story {
	s.t.Helper()
	_, err := s.c.AddBlock(context.Background(), b)
	var rule consensus.RuleError
	if !errors.As(err, &rule) || rule.Kind != kind {
		s.t.Fatalf("got %v, want %v", err, kind)
	}
	return s
}

func (s *story) headers(names ...string) *story {
	s.t.Helper()
	headers := make([]wire.BlockHeader, len(names))
	for i, name := range names {
		headers[i] = s.At(name).Block.Header
	}
	if _, err := s.c.AddHeaders(context.Background(), headers); err != nil {
		s.t.Fatalf("add headers: %v", err)
	}
	return s
}

func (s *story) do(what func(context.Context, chainhash.Hash) error, name string) *story {
	s.t.Helper()
	if err := what(context.Background(), s.At(name).State.Hash); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return s
}

// tip wants the named block to be the tip, and the coins to be those after it.
func (s *story) tip(name string) *story {
	s.t.Helper()
	want := s.At(name)
	if got := s.c.Tip(); got != want.State {
		s.t.Fatalf("the tip is %v at height %d, want %s at %d", got.Hash, got.Height, name, want.State.Height)
	}
	s.coins(name)
	return s
}

// coins wants the coins in memory and on disk together to be those after the named block.
func (s *story) coins(name string) {
	s.t.Helper()
	want := s.At(name).Coins
	got := make(consensus.Coins)
	for key, value := range s.mem.snapshot() {
		if key[0] == coinPrefix {
			coin, err := decodeCoin([]byte(value))
			if err != nil {
				s.t.Fatal(err)
			}
			k := coinKey([]byte(key[1:]))
			got[k.outPoint()] = coin
		}
	}
	_ = s.c.coins.table.each(func(e entry) error {
		if e.flags()&coinExists == 0 {
			delete(got, e.key().outPoint())
			return nil
		}
		coin, err := decodeCoin(e.value())
		if err != nil {
			s.t.Fatal(err)
		}
		got[e.key().outPoint()] = coin
		return nil
	})
	if len(got) != len(want) || s.c.tally != tallyOf(want) {
		s.t.Fatalf("%d coins, counted %+v; after %s there are %d", len(got), s.c.tally, name, len(want))
	}
	for op, coin := range want {
		if g, ok := got[op]; !ok || !sameCoin(g, coin) {
			s.t.Fatalf("coin %v is %+v, want %+v", op, g, coin)
		}
	}
}

func tallyOf(coins consensus.Coins) (t tally) {
	for op := range coins {
		t.add(op)
	}
	return t
}

func sameCoin(a, b consensus.Coin) bool {
	return a.Value == b.Value && a.Height == b.Height && a.Coinbase == b.Coinbase && a.MedianTime == b.MedianTime &&
		string(a.PkScript) == string(b.PkScript)
}

// hash returns hash_serialized_3.
func (s *story) hash() chainhash.Hash {
	s.t.Helper()
	info, err := s.c.UTXOSet(context.Background(), ledger.HashSerialized)
	if err != nil {
		s.t.Fatalf("coin set: %v", err)
	}
	return info.Hash
}

// memStore is a Store in memory, which survives a kill.
type memStore struct {
	disk *faultyDisk // whose calls these are; nil never fails

	mu      sync.Mutex
	records map[string]string // replaced as a whole, so that views keep theirs
	limit   int               // changes that fit into an update; 0 is no limit
	updates int
}

func newMemStore() *memStore { return &memStore{records: map[string]string{}} }

func (m *memStore) snapshot() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records
}

// made returns how many updates there were.
func (m *memStore) made() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.updates
}

func (m *memStore) View(fn func(store.Reader) error) error {
	return fn(memView{m.disk, m.snapshot()})
}

func (m *memStore) Get(key []byte) ([]byte, error) { return memView{m.disk, m.snapshot()}.Get(key) }

func (m *memStore) Iterate(prefix []byte, fn func(key, value []byte) error) error {
	return memView{m.disk, m.snapshot()}.Iterate(prefix, fn)
}

func (m *memStore) Fits(b *store.Batch) bool { return m.limit == 0 || b.Len() <= m.limit }

func (m *memStore) Update(b *store.Batch) error {
	if !m.Fits(b) {
		return store.ErrTooBig
	}
	return m.disk.do("update", func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.updates++
		next := maps.Clone(m.records)
		b.Each(func(key, value []byte) {
			if value == nil {
				delete(next, string(key))
			} else {
				next[string(key)] = string(value)
			}
		})
		m.records = next
		return nil
	})
}

func (m *memStore) Need(n int64) int64 { return n }

func (m *memStore) Size() int64 { return int64(len(m.snapshot())) }

func (m *memStore) Verify(context.Context) error {
	return m.disk.do("verify", func() error { return nil })
}

// memView is one moment of a memStore.
type memView struct {
	disk    *faultyDisk
	records map[string]string
}

func (v memView) Get(key []byte) (value []byte, err error) {
	err = v.disk.do("get", func() error {
		text, ok := v.records[string(key)]
		if !ok {
			return store.ErrNotFound
		}
		value = []byte(text)
		return nil
	})
	return value, err
}

func (v memView) Iterate(prefix []byte, fn func(key, value []byte) error) error {
	var keys []string
	for key := range v.records {
		if strings.HasPrefix(key, string(prefix)) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return v.disk.do("iterate", func() error {
		for _, key := range keys {
			if err := fn([]byte(key), []byte(v.records[key])); err != nil {
				return err
			}
		}
		return nil
	})
}
