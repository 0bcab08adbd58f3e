package chain

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"
	"golang.org/x/sync/errgroup"

	"groat/consensus"
	"groat/internal/store"
)

// Coins that are not in memory are read by several goroutines at once, because a disk answers many questions in the time of one. A few are not worth it.
const (
	readers   = 2
	readAlone = 32
)

// load returns those of the coins that exist at the tip. The writer calls it.
func (c *Chain) load(ops []wire.OutPoint) (consensus.Coins, error) {
	coins := make(consensus.Coins, len(ops))
	unknown, err := c.coins.look(ops, coins)
	if err != nil {
		return nil, damaged(err)
	}
	return coins, c.read(unknown, coins)
}

// read adds those of the coins to coins that exist on the disk. All cores look for them.
func (c *Chain) read(ops []wire.OutPoint, coins consensus.Coins) error {
	if len(ops) == 0 {
		return nil
	}
	readers := runtime.GOMAXPROCS(0)
	share := max(readAlone, (len(ops)+readers-1)/readers)
	found := make([]*consensus.Coin, len(ops))
	var group errgroup.Group
	from := 0
	for part := range slices.Chunk(ops, share) {
		into := found[from : from+len(part)]
		from += len(part)
		group.Go(func() error { return c.readPart(part, into) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for k, coin := range found {
		if coin != nil {
			coins[ops[k]] = *coin
		}
	}
	return nil
}

// readPart sets found to the coins on the disk, nil where there is none.
func (c *Chain) readPart(ops []wire.OutPoint, found []*consensus.Coin) error {
	return c.o.Store.View(func(r store.Reader) error {
		for k, op := range ops {
			key := keyOf(op)
			value, err := r.Get(append([]byte{coinPrefix}, key[:]...))
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			var coin consensus.Coin
			if err == nil {
				coin, err = decodeCoin(value)
			}
			if err != nil {
				return damaged(fmt.Errorf("coin %v: %w", op, err))
			}
			found[k] = &coin
		}
		return nil
	})
}
