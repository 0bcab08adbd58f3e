package chain

import (
	"context"
	"errors"
	"fmt"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/store"
)

// open loads what is on the disk, brings it in order and takes up what was stored after the last flush.
func (c *Chain) open(ctx context.Context) error {
	if err := c.recover(ctx); err != nil {
		return err
	}
	if err := c.readTail(c.disk.blocks); err != nil {
		return err
	}
	if err := c.begin(); err != nil {
		return err
	}
	if err := c.activate(ctx); err != nil {
		return err
	}
	return c.flush()
}

// begin stores the first block if it is not here.
func (c *Chain) begin() error {
	if c.tree.at(0).here() {
		return nil
	}
	genesis := consensus.NewBlock(c.o.Params.Genesis)
	_, _, err := c.admit(genesis, func() (blockfile.Location, error) { return c.blocks.Append(genesis.Raw()) })
	return err
}

// recover brings coins and tip to where the last flush was leading.
func (c *Chain) recover(ctx context.Context) error {
	at, goal, err := c.readPlaces()
	if err != nil {
		return err
	}
	newest := at // whose records may refer to what lies before its ends
	if goal != nil {
		newest = goal
	}
	if err := c.openFiles(newest); err != nil {
		return err
	}
	if err := c.readIndex(); err != nil {
		return err
	}
	if goal != nil {
		if err := c.replay(ctx, at, goal); err != nil {
			return fmt.Errorf("finish the flush that was interrupted: %w", err)
		}
		at = goal
	}
	if err := c.start(at); err != nil || !c.o.CheckStore {
		return err
	}
	return c.checkStorage(ctx)
}

// readPlaces returns where the coins on disk belong to, the first block if there is nothing, and where an interrupted flush was leading, nil
// if there was none.
func (c *Chain) readPlaces() (at, goal *place, err error) {
	if at, err = c.readPlace(placeKey); err != nil {
		return nil, nil, err
	}
	if goal, err = c.readPlace(goalKey); err != nil {
		return nil, nil, err
	}
	if at != nil {
		return at, goal, nil
	}
	// The place is written with the first coins: without it there can be none, nor an index.
	if err := c.o.Store.Iterate(nil, func(key, _ []byte) error {
		return fmt.Errorf("%w: it has records but no tip", ErrDamaged)
	}); err != nil {
		return nil, nil, damaged(err)
	}
	return &place{tip: c.o.Params.GenesisHash}, nil, nil
}

func (c *Chain) readPlace(key string) (*place, error) {
	value, err := c.o.Store.Get([]byte(key))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, damaged(err)
	}
	p, err := decodePlace(value, c.o.Params.GenesisHash)
	return p, damaged(err)
}

func (c *Chain) openFiles(synced *place) (err error) {
	if from := synced.blocks; from.Before(c.whole) {
		synced.blocks = c.whole
	}
	o := blockfile.Options{Dir: c.o.Dir, Name: "blk", Magic: c.o.Params.Magic, MaxBytes: c.o.FileBytes, Synced: synced.blocks, FS: c.o.FS}
	if c.blocks, err = blockfile.Open(o); err != nil {
		return damaged(err)
	}
	o.Name, o.Synced = "rev", synced.undos
	c.undos, err = blockfile.Open(o)
	return damaged(err)
}

// readIndex reads the headers and what is known of their blocks.
func (c *Chain) readIndex() error {
	err := c.o.Store.Iterate([]byte{indexPrefix}, func(key, value []byte) error {
		s, err := decodeNode(key, value)
		if err != nil {
			return err
		}
		if err := c.tree.restore(s); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return nil
	})
	if err != nil {
		return damaged(err)
	}
	c.tree.restored()
	return nil
}

// replay makes the coins on disk those of goal, when a flush on the way there was interrupted and some may be. What the blocks on the way
// change is worked out from the files; it may be on the disk already.
func (c *Chain) replay(ctx context.Context, at, goal *place) error {
	from, ok := c.tree.find(at.tip)
	to, ok2 := c.tree.find(goal.tip)
	if !ok || !ok2 {
		return fmt.Errorf("%w: its tip is not in the index", ErrDamaged)
	}
	undo, connect := c.tree.path(from, to)
	c.o.Log.Info("finishing an interrupted flush", "height", c.tree.at(to).height, "blocks", len(undo)+len(connect))
	for _, i := range undo {
		v := newView(nil)
		if err := c.disconnect(ctx, v, i); err != nil {
			return err
		}
		if err := c.replayed(v); err != nil {
			return err
		}
	}
	for _, i := range connect {
		v := newView(nil)
		if err := c.reconnect(ctx, v, i); err != nil {
			return err
		}
		if err := c.replayed(v); err != nil {
			return err
		}
	}
	if err := c.writeCoins(); err != nil {
		return err
	}
	c.coins = newCache()
	c.point(pointReplayed)
	w := parts{store: c.o.Store}
	return w.end(c.reached(goal)...)
}

// reconnect makes the changes of i, which was connected before, from its block and its undo record.
func (c *Chain) reconnect(ctx context.Context, v *view, i id) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, n, err := c.blockOf(i)
	if err != nil {
		return err
	}
	spent, err := c.spentBy(&n)
	if err != nil {
		return err
	}
	coins := make(consensus.Coins, len(spent))
	for _, e := range spent {
		coins[e.OutPoint] = e.Coin
	}
	d, err := consensus.Connect(c.before(i), b, coins)
	if err != nil {
		return fmt.Errorf("%w: block %v was connected and cannot be again: %v", ErrDamaged, n.hash, err)
	}
	v.connect(d)
	return nil
}

// replayed takes the changes of v over and writes them when there are many.
func (c *Chain) replayed(v *view) error {
	changes := v.spread()
	for op, ch := range changes {
		ch.existed = true // for all we know: the disk may be anywhere between the two places
		changes[op] = ch
	}
	c.coins.take(v)
	c.point(pointReplay)
	if c.coins.bytes() <= c.o.CacheBytes {
		return nil
	}
	if err := c.writeCoins(); err != nil {
		return err
	}
	c.coins = newCache()
	return nil
}

// start makes at, which the disk is in, the tip.
func (c *Chain) start(at *place) error {
	i, ok := c.tree.find(at.tip)
	if !ok {
		return fmt.Errorf("%w: its tip %v is not in the index", ErrDamaged, at.tip)
	}
	c.disk = *at
	c.tally = at.tally
	c.tree.active = c.tree.follow(c.tree.active, i)
	c.tip = c.tree.state(i)
	for _, i := range c.tree.active[1:] {
		if n := c.tree.at(i); !n.has(pruned) && (n.block.Length == 0 || n.undo.Length == 0) || !n.has(connected) {
			return fmt.Errorf("%w: the index lacks what is known of block %v at height %d", ErrDamaged, n.hash, n.height)
		}
	}
	return nil
}

// readTail takes up the blocks that were stored after the last flush, whose index the crash took.
func (c *Chain) readTail(from blockfile.Pos) error {
	waiting := []blockfile.Location{}
	err := c.blocks.Scan(from, func(loc blockfile.Location, raw []byte) error {
		if !c.takeUp(loc, raw) {
			waiting = append(waiting, loc)
		}
		return nil
	})
	// Blocks may have come before their parents, whose headers were known then.
	for progress := true; err == nil && progress && len(waiting) > 0; {
		var still []blockfile.Location
		for _, loc := range waiting {
			var raw []byte
			if raw, err = c.blocks.Read(loc); err != nil {
				break
			}
			if !c.takeUp(loc, raw) {
				still = append(still, loc)
			}
		}
		waiting, progress = still, len(still) < len(waiting)
	}
	return damaged(err)
}

// takeUp admits a block that lies at loc. It returns false if the block's parent is unknown. Other refusals are no matter: the block is as
// if it had never come.
func (c *Chain) takeUp(loc blockfile.Location, raw []byte) bool {
	b, err := consensus.ParseBlock(raw)
	if err == nil {
		_, _, err = c.admit(b, func() (blockfile.Location, error) { return loc, nil })
	}
	if errors.Is(err, consensus.ErrPrevUnknown) {
		return false
	}
	if err != nil {
		c.o.Log.Debug("stored block not taken up", "err", err)
	}
	return true
}
