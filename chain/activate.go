package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/ledger"
	"groat/internal/store"
)

// A reorganisation that changes more coins than fit into a part of the memory for them is committed in steps, on the way down too.
const (
	viewShare   = 4    // of that memory, as a divisor
	changeBytes = 200  // of memory that a changed coin takes in a view, about
	leastView   = 4096 // changes that are always taken at once
)

// viewChanges returns how many changes a view holds at most, or a block more, with so much memory for coins.
func viewChanges(cacheBytes int64) int { return int(max(cacheBytes/viewShare/changeBytes, leastView)) }

// activate moves the tip to the best block that is here. The writer calls it. A block that breaks a rule on the way is marked and the
// next best is taken, so that an error is never a block's.
func (c *Chain) activate(ctx context.Context) error {
	for {
		c.mu.RLock()
		from, to := c.tree.tip(), c.tree.best
		undo, connect := c.tree.path(from, to)
		c.mu.RUnlock()
		if from == to {
			return nil
		}
		if err := c.move(ctx, undo, connect); err != nil {
			return err
		}
	}
}

// move undoes and connects blocks on a view and commits it wherever it has more work than the tip, and at the end. It returns nil early if a
// block turned out invalid, with what was not committed dropped, or if there is a better way to go now.
func (c *Chain) move(ctx context.Context, undo, connect []id) error {
	v, at, moved := newView(c.load), c.tip, int32(0)
	commit := func() error {
		err := c.commit(v, at, moved)
		v, moved = newView(c.load), 0
		return err
	}
	for k, i := range undo {
		if err := c.disconnect(ctx, v, i); err != nil {
			return err
		}
		at, moved = c.before(i), moved+1
		if last := k == len(undo)-1 && len(connect) == 0; last || v.size() > c.far {
			if err := commit(); err != nil {
				return err
			}
			c.point(pointReorgStep)
		}
	}
	if len(undo) > 0 && len(connect) > 0 {
		c.o.Log.Info("reorganising", "height", at.Height, "hash", at.Hash, "undone", len(undo))
		c.point(pointReorg)
	}
	if len(undo) == 0 && len(connect) > 1 {
		if err := c.rush(ctx, connect); err != nil || c.tip != at {
			return err
		}
	}
	for k, i := range connect {
		next, err := c.connect(ctx, v, at, i)
		if err != nil {
			return c.refuse(i, err)
		}
		at, moved = next, moved+1
		if k < len(connect)-1 && at.Work.Cmp(c.tip.Work) <= 0 && v.size() <= c.far {
			continue
		}
		if err := commit(); err != nil {
			return err
		}
		if c.bestChanged(connect) {
			return nil
		}
	}
	return nil
}

// before returns the place before i.
func (c *Chain) before(i id) consensus.State {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tree.state(c.tree.at(i).parent)
}

// bestChanged says whether the way to the last of path is not the way to go any more.
func (c *Chain) bestChanged(path []id) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	last := path[len(path)-1]
	return c.tree.at(last).has(invalid) || (c.tree.best != last && c.tree.fork(c.tree.best, last) != last)
}

// refuse marks i if err is a rule that it broke, and returns err otherwise.
func (c *Chain) refuse(i id, err error) error {
	var rule consensus.RuleError
	if !errors.As(err, &rule) {
		return err
	}
	c.mu.Lock()
	n := *c.tree.at(i)
	before := c.tree.bestHeader()
	if !rule.Kind.Mutation() {
		c.condemn(i, rule)
	}
	changed := c.tree.bestHeader() != before
	c.mu.Unlock()
	if rule.Kind.Mutation() {
		// Such copies are refused before they are stored, so the disk must have changed this one.
		return c.fault(fmt.Errorf("%w: block %v: %v", ErrDamaged, n.hash, rule))
	}
	c.o.Log.Warn("invalid block", "height", n.height, "hash", n.hash, "err", rule)
	if changed {
		c.heads.ring()
	}
	return nil
}

// fitted is a block that fits where it stands, whatever its scripts say.
type fitted struct {
	i      id
	node   node // of i
	block  *consensus.Block
	spent  []consensus.Entry
	checks []consensus.ScriptCheck // none if they are known to pass
	after  consensus.State
}

// connect connects i, which follows at, on v and returns the place after it. Its scripts are run unless they are known to be valid.
func (c *Chain) connect(ctx context.Context, v *view, at consensus.State, i id) (consensus.State, error) {
	l, err := c.link(ctx, v, at, i)
	if err != nil {
		return at, c.doubt(ctx, err)
	}
	if len(l.checks) > 0 {
		if err := c.o.Scripts.Verify(ctx, l.checks); err != nil {
			return at, err
		}
	}
	return l.after, c.confirm(&l)
}

// link connects i, which follows at, on v without running its scripts.
func (c *Chain) link(ctx context.Context, v *view, at consensus.State, i id) (fitted, error) {
	if err := ctx.Err(); err != nil {
		return fitted{}, err
	}
	b, n, err := c.blockOf(i)
	if err != nil {
		return fitted{}, c.fault(err)
	}
	coins, err := v.find(consensus.Needs(at, b))
	if err != nil {
		return fitted{}, c.fault(fmt.Errorf("load the coins of block %v: %w", n.hash, err))
	}
	d, err := consensus.Connect(at, b, coins)
	if err != nil {
		return fitted{}, c.explain(v, at, b, err)
	}
	l := fitted{i: i, node: n, block: b, spent: d.Spent, after: at.Next(&b.Header)}
	if !n.has(connected) && !c.assumed(i) {
		l.checks = consensus.ScriptChecks(at, b, coins)
	}
	v.connect(d)
	return l, nil
}

// explain returns why b, which consensus.Connect has refused with err, may not follow at.
func (c *Chain) explain(v *view, at consensus.State, b *consensus.Block, err error) error {
	coins, fault := v.find(consensus.Repeats(at, b))
	if fault != nil {
		return c.fault(fmt.Errorf("load the coins of block %v: %w", b.Hash(), fault))
	}
	return consensus.Explain(b, coins, err)
}

// confirm notes that the block of l is valid and stores what it spent.
func (c *Chain) confirm(l *fitted) (err error) {
	undo := l.node.undo
	if undo.Length == 0 {
		if undo, err = c.saveUndo(l.node.hash, l.spent); err != nil {
			return c.fault(fmt.Errorf("store the undo record of block %v: %w", l.node.hash, err))
		}
		c.point(pointUndo)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.tree.at(l.i)
	kept.undo = undo
	kept.flags |= connected
	c.tree.touch(l.i)
	c.recent.remove(l.i)
	c.latest = l.block
	return nil
}

func (c *Chain) saveUndo(hash chainhash.Hash, spent []consensus.Entry) (blockfile.Location, error) {
	record := encodeUndo(hash, spent)
	if err := c.room(len(record)); err != nil {
		return blockfile.Location{}, err
	}
	return c.undos.Append(record)
}

// assumed says whether i is an ancestor of the block whose scripts the operator trusts.
func (c *Chain) assumed(i id) bool {
	if c.o.AssumeValid == (chainhash.Hash{}) {
		return false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	trusted, ok := c.tree.find(c.o.AssumeValid)
	if !ok || c.tree.at(i).height > c.tree.at(trusted).height {
		return false
	}
	return c.tree.ancestor(trusted, c.tree.at(i).height) == i
}

// doubt returns err, for which a block is to be marked, unless it could be our disk's: before a coin counts as missing, or as there where none may
// be, all that is on the disk is checked. Badger reads a damaged table as one that lacks the key.
func (c *Chain) doubt(ctx context.Context, err error) error {
	if !errors.Is(err, consensus.ErrMissingInput) && !errors.Is(err, consensus.ErrDuplicateTx) {
		return err
	}
	switch bad := c.checkStorage(ctx); {
	case bad == nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return c.fault(bad)
	}
}

// checkStorage reads all coins on the disk and counts them.
func (c *Chain) checkStorage(ctx context.Context) error {
	if err := c.o.Store.Verify(ctx); err != nil {
		return damaged(err)
	}
	var found tally
	err := c.o.Store.Iterate([]byte{coinPrefix}, func(key, value []byte) error {
		if _, err := decodeCoin(value); err != nil || len(key) != 1+len(coinKey{}) {
			return fmt.Errorf("coin %x: %w", key, errCoding)
		}
		k := coinKey(key[1:])
		found.add(k.outPoint())
		return ctx.Err()
	})
	if err != nil {
		return damaged(err)
	}
	return found.want(c.disk.tally)
}

// damaged makes the errors of store and files that mean damage an ErrDamaged.
func damaged(err error) error {
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, blockfile.ErrDamaged) || errors.Is(err, errCoding) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// disconnect undoes i on v.
func (c *Chain) disconnect(ctx context.Context, v *view, i id) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, n, err := c.blockOf(i)
	if err != nil {
		return c.fault(err)
	}
	spent, err := c.spentBy(&n)
	if err != nil {
		return c.fault(err)
	}
	v.disconnect(b, spent)
	return nil
}

// blockOf returns the block of i, and i as it is now.
func (c *Chain) blockOf(i id) (*consensus.Block, node, error) {
	c.mu.RLock()
	n := *c.tree.at(i)
	b := c.recent.blocks[i]
	c.mu.RUnlock()
	if b != nil {
		return b, n, nil
	}
	if n.has(pruned) {
		return nil, n, fmt.Errorf("block %v at height %d: %w: to undo it, remove the data directory and sync again", n.hash, n.height, ledger.ErrPruned)
	}
	raw, err := c.blocks.Read(n.block)
	if err != nil {
		return nil, n, damaged(fmt.Errorf("block %v: %w", n.hash, err))
	}
	b, err = consensus.ParseBlock(raw)
	if err != nil || b.Hash() != n.hash {
		return nil, n, fmt.Errorf("%w: what is stored as block %v is another", ErrDamaged, n.hash)
	}
	return b, n, nil
}

// spentBy returns the coins that the block of n spent.
func (c *Chain) spentBy(n *node) ([]consensus.Entry, error) {
	raw, err := c.undos.Read(n.undo)
	if err != nil {
		return nil, damaged(fmt.Errorf("undo record of %v: %w", n.hash, err))
	}
	spent, err := decodeUndo(n.hash, raw)
	return spent, damaged(err)
}

// commit makes at, where v leads over the given number of blocks, the tip, and flushes if it is time to.
func (c *Chain) commit(v *view, at consensus.State, blocks int32) error {
	c.mu.Lock()
	i, _ := c.tree.find(at.Hash)
	c.coins.take(v)
	c.tree.active = c.tree.follow(c.tree.active, i)
	c.tip = at
	c.tally = c.tally.plus(v.tally)
	c.commits++
	c.mu.Unlock()
	c.since += blocks
	c.tips.ring()
	c.o.Log.Debug("new tip", "height", at.Height, "hash", at.Hash) // node tells the operator, who may not want to hear of each
	return c.tidy()
}

// tidy keeps the coins in memory within their budget and flushes when enough has gathered.
func (c *Chain) tidy() error {
	if c.o.FlushEvery > 0 && c.since >= c.o.FlushEvery {
		return c.flush()
	}
	if c.coins.bytes() <= c.o.CacheBytes {
		return nil
	}
	c.mu.Lock()
	c.coins.evict(c.o.CacheBytes / 2)
	full := c.coins.bytes() > c.o.CacheBytes/4*3
	c.mu.Unlock()
	if full {
		return c.flush()
	}
	return nil
}
