package chain

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	flushInterval = 10 * time.Minute
	watchInterval = 10 * time.Second // of the free space on the disk
)

// Run flushes from time to time and watches the disk until ctx ends. It returns an error when the node must stop: the disk is nearly full
// or fails. What has been flushed is safe then, and what has not is in the block files.
func (c *Chain) Run(ctx context.Context) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.trouble:
			return fmt.Errorf("the chain cannot go on: %w", err)
		case <-tick.C:
		}
		if err := c.flushIfDue(ctx); err != nil && !errors.Is(err, ctx.Err()) {
			return fmt.Errorf("the chain cannot go on: %w", err)
		}
		if err := c.room(0); err != nil {
			return fmt.Errorf("the chain cannot go on: %w", err)
		}
	}
}

func (c *Chain) flushIfDue(ctx context.Context) error {
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	if c.o.Now().Sub(c.last) < flushInterval {
		return nil
	}
	return c.flush()
}
