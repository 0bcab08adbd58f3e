package node

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"groat/consensus"
)

// gcPercent trades a little processor time for memory: a node idles with little live data, and the default lets garbage grow to as much again.
const gcPercent = 50

// What a process takes besides the budgets that flags give, at most.
const (
	restBytes   = 100 << 20 // blocks on their way, peers, scripts that were verified
	headerBytes = 200       // each, of all that are known: nothing else in memory grows with the chain
)

// memoryLimit tells the garbage collector how much memory the process may take. Near that it works more often, so that garbage does not come on top of
// full budgets. The environment goes first.
type memoryLimit struct {
	budgets int64 // bytes that flags give
	headers int32 // that it counted last
}

// The limit moves when there are so many headers more.
const headerStep = 10_000

// tuneMemory sets up the garbage collector. There is no limit yet: how many headers there are is known when the chain is open.
func tuneMemory() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
}

// allow sets the limit for a chain with so many headers.
func (m *memoryLimit) allow(headers int32) {
	if _, set := os.LookupEnv("GOMEMLIMIT"); set || m.headers > 0 && headers < m.headers+headerStep {
		return
	}
	m.headers = headers
	debug.SetMemoryLimit(m.bytes())
}

func (m *memoryLimit) bytes() int64 { return m.budgets + restBytes + int64(m.headers)*headerBytes }

// follow keeps the limit in step with the headers until ctx ends.
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
