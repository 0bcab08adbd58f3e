package chain

import (
	"context"
	"errors"
	"fmt"

	"groat/internal/disk"
	"groat/internal/store"
)

// record is a change to the store; a nil value deletes.
type record struct{ key, value []byte }

// Flush writes everything that is in memory only. When it returns nil, this tip is what a crash leaves.
func (c *Chain) Flush(ctx context.Context) error {
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	return c.flush()
}

// flush is Flush for the writer. It prunes what is not wanted any more.
func (c *Chain) flush() error {
	if err := c.write(); err != nil {
		return err
	}
	return c.prune()
}

// write writes everything that is in memory only. The order makes it safe to end anywhere: the files are synced before a record refers to them; then either
// one transaction has it all, or the goal is noted and Open finishes what was begun. After a failure that may have left a part on the
// disk nothing is written any more, because what is in memory relies on what the disk holds.
func (c *Chain) write() error {
	if c.broken != nil {
		return c.broken
	}
	nodes, goal := c.unsaved()
	if len(nodes) == 0 && c.coins.dirty == 0 && goal.tip == c.disk.tip {
		return nil
	}
	if err := c.enough(); err != nil {
		c.unsave(nodes)
		return c.fault(err)
	}
	c.point(pointFlush)
	err := c.syncFiles(&goal)
	if err == nil {
		err = c.writeAll(nodes, &goal)
	}
	if err != nil {
		c.unsave(nodes)
		var full *disk.FullError
		if !errors.As(err, &full) || full.Free < 0 || c.broken != nil {
			c.broken = fmt.Errorf("stopped after a failed write: %w", err)
		}
		return c.fault(fmt.Errorf("flush at height %d: %w", c.tip.Height, err))
	}
	c.o.Log.Debug("flushed", "height", c.tip.Height, "hash", goal.tip, "coins", c.coins.dirty, "headers", len(nodes))
	c.mu.Lock()
	c.coins.settle()
	c.coins.evict(c.o.CacheBytes / 2)
	c.mu.Unlock()
	c.disk, c.since, c.last = goal, 0, c.o.Now()
	c.point(pointFlushed)
	return nil
}

// unsaved takes the nodes that the disk does not know, and says where the coins in memory lead.
func (c *Chain) unsaved() ([]id, place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := c.tree.unsaved
	for _, i := range nodes {
		c.tree.at(i).flags &^= unsaved // one that changes from now on is unsaved again
	}
	c.tree.unsaved = nil
	return nodes, place{tip: c.tip.Hash, tally: c.tally}
}

// unsave gives back what unsaved took.
func (c *Chain) unsave(nodes []id) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range nodes {
		c.tree.touch(i)
	}
}

// eachNode calls fn for the records of nodes and stops at its first error. They are made one by one: there may be a million.
func (c *Chain) eachNode(nodes []id, goal *place, fn func(record) error) error {
	for _, i := range nodes {
		c.mu.RLock()
		key, value := c.tree.encodeNode(i, goal.blocks)
		c.mu.RUnlock()
		if err := fn(record{key, value}); err != nil {
			return err
		}
	}
	return nil
}

// enough checks that there is room for the whole flush before it begins.
func (c *Chain) enough() error {
	c.mu.RLock()
	pending := c.pending()
	c.mu.RUnlock()
	return disk.Check(c.o.Dir, c.o.Store.Need(pending))
}

func (c *Chain) syncFiles(goal *place) (err error) {
	if goal.blocks, err = c.blocks.Sync(); err != nil {
		c.broken = err
		return err
	}
	c.point(pointBlocksSynced)
	if goal.undos, err = c.undos.Sync(); err != nil {
		c.broken = err
	}
	c.point(pointUndosSynced)
	return err
}

// writeAll writes nodes, coins and the place to the store, in one transaction if they fit.
func (c *Chain) writeAll(nodes []id, goal *place) error {
	var all store.Batch
	fill := func(r record) error {
		all.Set(r.key, r.value)
		if !c.o.Store.Fits(&all) {
			return store.ErrTooBig
		}
		return nil
	}
	err := c.fillAll(nodes, goal, fill)
	if err == nil {
		return c.o.Store.Update(&all)
	}
	if !errors.Is(err, store.ErrTooBig) {
		return err
	}
	return c.writeInParts(nodes, goal)
}

func (c *Chain) fillAll(nodes []id, goal *place, fill func(record) error) error {
	for _, r := range c.reached(goal) {
		if err := fill(r); err != nil {
			return err
		}
	}
	if err := c.eachNode(nodes, goal, fill); err != nil {
		return err
	}
	return c.eachDirty(fill)
}

func (c *Chain) eachDirty(fn func(record) error) error {
	return c.coins.eachDirty(func(key *coinKey, value []byte) error {
		r := record{key: append([]byte{coinPrefix}, key[:]...)}
		if value != nil {
			r.value = append([]byte{}, value...)
		}
		return fn(r)
	})
}

// reached returns the records which say that the coins on disk are those of goal.
func (c *Chain) reached(goal *place) []record {
	return []record{{[]byte(placeKey), goal.encode(c.o.Params.GenesisHash)}, {key: []byte(goalKey)}}
}

// writeInParts writes what does not fit into one transaction. The index comes first, then the goal: a crash after that lets Open
// work out again from the files what the coins have to be, and each of those changes may be made twice.
func (c *Chain) writeInParts(nodes []id, goal *place) error {
	w := parts{store: c.o.Store}
	// In a new directory the first parts would otherwise belong to nothing.
	if err := w.add(record{[]byte(placeKey), c.disk.encode(c.o.Params.GenesisHash)}); err != nil {
		return c.half(err)
	}
	if err := c.eachNode(nodes, goal, w.add); err != nil {
		return c.half(err)
	}
	if err := w.flush(); err != nil {
		return c.half(err)
	}
	c.point(pointIndex)
	if err := w.end(record{[]byte(goalKey), goal.encode(c.o.Params.GenesisHash)}); err != nil {
		return c.half(err)
	}
	c.point(pointGoal)
	if err := c.writeCoins(); err != nil {
		return c.half(err)
	}
	c.point(pointPlace)
	if err := w.end(c.reached(goal)...); err != nil {
		return c.half(err)
	}
	return nil
}

// half remembers that a flush ended in the middle.
func (c *Chain) half(err error) error {
	c.broken = err
	return err
}

// writeCoins writes the coins that the disk does not know, in as many transactions as it takes.
func (c *Chain) writeCoins() error {
	w := parts{store: c.o.Store, wrote: func() { c.point(pointCoins) }}
	if err := c.eachDirty(w.add); err != nil {
		return err
	}
	return w.end()
}

// parts writes records in transactions that are as large as the store takes.
type parts struct {
	store Store
	batch store.Batch
	wrote func() // called after each, if it is not nil
}

func (w *parts) add(r record) error {
	w.batch.Set(r.key, r.value)
	if w.store.Fits(&w.batch) {
		return nil
	}
	w.batch.Drop()
	if err := w.flush(); err != nil {
		return err
	}
	w.batch.Set(r.key, r.value)
	return nil
}

// end writes what was added, and then the last records in a transaction of their own.
func (w *parts) end(last ...record) error {
	if err := w.flush(); err != nil || len(last) == 0 {
		return err
	}
	for _, r := range last {
		w.batch.Set(r.key, r.value)
	}
	return w.flush()
}

func (w *parts) flush() error {
	if w.batch.Len() == 0 {
		return nil
	}
	if err := w.store.Update(&w.batch); err != nil {
		return err
	}
	w.batch.Reset()
	if w.wrote != nil {
		w.wrote()
	}
	return nil
}
