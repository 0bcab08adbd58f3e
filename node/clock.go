package node

import (
	"sync/atomic"
	"time"
)

// clock is the time of the whole node: the machine's, until setmocktime stops it at a moment.
type clock struct {
	mock atomic.Int64 // seconds since 1970; 0 for the machine's time
}

// now returns the node's time.
func (c *clock) now() time.Time {
	if t := c.mock.Load(); t != 0 {
		return time.Unix(t, 0)
	}
	return time.Now()
}

// SetMock stops the clock at t; the zero time lets it go again.
func (c *clock) SetMock(t time.Time) {
	if t.IsZero() {
		c.mock.Store(0)
		return
	}
	c.mock.Store(t.Unix())
}
