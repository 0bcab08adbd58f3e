// Package verify runs script checks on all cores and remembers the transactions that passed, so that a block does not check
// again what the pool has checked. It decides nothing: consensus.ScriptCheck does. It owns the goroutines
// of a call, which end before the call returns, and the memory of what passed.
package verify

import (
	"context"
	"sync"
	"sync/atomic"

	"groat/consensus"
)

// Verifier checks scripts. It is safe for concurrent use.
type Verifier struct {
	workers int    // goroutines of a call, set once
	passed  *cache // set once

	hits, misses atomic.Uint64
}

// New returns a verifier that uses up to the given number of goroutines in each call and remembers about cacheEntries
// transactions, 40 to 100 bytes each. At least one goroutine is used; with no entries nothing is remembered.
func New(workers, cacheEntries int) *Verifier {
	return &Verifier{workers: max(workers, 1), passed: newCache(cacheEntries)}
}

// Stats returns how many checks were skipped because they had passed before, and how many had to be run.
func (v *Verifier) Stats() (hits, misses uint64) { return v.hits.Load(), v.misses.Load() }

// Verify runs the checks that have not passed before. The error is the consensus.RuleError of the first input, in the order of
// checks, that fails, or that of ctx if it ended first. Nothing of the call runs on when it returns, so
// that the caller may drop what checks refer to (CVE-2024-52911).
func (v *Verifier) Verify(ctx context.Context, checks []consensus.ScriptCheck) error {
	todo := v.passed.missing(checks)
	v.hits.Add(uint64(len(checks) - len(todo)))
	v.misses.Add(uint64(len(todo)))
	if len(todo) == 0 {
		return ctx.Err()
	}
	r := newRun(todo, v.workers, v.passed)
	if n := min(v.workers, r.jobs()); n > 1 {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() { r.work(ctx) })
		}
		wg.Wait()
	} else {
		r.work(ctx)
	}
	if r.err != nil {
		return r.err
	}
	return ctx.Err()
}
