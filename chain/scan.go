package chain

import (
	"context"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/store"
)

// EachCoin calls see with every coin at the tip, in the order of txid bytes and index, and returns that tip. Blocks go on while it reads.
func (c *Chain) EachCoin(ctx context.Context, see func(wire.OutPoint, consensus.Coin)) (consensus.State, error) {
	if err := c.acquire(ctx); err != nil {
		return consensus.State{}, err
	}
	release := sync.OnceFunc(c.release)
	defer release()
	if err := c.flush(); err != nil {
		return consensus.State{}, err
	}
	tip := c.tip
	err := c.o.Store.View(func(r store.Reader) error {
		release() // r sees the coins of this tip, whatever comes
		return r.Iterate([]byte{coinPrefix}, func(k, value []byte) error {
			coin, err := decodeCoin(value)
			if err != nil || len(k) != 1+len(coinKey{}) {
				return fmt.Errorf("coin %x: %w", k, errCoding)
			}
			key := coinKey(k[1:])
			see(key.outPoint(), coin)
			return ctx.Err()
		})
	})
	if err != nil {
		return consensus.State{}, damaged(fmt.Errorf("read the coins: %w", err))
	}
	return tip, nil
}
