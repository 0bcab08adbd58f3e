package chain

import (
	"context"
	"iter"

	"groat/internal/ledger"
)

// aheadBytes is about how much is read and parsed while what was read before is taken; as much again waits.
const aheadBytes = 1 << 20

// addAhead is addAll for blocks that have to be read and parsed, which goes on while earlier ones are taken. They are ranged over in a goroutine that
// has ended when addAhead returns.
func (c *Chain) addAhead(ctx context.Context, blocks iter.Seq[arrival], report func(a arrival, added ledger.Added, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	batches := make(chan []arrival, 1)
	go func() {
		defer close(batches)
		readAhead(ctx, blocks, batches)
	}()
	defer func() {
		cancel()
		for range batches { // until readAhead has ended
		}
	}()
	var batch []arrival
	return c.addAll(ctx, func() (a arrival, ok bool) {
		if len(batch) == 0 {
			if batch, ok = <-batches; !ok {
				return a, false
			}
		}
		a, batch = batch[0], batch[1:]
		return a, true
	}, report)
}

// readAhead passes blocks on in batches.
func readAhead(ctx context.Context, blocks iter.Seq[arrival], batches chan<- []arrival) {
	var batch []arrival
	size := 0
	pass := func() bool {
		select {
		case batches <- batch:
			batch, size = nil, 0
			return true
		case <-ctx.Done():
			return false
		}
	}
	for a := range blocks {
		batch, size = append(batch, a), size+a.block.Size()
		if size >= aheadBytes && !pass() {
			return
		}
	}
	if len(batch) > 0 {
		pass()
	}
}
