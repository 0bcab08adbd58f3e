package chain

import (
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// What a slot says of its coin.
const (
	coinExists uint8 = 1 << iota // it is unspent; otherwise the slot says that it is not
	coinDirty                    // the disk does not know yet
	coinOnDisk                   // the disk has this coin, perhaps another value of it
)

const (
	slotValue = 50  // holds the usual scripts
	longValue = 255 // for slot.n: the value is in cache.long

	slotBytes = 128 // of memory for a key and its slot, with the room that a map leaves
)

// slot holds no pointer, so that millions of them cost the garbage collector nothing.
type slot struct {
	flags uint8
	n     uint8 // length of value
	value [slotValue]byte
}

// cache holds the coins that changed since the last flush and, as far as its budget goes, those that were created lately: they are the
// ones that will be spent. A coin that is created and spent between two flushes never reaches the disk.
type cache struct {
	slots map[coinKey]slot
	long  map[coinKey][]byte
	bytes int64 // of memory, about
	dirty int   // slots that the disk does not know
	fresh int64 // about the bytes that a flush would write
}

func newCache() *cache {
	return &cache{slots: make(map[coinKey]slot), long: make(map[coinKey][]byte)}
}

// look adds those of the coins to found that exist, and returns those of which only the disk can say.
func (c *cache) look(ops []wire.OutPoint, found consensus.Coins) (unknown []wire.OutPoint, err error) {
	for _, op := range ops {
		key := keyOf(op)
		s, known := c.slots[key]
		if !known {
			unknown = append(unknown, op)
			continue
		}
		if s.flags&coinExists == 0 {
			continue
		}
		coin, err := decodeCoin(c.value(key, &s))
		if err != nil {
			return nil, err
		}
		found[op] = coin
	}
	return unknown, nil
}

func (c *cache) value(key coinKey, s *slot) []byte {
	if s.n == longValue {
		return c.long[key]
	}
	return s.value[:s.n]
}

// apply takes the changes of a view over.
func (c *cache) apply(changes map[wire.OutPoint]change) {
	var buf []byte
	for op, ch := range changes {
		key := keyOf(op)
		flags := coinDirty
		if s, known := c.slots[key]; known {
			flags |= s.flags & coinOnDisk
			c.drop(key, s)
		} else if ch.existed {
			flags |= coinOnDisk
		}
		switch {
		case ch.exists:
			buf = appendCoin(buf[:0], &ch.coin)
			c.put(key, flags|coinExists, buf)
		case flags&coinOnDisk != 0:
			c.put(key, flags, nil)
		}
	}
}

func (c *cache) put(key coinKey, flags uint8, value []byte) {
	s := slot{flags: flags, n: uint8(min(len(value), longValue))}
	if len(value) > slotValue {
		s.n = longValue
		c.long[key] = append([]byte{}, value...)
	} else {
		copy(s.value[:], value)
	}
	c.slots[key] = s
	c.count(s, len(value), 1)
}

func (c *cache) drop(key coinKey, s slot) {
	c.count(s, len(c.value(key, &s)), -1)
	delete(c.slots, key)
	if s.n == longValue {
		delete(c.long, key)
	}
}

func (c *cache) count(s slot, length, sign int) {
	size := slotBytes
	if s.n == longValue {
		size += slotBytes + length
	}
	c.bytes += int64(sign * size)
	if s.flags&coinDirty != 0 {
		c.dirty += sign
		c.fresh += int64(sign * (len(coinKey{}) + length + recordOverhead))
	}
}

// eachDirty calls fn for what the disk does not know; a nil value deletes. It stops at fn's first error.
func (c *cache) eachDirty(fn func(key coinKey, value []byte) error) error {
	for key, s := range c.slots {
		if s.flags&coinDirty == 0 {
			continue
		}
		var value []byte
		if s.flags&coinExists != 0 {
			value = c.value(key, &s)
		}
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}

// settle records that the disk knows everything now.
func (c *cache) settle() {
	for key, s := range c.slots {
		if s.flags&coinDirty == 0 {
			continue
		}
		if s.flags&coinExists == 0 {
			delete(c.slots, key)
			c.bytes -= slotBytes
			continue
		}
		s.flags = coinExists | coinOnDisk
		c.slots[key] = s
	}
	c.dirty, c.fresh = 0, 0
}

// evict forgets coins that the disk knows until the cache takes no more than target bytes.
func (c *cache) evict(target int64) {
	for key, s := range c.slots {
		if c.bytes <= target {
			return
		}
		if s.flags&coinDirty == 0 {
			c.drop(key, s)
		}
	}
}
