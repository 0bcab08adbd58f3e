package node

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"groat/consensus"
)

// What a process takes besides the budgets that flags give, at most.
const (
	restBytes   = 80 << 20 // blocks on their way, peers, scripts that were verified; of 100 MB, the rest of which the collector does not see or overshoots by
	headerBytes = 200      // each, of all that are known: nothing else in memory grows with the chain
)

// memoryLimit tells the garbage collector how much memory the process may take. Near that it works more often, so that garbage does not come on top of
// full budgets. The environment goes first.
type memoryLimit struct {
	coins int64        // bytes for them and the database
	pool  func() int64 // bytes that it takes, which are bounded; nil without one
	told  int64
}

// limitStep is how far the limit has to be off before it moves, in bytes: to move it stops everything for a moment.
const limitStep = 4 << 20

// allow sets the limit for a chain with so many headers.
func (m *memoryLimit) allow(headers int32) {
	limit := m.bytes(headers)
	if _, set := os.LookupEnv("GOMEMLIMIT"); set || max(limit-m.told, m.told-limit) < limitStep {
		return
	}
	m.told = limit
	debug.SetMemoryLimit(limit)
}

func (m *memoryLimit) bytes(headers int32) int64 {
	sum := m.coins + restBytes + int64(headers)*headerBytes
	if m.pool != nil {
		sum += m.pool()
	}
	return sum
}

// follow keeps the limit in step with headers and pool until ctx ends.
func (m *memoryLimit) follow(ctx context.Context, chain interface{ BestHeader() consensus.State }) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		m.allow(chain.BestHeader().Height)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// reporting returns a report that keeps the limit in step with the headers before it calls the given one, which may be nil.
func (m *memoryLimit) reporting(report func(Progress)) func(Progress) {
	return func(p Progress) {
		m.allow(p.Height)
		if report != nil {
			report(p)
		}
	}
}
