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

// Goroutines take jobs of up to inputsPerJob inputs: enough to make the taking cheap, and few enough for each of them to have jobsPerWorker, so that
// even a small block is shared evenly.
const (
	inputsPerJob  = 16
	jobsPerWorker = 4
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

// Verify runs the checks that have not passed before. The error is the consensus.RuleError of the first check, in the order of
// checks, that fails, or that of ctx if it ended first. Nothing of the call runs on when it returns, so
// that the caller may drop what checks refer to (CVE-2024-52911).
func (v *Verifier) Verify(ctx context.Context, checks []consensus.ScriptCheck) error {
	todo := v.passed.missing(checks)
	v.hits.Add(uint64(len(checks) - len(todo)))
	v.misses.Add(uint64(len(todo)))
	if len(todo) == 0 {
		return ctx.Err()
	}
	r := &run{jobs: split(todo, v.workers), failed: len(todo)}
	if n := min(v.workers, len(r.jobs)); n > 1 {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() { r.work(ctx, v.passed) })
		}
		wg.Wait()
	} else {
		r.work(ctx, v.passed)
	}
	if r.err != nil {
		return r.err
	}
	return ctx.Err()
}

// job is a stretch of checks that one goroutine runs in order.
type job struct {
	first  int // index of the first check
	checks []consensus.ScriptCheck
}

// split cuts checks into jobs for so many workers, in order.
func split(checks []consensus.ScriptCheck, workers int) []job {
	all := 0
	for i := range checks {
		all += len(checks[i].Tx.Msg.TxIn)
	}
	size := min(inputsPerJob, 1+all/(jobsPerWorker*workers))
	var jobs []job
	first, inputs := 0, 0
	for i := range checks {
		inputs += len(checks[i].Tx.Msg.TxIn)
		if inputs >= size || i == len(checks)-1 {
			jobs = append(jobs, job{first: first, checks: checks[first : i+1]})
			first, inputs = i+1, 0
		}
	}
	return jobs
}

// run is the state of one call that its goroutines share.
type run struct {
	jobs []job
	next atomic.Int64 // index of the next job to take

	mu     sync.Mutex
	failed int   // the lowest index of a check that failed; beyond the last one if none has
	err    error // its error
}

// work takes jobs until none is left that matters. Jobs are taken in order, so when a check fails all those
// before it have been taken, and are run to their end: the lowest failure is found however the goroutines run.
func (r *run) work(ctx context.Context, passed *cache) {
	for {
		n := int(r.next.Add(1)) - 1
		if n >= len(r.jobs) {
			return
		}
		for i, check := range r.jobs[n].checks {
			index := r.jobs[n].first + i
			if ctx.Err() != nil || index > r.firstFailure() {
				return
			}
			if err := check.Verify(); err != nil {
				r.fail(index, err)
				return
			}
			passed.add(check.Tx.WTxID(), check.Flags)
		}
	}
}

func (r *run) firstFailure() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *run) fail(index int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if index < r.failed {
		r.failed, r.err = index, err
	}
}
