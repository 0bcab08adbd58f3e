package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"groat/internal/disk"
)

// Store is a part's own view of the store: its keys lie under a name and nobody else sees them.
type Store struct {
	db     *DB
	prefix []byte
}

// Reader reads from one moment of the store.
type Reader interface {
	// Get returns a copy of the value of key, ErrNotFound or ErrDamaged.
	Get(key []byte) ([]byte, error)
	// Iterate calls fn for every key that begins with prefix, in the order of their bytes, and stops at fn's first error, which
	// it returns. Both slices are valid during the call only.
	Iterate(prefix []byte, fn func(key, value []byte) error) error
}

// Prefix returns the view for name, which is short and holds no slash.
func (db *DB) Prefix(name string) *Store {
	return &Store{db: db, prefix: []byte(name + "/")}
}

// View calls fn with a reader that sees the store as it is now, whatever is written meanwhile.
func (s *Store) View(fn func(Reader) error) error {
	txn := s.db.badger.NewTransaction(false)
	defer txn.Discard()
	return fn(&reader{txn: txn, prefix: s.prefix})
}

// Get returns the value of key, ErrNotFound or ErrDamaged.
func (s *Store) Get(key []byte) (value []byte, err error) {
	err = s.View(func(r Reader) error {
		value, err = r.Get(key)
		return err
	})
	return value, err
}

// Has says whether key exists.
func (s *Store) Has(key []byte) (bool, error) {
	switch _, err := s.Get(key); {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrNotFound):
		return false, nil
	default:
		return false, err
	}
}

// Iterate calls fn for every key that begins with prefix, as Reader does.
func (s *Store) Iterate(prefix []byte, fn func(key, value []byte) error) error {
	return s.View(func(r Reader) error { return r.Iterate(prefix, fn) })
}

// Fits says whether Update would take b.
func (s *Store) Fits(b *Batch) bool {
	bytes := b.bytes + int64(len(b.ops))*int64(len(s.prefix)+sumSize)
	return bytes < s.db.badger.MaxBatchSize() && int64(len(b.ops))+1 < s.db.badger.MaxBatchCount()
}

// Update makes all changes of b or none, and returns when they are on the disk. It returns ErrTooBig before it starts if b
// does not fit, and a *disk.FullError if there is not enough room.
func (s *Store) Update(b *Batch) error {
	if !s.Fits(b) {
		return ErrTooBig
	}
	if err := disk.Check(s.db.dir, s.db.Need(b.bytes)); err != nil {
		return err
	}
	txn := s.db.badger.NewTransaction(true)
	defer txn.Discard()
	for _, o := range b.ops {
		if err := s.set(txn, o); err != nil {
			return err
		}
	}
	if err := txn.Commit(); err != nil {
		return fmt.Errorf("write %d changes: %w", len(b.ops), disk.Explain(s.db.dir, err))
	}
	return nil
}

func (s *Store) set(txn *badger.Txn, o op) error {
	key := s.key(o.key)
	if o.value == nil {
		if err := txn.Delete(key); err != nil {
			return fmt.Errorf("delete %x: %w", o.key, err)
		}
		return nil
	}
	if len(o.value) > maxValue {
		return fmt.Errorf("%w: a value of %d bytes", ErrTooBig, len(o.value))
	}
	if err := txn.Set(key, seal(o.key, o.value)); err != nil {
		return fmt.Errorf("set %x: %w", o.key, err)
	}
	return nil
}

func (s *Store) key(k []byte) []byte { return append(s.prefix[:len(s.prefix):len(s.prefix)], k...) }

// Need is DB.Need.
func (s *Store) Need(n int64) int64 { return s.db.Need(n) }

// Size is DB.Size: of the whole store.
func (s *Store) Size() int64 { return s.db.Size() }

// Verify is DB.Verify: of the whole store.
func (s *Store) Verify(ctx context.Context) error { return s.db.Verify(ctx) }

type reader struct {
	txn    *badger.Txn
	prefix []byte
	buf    []byte // the last key asked for
}

// Get implements Reader.
func (r *reader) Get(key []byte) (value []byte, err error) {
	defer recoverDamage(&err)
	r.buf = append(append(r.buf[:0], r.prefix...), key...)
	item, err := r.txn.Get(r.buf)
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return nil, ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("read %x: %w", key, err)
	}
	err = item.Value(func(sealed []byte) error {
		plain, err := unseal(key, sealed)
		value = append([]byte{}, plain...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %x: %w", key, err)
	}
	return value, nil
}

// Iterate implements Reader.
func (r *reader) Iterate(prefix []byte, fn func(key, value []byte) error) error {
	full := append(r.prefix[:len(r.prefix):len(r.prefix)], prefix...)
	it := cursor{inner: r.txn.NewIterator(badger.IteratorOptions{Prefix: full}), own: len(r.prefix)}
	defer it.inner.Close()
	for {
		key, value, err := it.next()
		switch {
		case err != nil:
			return err
		case key == nil:
			return nil
		}
		if err := fn(key, value); err != nil {
			return err
		}
	}
}

// cursor steps through a Badger iterator.
type cursor struct {
	inner   *badger.Iterator
	own     int // length of the view's prefix
	started bool
}

// next returns the next record, and a nil key after the last.
func (c *cursor) next() (key, value []byte, err error) {
	defer recoverDamage(&err)
	if c.started {
		c.inner.Next()
	} else {
		c.inner.Rewind()
		c.started = true
	}
	if !c.inner.Valid() {
		return nil, nil, nil
	}
	item := c.inner.Item()
	key = item.Key()[c.own:]
	err = item.Value(func(sealed []byte) (err error) {
		value, err = unseal(key, sealed)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read %x: %w", key, err)
	}
	return key, value, nil
}
