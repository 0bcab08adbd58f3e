package chain

import (
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// Info returns what is known of a block, or ledger.ErrUnknownBlock.
func (c *Chain) Info(hash chainhash.Hash) (ledger.BlockInfo, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i, ok := c.tree.find(hash)
	if !ok {
		return ledger.BlockInfo{}, ledger.ErrUnknownBlock
	}
	n := c.tree.at(i)
	info := ledger.BlockInfo{State: c.tree.state(i), Status: c.tree.status(i), Txs: int(n.txs), HaveData: n.block.Length != 0}
	if above := int(n.height) + 1; c.tree.isActive(i) && above < len(c.tree.active) {
		info.Next = c.tree.at(c.tree.active[above]).hash
	}
	return info, nil
}

// status returns how far i has been checked.
func (t *tree) status(i id) ledger.Status {
	n := t.at(i)
	switch {
	case t.isActive(i):
		return ledger.Active
	case n.has(invalid):
		return ledger.Invalid
	case !n.has(linked):
		return ledger.HeadersOnly
	case n.has(connected):
		return ledger.ValidFork
	}
	return ledger.ValidHeaders
}

// AtHeight returns the block of the best chain at the given height.
func (c *Chain) AtHeight(h int32) (chainhash.Hash, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if h < 0 || int(h) >= len(c.tree.active) {
		return chainhash.Hash{}, false
	}
	return c.tree.at(c.tree.active[h]).hash, true
}

// stored returns the node of a block that is here, or ledger.ErrUnknownBlock, ledger.ErrNoData or ledger.ErrPruned.
func (c *Chain) stored(hash chainhash.Hash) (node, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i, ok := c.tree.find(hash)
	if !ok {
		return node{}, ledger.ErrUnknownBlock
	}
	switch n := c.tree.at(i); {
	case n.has(pruned):
		return node{}, ledger.ErrPruned
	case n.here():
		return *n, nil
	}
	return node{}, ledger.ErrNoData
}

// Has says whether the block is here, or was before it was pruned.
func (c *Chain) Has(hash chainhash.Hash) bool {
	_, err := c.stored(hash)
	return err == nil || errors.Is(err, ledger.ErrPruned)
}

// RawBlock returns a serialized block, or ledger.ErrUnknownBlock, ledger.ErrNoData or ledger.ErrPruned.
func (c *Chain) RawBlock(hash chainhash.Hash) ([]byte, error) {
	n, err := c.stored(hash)
	if err != nil {
		return nil, err
	}
	raw, err := c.blocks.Read(n.block)
	if _, gone := c.stored(hash); err != nil && gone != nil { // while we read
		return nil, gone
	}
	if err != nil {
		return nil, damaged(fmt.Errorf("block %v: %w", hash, err))
	}
	return raw, nil
}

// Block returns a block, or the errors of RawBlock.
func (c *Chain) Block(hash chainhash.Hash) (*consensus.Block, error) {
	c.mu.RLock()
	b := c.latest
	c.mu.RUnlock()
	if b != nil && b.Hash() == hash {
		return b, nil
	}
	raw, err := c.RawBlock(hash)
	if err != nil {
		return nil, err
	}
	if b, err = consensus.ParseBlock(raw); err != nil {
		return nil, fmt.Errorf("%w: block %v: %v", ErrDamaged, hash, err)
	}
	return b, nil
}

// UndoOf returns the coins that a block spent, in order and without those it created itself, or ledger.ErrUnknownBlock, or ledger.ErrNoData
// if the block was never connected. The first block spent none.
func (c *Chain) UndoOf(hash chainhash.Hash) ([]consensus.Entry, error) {
	n, err := c.stored(hash)
	switch {
	case err != nil:
		return nil, err
	case n.height == 0:
		return nil, nil
	case n.undo.Length == 0:
		return nil, ledger.ErrNoData
	}
	return c.spentBy(&n)
}

// Coins returns those of the coins that exist, and the tip that this is true of.
func (c *Chain) Coins(ops []wire.OutPoint) (consensus.Coins, consensus.State, error) {
	const patience = 8
	for range patience {
		coins, unknown, tip, commits, err := c.cached(ops)
		if err == nil {
			err = c.read(unknown, coins)
		}
		if err != nil {
			return nil, consensus.State{}, damaged(err)
		}
		// Until the next tip a coin that the cache does not know is on the disk or nowhere, whatever is flushed meanwhile.
		if len(unknown) == 0 || c.stillAt(commits) {
			return coins, tip, nil
		}
	}
	// Blocks come faster than the disk answers, so they have to wait this once.
	c.writer <- struct{}{}
	defer c.release()
	coins, unknown, tip, _, err := c.cached(ops)
	if err == nil {
		err = c.read(unknown, coins)
	}
	return coins, tip, damaged(err)
}

func (c *Chain) cached(ops []wire.OutPoint) (coins consensus.Coins, unknown []wire.OutPoint, tip consensus.State, commits uint64, err error) {
	coins = make(consensus.Coins, len(ops))
	c.mu.RLock()
	defer c.mu.RUnlock()
	unknown, err = c.coins.look(ops, coins)
	return coins, unknown, c.tip, c.commits, err
}

func (c *Chain) stillAt(commits uint64) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.commits == commits
}

// Tips returns the ends of all branches, the one with the most work first.
func (c *Chain) Tips() []ledger.Tip {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tree
	inner := make([]bool, t.len)
	for i := id(1); i < t.len; i++ {
		if !t.isActive(i) { // the tip is one even if headers follow it
			inner[t.at(i).parent] = true
		}
	}
	var ends []id
	for i := range t.len {
		if i == t.tip() || (!inner[i] && !t.isActive(i)) {
			ends = append(ends, i)
		}
	}
	slices.SortStableFunc(ends, func(a, b id) int { return t.work(b).Cmp(t.work(a)) })
	tips := make([]ledger.Tip, len(ends))
	for k, i := range ends {
		n := t.at(i)
		tips[k] = ledger.Tip{
			Ref:          ledger.Ref{Hash: n.hash, Height: n.height},
			BranchLength: n.height - t.at(t.fork(i, t.tip())).height,
			Status:       t.status(i),
		}
	}
	return tips
}

// Since returns the way from a follower's place to the tip, of at most max blocks: a longer one is continued from where it ends. The zero hash is the
// place before the first block. ledger.ErrUnknownBlock is returned for a place that is not in the tree.
func (c *Chain) Since(place chainhash.Hash, max int) (ledger.Path, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tree
	var p ledger.Path
	next := int32(0)
	if place != (chainhash.Hash{}) {
		i, ok := t.find(place)
		if !ok {
			return p, ledger.ErrUnknownBlock
		}
		for ; !t.isActive(i); i = t.at(i).parent {
			if len(p.Undo) == max {
				return p, nil
			}
			p.Undo = append(p.Undo, ledger.Ref{Hash: t.at(i).hash, Height: t.at(i).height})
		}
		next = t.at(i).height + 1
	}
	for ; int(next) < len(t.active) && len(p.Undo)+len(p.Connect) < max; next++ {
		p.Connect = append(p.Connect, ledger.Ref{Hash: t.at(t.active[next]).hash, Height: next})
	}
	return p, nil
}

// Locator returns hashes that tell a peer where our best header is: the last ones each, then at growing distances, and the first block.
func (c *Chain) Locator() []chainhash.Hash {
	c.mu.RLock()
	defer c.mu.RUnlock()
	path := c.tree.headers
	var out []chainhash.Hash
	step := 1
	for h := len(path) - 1; h > 0; h -= step {
		out = append(out, c.tree.at(path[h]).hash)
		if len(out) >= 10 {
			step *= 2
		}
	}
	return append(out, c.tree.at(0).hash)
}

// HeadersAfter returns headers of the best chain that follow the first hash of locator which is on it, up to stop and max of them. Without
// a locator it returns the header of stop.
func (c *Chain) HeadersAfter(locator []chainhash.Hash, stop chainhash.Hash, max int) []wire.BlockHeader {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tree
	if len(locator) == 0 {
		if i, ok := t.find(stop); ok && max > 0 {
			return []wire.BlockHeader{t.header(i)}
		}
		return nil
	}
	h := 1
	for _, hash := range locator {
		if i, ok := t.find(hash); ok && t.isActive(i) {
			h = int(t.at(i).height) + 1
			break
		}
	}
	var out []wire.BlockHeader
	for ; h < len(t.active) && len(out) < max; h++ {
		out = append(out, t.header(t.active[h]))
		if t.at(t.active[h]).hash == stop {
			break
		}
	}
	return out
}

// Wanted returns blocks on the way from the tip to the best header that are not here, at most max, the lowest first.
func (c *Chain) Wanted(max int) []ledger.Ref {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tree
	var out []ledger.Ref
	for h := int(t.at(t.fork(t.tip(), t.bestHeader())).height) + 1; h < len(t.headers) && len(out) < max; h++ {
		if n := t.at(t.headers[h]); !n.here() {
			out = append(out, ledger.Ref{Hash: n.hash, Height: n.height})
		}
	}
	return out
}

// asideWindow is how far beyond the active chain WantedAside looks.
const asideWindow = 1024

// WantedAside is Wanted for a goal that is not on the way to the best header: fork is the height at which its way leaves that one, -1 if
// it does not or if goal is unknown, invalid or of no more work than the tip. Blocks before fork are left to Wanted.
func (c *Chain) WantedAside(goal chainhash.Hash, max int) (fork int32, refs []ledger.Ref) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tree
	i, ok := t.find(goal)
	if !ok || t.at(i).has(invalid) || t.work(i).Cmp(t.work(t.tip())) <= 0 {
		return -1, nil
	}
	leaves := t.fork(i, t.bestHeader())
	if leaves == i {
		return -1, nil
	}
	fork = t.at(leaves).height
	base := t.at(t.fork(i, t.tip())).height
	if base < fork {
		return fork, nil
	}
	for h := base + 1; h <= min(t.at(i).height, base+asideWindow) && len(refs) < max; h++ {
		if n := t.at(t.ancestor(i, h)); !n.here() {
			refs = append(refs, ledger.Ref{Hash: n.hash, Height: h})
		}
	}
	return fork, refs
}
