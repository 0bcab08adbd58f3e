package chain

import (
	"encoding/binary"
	"hash/maphash"
)

// A record is a key, a byte of flags, two bytes of length and the value, in slabs, which hold no pointers: so millions of coins cost the
// garbage collector nothing. Records are named by their place, counted in units.
const (
	recordHead = len(coinKey{}) + 3
	unitBytes  = 4
	slabUnits  = 1 << 14 // 64 KiB: many times the longest record, so that little is lost at the ends
	maxValue   = 1 << 14 // a coin's script has at most 10,000 bytes

	freedMark = 0x80 // for the flags of a record whose room is free
)

// What the tag of a slot means; others are eight bits of the hash of its key.
const (
	tagEmpty   = 0
	tagRemoved = 1 // empty, but what was put here may have made others go further
	tagFirst   = 2
)

const minSlots = 64

// table maps keys to flags and a value. It is open addressing by a salted hash, so that nobody can choose keys that collide. Room that is freed
// is used again by records of the same length; sweep gathers the rest.
type table struct {
	seed maphash.Seed
	tags []uint8  // a power of two
	refs []uint32 // places of the records, in units; of the same length as tags
	full int      // slots that are not tagEmpty
	live int      // records

	slabs [][]byte                                                // of slabUnits each
	next  uint32                                                  // place of the next new record; 0 is not used
	units int                                                     // of the live records
	freed [(recordHead+maxValue+unitBytes-1)/unitBytes + 1]uint32 // the first free record of each length, which names the next in place of its key; 0 ends
}

func newTable() *table {
	return &table{seed: maphash.MakeSeed(), tags: make([]uint8, minSlots), refs: make([]uint32, minSlots), next: 1}
}

// bytes returns the memory that t takes, with what is free in it.
func (t *table) bytes() int64 { return int64(t.next)*unitBytes + t.indexBytes() }

// liveBytes returns the memory that the records need.
func (t *table) liveBytes() int64 { return int64(t.units)*unitBytes + t.indexBytes() }

func (t *table) indexBytes() int64 { return int64(len(t.tags)) * 5 }

// entry is a record in the table. It is valid until the next change.
type entry []byte

func (e entry) key() *coinKey { return (*coinKey)(e) }

func (e entry) flags() uint8 { return e[len(coinKey{})] }

func (e entry) setFlags(flags uint8) { e[len(coinKey{})] = flags }

func (e entry) value() []byte {
	return e[recordHead : recordHead+int(binary.LittleEndian.Uint16(e[recordHead-2:]))]
}

// recordUnits returns the length of a record with a value of n bytes.
func recordUnits(n int) int { return (recordHead + n + unitBytes - 1) / unitBytes }

func (t *table) at(ref uint32) entry {
	return t.slabs[ref/slabUnits][ref%slabUnits*unitBytes:]
}

// find returns the record of a key and its slot; nil if there is none.
func (t *table) find(key *coinKey) (entry, int) {
	h := maphash.Bytes(t.seed, key[:])
	tag, mask := tagOf(h), len(t.tags)-1
	for i := int(h) & mask; ; i = (i + 1) & mask {
		switch t.tags[i] {
		case tagEmpty:
			return nil, -1
		case tag:
			if e := t.at(t.refs[i]); *e.key() == *key {
				return e, i
			}
		}
	}
}

// tagOf takes other bits of a hash than those that choose the slot.
func tagOf(h uint64) uint8 { return max(uint8(h>>56), tagFirst) }

// set sets what a key maps to, which find has found in a slot, or in none. Flags are never 0.
func (t *table) set(slot int, key *coinKey, flags uint8, value []byte) {
	if slot < 0 {
		t.add(key, flags, value)
		return
	}
	e := t.at(t.refs[slot])
	if recordUnits(len(e.value())) != recordUnits(len(value)) {
		t.release(slot)
		e, t.refs[slot] = t.take(recordUnits(len(value)))
	}
	e.fill(key, flags, value)
}

// add adds a record for a key that has none.
func (t *table) add(key *coinKey, flags uint8, value []byte) {
	e, ref := t.take(recordUnits(len(value)))
	e.fill(key, flags, value)
	if (t.full+1)*16 > len(t.tags)*13 {
		t.reindex()
	}
	t.link(key, ref)
	t.live++
}

func (e entry) fill(key *coinKey, flags uint8, value []byte) {
	copy(e, key[:])
	e.setFlags(flags)
	binary.LittleEndian.PutUint16(e[recordHead-2:], uint16(len(value)))
	copy(e[recordHead:], value)
}

// remove removes the record in a slot.
func (t *table) remove(slot int) {
	t.release(slot)
	t.tags[slot] = tagRemoved
	t.live--
}

// release frees the room of the record in a slot.
func (t *table) release(slot int) {
	ref := t.refs[slot]
	e := t.at(ref)
	n := recordUnits(len(e.value()))
	e.setFlags(freedMark)
	binary.LittleEndian.PutUint32(e, t.freed[n])
	t.freed[n] = ref
	t.units -= n
}

// take returns room for a record of n units.
func (t *table) take(n int) (entry, uint32) {
	t.units += n
	if ref := t.freed[n]; ref != 0 {
		e := t.at(ref)
		t.freed[n] = binary.LittleEndian.Uint32(e)
		return e, ref
	}
	if uint32(n) > slabUnits-t.next%slabUnits { // the zeros that stay at the end of a slab are no record
		t.next = (t.next/slabUnits + 1) * slabUnits
	}
	if int(t.next/slabUnits) == len(t.slabs) {
		t.slabs = append(t.slabs, make([]byte, slabUnits*unitBytes))
	}
	ref := t.next
	t.next += uint32(n)
	return t.at(ref), ref
}

// link puts a key that is not in the index there.
func (t *table) link(key *coinKey, ref uint32) {
	h := maphash.Bytes(t.seed, key[:])
	mask := len(t.tags) - 1
	i := int(h) & mask
	for t.tags[i] >= tagFirst {
		i = (i + 1) & mask
	}
	if t.tags[i] == tagEmpty {
		t.full++
	}
	t.tags[i], t.refs[i] = tagOf(h), ref
}

// reindex makes an index with room for as many records again, without the slots of removed ones.
func (t *table) reindex() {
	size := minSlots
	for size*13 < t.live*16*3/2 {
		size *= 2
	}
	tags, refs := t.tags, t.refs
	t.tags, t.refs, t.full = make([]uint8, size), make([]uint32, size), 0
	for i, tag := range tags {
		if tag >= tagFirst {
			t.link(t.at(refs[i]).key(), refs[i])
		}
	}
}

// each calls fn for the records in the order of their places, and stops at its first error. fn may remove the record it is given.
func (t *table) each(fn func(e entry) error) error {
	for s := range t.slabs {
		if err := t.eachIn(s, fn); err != nil {
			return err
		}
	}
	return nil
}

// eachIn calls fn for the records in a slab.
func (t *table) eachIn(s int, fn func(e entry) error) error {
	slab, from := t.slabs[s], 0
	if s == 0 {
		from = unitBytes // place 0 is not used
	}
	end := min(len(slab), (int(t.next)-s*slabUnits)*unitBytes)
	for from+recordHead <= end {
		e := entry(slab[from:])
		n := recordUnits(len(e.value()))
		if e.flags() == 0 {
			return nil // zeros, up to the end of the slab
		}
		if e.flags() != freedMark {
			if err := fn(e); err != nil {
				return err
			}
		}
		from += n * unitBytes
	}
	return nil
}

// sweep removes the records that keep refuses and gathers the rest without gaps. Memory is given back as it goes, so that it takes
// little more than before.
func (t *table) sweep(keep func(e entry) bool) {
	old := *t
	*t = table{seed: old.seed, next: 1}
	t.tags, t.refs = make([]uint8, minSlots), make([]uint32, minSlots)
	old.tags, old.refs = nil, nil
	for s := range old.slabs {
		_ = old.eachIn(s, func(e entry) error { // this one returns none
			if keep(e) {
				t.add(e.key(), e.flags(), e.value())
			}
			return nil
		})
		old.slabs[s] = nil
	}
}
