package chain

import (
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// What a record of the cache says of its coin.
const (
	coinExists uint8 = 1 << iota // it is unspent; otherwise the record says that it is not
	coinDirty                    // the disk does not know yet
	coinOnDisk                   // the disk has this coin, perhaps another value of it
)

// cache holds the coins that changed since the last flush and, as far as its budget goes, those that were created lately: they are the
// ones that will be spent. A coin that is created and spent between two flushes never reaches the disk.
type cache struct {
	table *table
	dirty int   // records that the disk does not know
	fresh int64 // about the bytes that a flush would write

	buf []byte // for the value of a record that is being made
}

func newCache() *cache { return &cache{table: newTable()} }

// bytes returns the memory that the cache takes.
func (c *cache) bytes() int64 { return c.table.bytes() }

// look adds those of the coins to found that exist, and returns those of which only the disk can say.
func (c *cache) look(ops []wire.OutPoint, found consensus.Coins) (unknown []wire.OutPoint, err error) {
	for _, op := range ops {
		key := keyOf(op)
		e, _ := c.table.find(&key)
		if e == nil {
			unknown = append(unknown, op)
			continue
		}
		if e.flags()&coinExists == 0 {
			continue
		}
		coin, err := decodeCoin(e.value())
		if err != nil {
			return nil, err
		}
		found[op] = coin
	}
	return unknown, nil
}

// take takes the changes of a view over.
func (c *cache) take(v *view) {
	if d := v.first; d != nil {
		for i := range d.Spent {
			c.set(&d.Spent[i].OutPoint, nil, true)
		}
		for i := range d.Created {
			c.set(&d.Created[i].OutPoint, &d.Created[i].Coin, false)
		}
		return
	}
	for op, ch := range v.changes {
		if ch.exists {
			c.set(&op, &ch.coin, ch.existed)
		} else {
			c.set(&op, nil, ch.existed)
		}
	}
}

// set makes coin what there is under a name; nil for nothing. A coin that existed before and is not here is on the disk.
func (c *cache) set(op *wire.OutPoint, coin *consensus.Coin, existed bool) {
	key, flags := keyOf(*op), coinDirty
	e, slot := c.table.find(&key)
	switch {
	case e != nil:
		flags |= e.flags() & coinOnDisk
		c.count(e.flags(), len(e.value()), -1)
	case existed:
		flags |= coinOnDisk
	}
	switch {
	case coin != nil:
		c.buf = appendCoin(c.buf[:0], coin)
		c.put(slot, &key, flags|coinExists, c.buf)
	case flags&coinOnDisk != 0:
		c.put(slot, &key, flags, nil)
	case e != nil:
		c.table.remove(slot)
	}
}

// put sets the record of a key, which is in a slot of the table or in none.
func (c *cache) put(slot int, key *coinKey, flags uint8, value []byte) {
	c.table.set(slot, key, flags, value)
	c.count(flags, len(value), 1)
}

// count keeps the sums in step with a record that comes or goes.
func (c *cache) count(flags uint8, length, sign int) {
	if flags&coinDirty != 0 {
		c.dirty += sign
		c.fresh += int64(sign * (len(coinKey{}) + length + recordOverhead))
	}
}

// eachDirty calls fn for what the disk does not know; a nil value deletes. It stops at fn's first error. What fn is given may not be kept.
func (c *cache) eachDirty(fn func(key *coinKey, value []byte) error) error {
	return c.table.each(func(e entry) error {
		switch {
		case e.flags()&coinDirty == 0:
			return nil
		case e.flags()&coinExists == 0:
			return fn(e.key(), nil)
		}
		return fn(e.key(), e.value())
	})
}

// settle records that the disk knows everything now.
func (c *cache) settle() {
	_ = c.table.each(func(e entry) error { // this one returns none
		switch {
		case e.flags()&coinDirty == 0:
		case e.flags()&coinExists == 0:
			_, slot := c.table.find(e.key())
			c.table.remove(slot)
		default:
			e.setFlags(coinExists | coinOnDisk)
		}
		return nil
	})
	c.dirty, c.fresh = 0, 0
}

// evict forgets coins that the disk knows until the cache takes no more than target bytes: about the oldest first.
func (c *cache) evict(target int64) {
	if c.bytes() <= target {
		return
	}
	left := c.table.liveBytes()
	c.table.sweep(func(e entry) bool {
		if left <= target || e.flags()&coinDirty != 0 {
			return true
		}
		left -= int64(recordUnits(len(e.value()))*unitBytes + slotShare)
		return false
	})
}

// slotShare is about what the index takes for a record.
const slotShare = 8
