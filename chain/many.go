package chain

import (
	"context"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/ledger"
)

// groupBytes is about how much is stored between two looks at the tip. Three groups, which are on their way at once, fit among the recent blocks.
const groupBytes = recentBytes / 4

// arrival is a block that comes, and where from.
type arrival struct {
	block *consensus.Block
	kept  blockfile.Location // where it lies in our own files already; zero if it has to be stored
	from  spot               // where it was read; zero if it comes from elsewhere
}

// stored is a block that is stored, or was refused before.
type stored struct {
	arrival
	i     id
	known bool
	err   error
}

// AddBlocks adds blocks as AddBlock does, as long as next has one. It is faster, because blocks are checked and stored while the scripts of others
// run. next is called by a goroutine of its own, which has ended when AddBlocks returns; it should not wait long. report is told what became of each
// block, in order: err is a consensus.RuleError or nil. The error of AddBlocks is our own fault, or ctx's; what was not reported may be stored then.
func (c *Chain) AddBlocks(ctx context.Context, next func() (*consensus.Block, bool), report func(b *consensus.Block, added ledger.Added, err error)) error {
	return c.addAll(ctx, func() (arrival, bool) {
		b, ok := next()
		return arrival{block: b}, ok
	}, func(a arrival, added ledger.Added, err error) { report(a.block, added, err) })
}

// addAll is AddBlocks for blocks of which more is known.
func (c *Chain) addAll(ctx context.Context, next func() (arrival, bool), report func(a arrival, added ledger.Added, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	groups := make(chan []stored, 1)
	go func() {
		defer close(groups)
		c.storeAll(ctx, next, groups)
	}()
	defer func() {
		cancel()
		for range groups { // until storeAll has ended
		}
	}()
	for group := range groups {
		if err := c.advance(ctx); err != nil {
			return err
		}
		for _, s := range group {
			added, err := ledger.Added{}, s.err
			if err == nil {
				added, err = c.outcome(s.i, s.known)
			}
			if faultOnly(err) != nil {
				return err
			}
			report(s.arrival, added, err)
		}
	}
	return ctx.Err()
}

// storeAll stores blocks and passes them on in groups. It ends after one that could not be stored for our own fault.
func (c *Chain) storeAll(ctx context.Context, next func() (arrival, bool), groups chan<- []stored) {
	var group []stored
	size := 0
	for {
		a, ok := next()
		if ok {
			s := stored{arrival: a}
			s.i, s.known, s.err = c.storeArrival(a)
			group, size = append(group, s), size+a.block.Size()
			ok = faultOnly(s.err) == nil
		}
		if !ok || size >= groupBytes {
			select {
			case groups <- group:
			case <-ctx.Done():
				return
			}
			group, size = nil, 0
		}
		if !ok {
			return
		}
	}
}

// storeArrival checks a block without its coins and stores it, unless it is here already.
func (c *Chain) storeArrival(a arrival) (i id, known bool, err error) {
	if a.kept == (blockfile.Location{}) {
		return c.store(a.block)
	}
	return c.admit(a.block, func() (blockfile.Location, error) { return a.kept, nil })
}
