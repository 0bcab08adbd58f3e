package chain

import (
	"context"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// FollowHeaders checks headers, each of which follows the one before it and the first of which follows at, and returns the place after the
// last. It keeps nothing: a chain of headers can be judged by its work before any of it is stored.
func (c *Chain) FollowHeaders(ctx context.Context, at consensus.State, headers []wire.BlockHeader) (consensus.State, error) {
	if err := ctx.Err(); err != nil {
		return at, err
	}
	now := c.o.Now()
	for i := range headers {
		next, err := consensus.CheckHeader(at, &headers[i], now)
		if err != nil {
			return at, err
		}
		at = next
	}
	return at, nil
}
