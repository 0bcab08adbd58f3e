package chain

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/internal/blockfile"
	"groat/internal/ledger"
)

// KeepBlocks is how many blocks below the tip are kept whatever room they take, as in Bitcoin Core: a reorganisation needs them, and so do peers.
const KeepBlocks = 288

// series is the block files or the undo files while some are chosen for removal.
type series struct {
	files *blockfile.Files
	at    func(*node) *blockfile.Location
}

// oldFile is a file that may be removed.
type oldFile struct {
	series  int
	number  uint32
	size    int64
	highest int32 // of the blocks that are in it
}

// prune removes old files until the rest takes no more room than it may. The index says first, for good, that their blocks are gone: a crash in
// between leaves files that nobody refers to, which are the first to go next time. Everything must have been flushed.
func (c *Chain) prune() error {
	if c.o.Prune == 0 || c.blocks.Size()+c.undos.Size() <= c.o.Prune {
		return nil
	}
	both := []series{
		{c.blocks, func(n *node) *blockfile.Location { return &n.block }},
		{c.undos, func(n *node) *blockfile.Location { return &n.undo }},
	}
	old := c.choose(both)
	if len(old) == 0 {
		return nil
	}
	c.forget(both, old)
	if err := c.write(); err != nil {
		return err
	}
	c.point(pointPruned)
	for _, f := range old {
		if err := both[f.series].files.Remove(f.number); err != nil {
			return c.fault(err)
		}
		c.point(pointRemoved)
	}
	c.o.Log.Info("pruned", "height", c.Pruning().Height, "files", len(old))
	return nil
}

// choose returns the files to remove, the oldest first.
func (c *Chain) choose(both []series) []oldFile {
	var old []oldFile
	room := c.o.Prune
	for k, s := range both {
		highest := make(map[uint32]int32)
		c.mu.RLock()
		for i := range c.tree.len {
			n := c.tree.at(i)
			if loc := s.at(n); loc.Length != 0 {
				highest[loc.File] = max(highest[loc.File], n.height)
			}
		}
		c.mu.RUnlock()
		for number, size := range s.files.Ended() {
			if h := highest[number]; h <= c.tip.Height-KeepBlocks {
				old = append(old, oldFile{k, number, size, h})
			}
		}
	}
	slices.SortFunc(old, func(a, b oldFile) int {
		return cmp.Or(cmp.Compare(a.highest, b.highest), cmp.Compare(a.series, b.series), cmp.Compare(a.number, b.number))
	})
	used := c.blocks.Size() + c.undos.Size()
	for k, f := range old {
		if used <= room {
			return old[:k]
		}
		used -= f.size
	}
	return old
}

// forget notes that the blocks in these files are gone. One that lost only its block or only its undo record is of no use either. What was never
// part of the best chain is as if it had not come.
func (c *Chain) forget(both []series, old []oldFile) {
	gone := make([]map[uint32]bool, len(both))
	for k := range both {
		gone[k] = make(map[uint32]bool)
	}
	for _, f := range old {
		gone[f.series][f.number] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	branches := false
	for i := range c.tree.len {
		n := c.tree.at(i)
		lost := false
		for k, s := range both {
			loc := s.at(n)
			lost = lost || loc.Length != 0 && gone[k][loc.File]
		}
		if !lost {
			continue
		}
		n.block, n.undo = blockfile.Location{}, blockfile.Location{}
		if c.tree.isActive(i) {
			n.flags |= pruned
		} else {
			branches = true
			c.recent.remove(i)
		}
		c.tree.touch(i)
	}
	if branches {
		c.tree.relink()
	}
}

// Pruning says which blocks have been removed.
func (c *Chain) Pruning() ledger.Pruning {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p := ledger.Pruning{Pruned: c.o.Prune > 0, Automatic: c.o.Prune > 0, Target: c.o.Prune}
	for h := len(c.tree.active) - 1; h >= 0; h-- {
		if c.tree.at(c.tree.active[h]).has(pruned) {
			p.Pruned, p.Height = true, int32(h)+1
			break
		}
	}
	return p
}

// canUndo returns an error if a block that is to be taken from the best chain has been pruned, or one above it.
func (c *Chain) canUndo(hash chainhash.Hash) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i, ok := c.tree.find(hash)
	if !ok || !c.tree.isActive(i) {
		return nil
	}
	for _, j := range c.tree.active[c.tree.at(i).height:] {
		if n := c.tree.at(j); n.has(pruned) {
			return fmt.Errorf("block %v at height %d would have to be undone: %w", n.hash, n.height, ledger.ErrPruned)
		}
	}
	return nil
}
