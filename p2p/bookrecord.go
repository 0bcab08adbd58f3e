package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"groat/internal/store"
)

// Shelf is where p2p keeps what must outlast the process.
type Shelf interface {
	// Iterate calls fn for every record whose key begins with prefix.
	Iterate(prefix []byte, fn func(key, value []byte) error) error
	// Fits says whether Update would take b.
	Fits(b *store.Batch) bool
	// Update makes all changes of b or none.
	Update(b *store.Batch) error
}

// Keys on the shelf.
const (
	shelfSecret  = "secret"
	shelfEntry   = "peer/"
	shelfAnchors = "anchors"
	shelfBan     = "ban/"
)

// encode makes the stored form of an entry. Its place follows from the secret.
func (e *bookEntry) encode() []byte {
	b := []byte{1} // version
	b = appendRecord(b, e.peerRecord)
	flags := byte(0)
	if e.tried {
		flags = 1
	}
	b = append(b, flags)
	b = appendText(b, string(e.source.Addr().AsSlice()))
	b = binary.AppendUvarint(b, uint64(e.attempts))
	b = binary.LittleEndian.AppendUint64(b, uint64(unixOrZero(e.tryAt)))
	return binary.LittleEndian.AppendUint64(b, uint64(unixOrZero(e.success)))
}

func decodeEntry(raw []byte) (*bookEntry, error) {
	d := decoder{rest: raw}
	if v := d.take(1); d.err == nil && v[0] != 1 {
		return nil, fmt.Errorf("version %d of a peer record", v[0])
	}
	e := &bookEntry{peerRecord: d.record()}
	if flags := d.take(1); d.err == nil {
		e.tried = flags[0] == 1
	}
	source, _ := netip.AddrFromSlice([]byte(d.text(16))) // without one it is a group of its own
	e.source = netGroup(source)
	e.attempts = int(d.uvarint(1 << 20))
	e.tryAt, e.success = timeOrZero(int64(d.uint64())), timeOrZero(int64(d.uint64()))
	return e, d.end()
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func timeOrZero(sec int64) time.Time {
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0)
}

// load fills an empty book from the shelf. A record that cannot be read is forgotten: others will tell of the peer again.
func (b *book) load(s Shelf, now time.Time) error {
	err := s.Iterate([]byte(shelfEntry), func(_, value []byte) error {
		if e, err := decodeEntry(value); err == nil && (b.private || !isLocal(e.ip())) {
			b.restore(e, now)
		}
		return nil
	})
	clear(b.changed)
	return err
}

// restore puts a stored entry in its place. One that answered when it was last dialled need not rest: whoever starts again soon after its dials would
// find nobody for as long.
func (b *book) restore(e *bookEntry, now time.Time) {
	e.num = b.next
	b.next++
	if e.attempts == 0 {
		e.tryAt = time.Time{}
	}
	at := b.triedPlace(e.key())
	if !e.tried || b.tried[at.bucket][at.slot] != nil {
		b.shelve(e, now)
		return
	}
	e.place = at
	b.tried[at.bucket][at.slot] = e
	b.enter(e)
}

// change is a record to be stored, or to be deleted if there is no value.
type change struct{ key, value []byte }

// changes returns what has changed since the last call.
func (b *book) changes() []change {
	list := make([]change, 0, len(b.changed))
	for k := range b.changed {
		c := change{key: append([]byte(shelfEntry), k.bytes()...)}
		if e := b.entries[k]; e != nil {
			c.value = e.encode()
		}
		list = append(list, c)
	}
	clear(b.changed)
	return list
}

// saveAll writes changes in as many steps as it takes: each record is whole, and no two depend on each other.
func saveAll(s Shelf, list []change) error {
	var batch store.Batch
	for len(list) > 0 {
		batch.Reset()
		n := 0
		for ; n < len(list) && s.Fits(&batch); n++ {
			batch.Set(list[n].key, list[n].value)
		}
		if !s.Fits(&batch) && n > 1 {
			batch.Drop()
			n--
		}
		if err := s.Update(&batch); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// loadSecret reads the secret that places depend on; zero if there is none yet.
func loadSecret(s Shelf) (secret [16]byte, found bool, err error) {
	err = s.Iterate([]byte(shelfSecret), func(_, value []byte) error {
		if len(value) != len(secret) {
			return errors.New("the address book's secret is damaged")
		}
		copy(secret[:], value)
		found = true
		return nil
	})
	return secret, found, err
}
