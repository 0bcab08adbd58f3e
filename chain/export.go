package chain

import (
	"context"
	"fmt"
	"io"

	"groat/internal/blockfile"
)

// Export writes the blocks of the best chain from one height to another, both included, in Bitcoin's exchange format, and reports after
// each. It ends early where the chain does, and returns how many it wrote.
func Export(ctx context.Context, c *Chain, w io.Writer, from, to int32, report func(Progress)) (blocks int, err error) {
	for h := from; h <= to; h++ {
		hash, ok := c.AtHeight(h)
		if !ok {
			break
		}
		if err := ctx.Err(); err != nil {
			return blocks, err
		}
		raw, err := c.RawBlock(hash)
		if err != nil {
			return blocks, fmt.Errorf("export block %v: %w", hash, err)
		}
		if err := blockfile.Write(w, c.o.Params, raw); err != nil {
			return blocks, fmt.Errorf("export block %v: %w", hash, err)
		}
		blocks++
		if report != nil {
			report(Progress{Blocks: blocks, Height: h, Total: to})
		}
	}
	return blocks, nil
}
