package verify

import (
	"context"
	"sort"
	"sync"
	"sync/atomic"

	"groat/consensus"
)

// Goroutines take jobs of up to inputsPerJob inputs: enough to make the taking cheap, and few enough for each of them to have jobsPerWorker, so that
// even a small block, or one large transaction, is shared evenly.
const (
	inputsPerJob  = 16
	jobsPerWorker = 4
)

// run is the state of one call that its goroutines share. Inputs are numbered through, in the order of the checks.
type run struct {
	checks []pending // set once
	inputs int       // of all checks, set once
	size   int       // inputs of a job, set once
	passed *cache    // set once

	next   atomic.Int64 // first input of the next job to take
	failed atomic.Int64 // the lowest input that failed; inputs if none has

	mu  sync.Mutex // guards err, and failed when it is lowered
	err error      // of the input that failed is
}

// pending is a check that has to be run.
type pending struct {
	check consensus.ScriptCheck // set once
	first int                   // number of its first input, set once

	begin   sync.Once // sets scripts, by whoever needs them first
	scripts *consensus.TxScripts
	left    atomic.Int64 // inputs that have not passed
}

func newRun(todo []consensus.ScriptCheck, workers int, passed *cache) *run {
	r := &run{checks: make([]pending, len(todo)), passed: passed}
	for k := range todo {
		p := &r.checks[k]
		p.check, p.first = todo[k], r.inputs
		n := len(todo[k].Spent)
		p.left.Store(int64(n))
		r.inputs += n
	}
	r.size = min(inputsPerJob, 1+r.inputs/(jobsPerWorker*workers))
	r.failed.Store(int64(r.inputs))
	return r
}

// jobs returns into how many jobs the inputs are cut.
func (r *run) jobs() int { return (r.inputs + r.size - 1) / r.size }

// work takes jobs until none is left that matters. Jobs are taken in order, so when an input fails all those
// before it have been taken, and are run to their end: the lowest failure is found however the goroutines run.
func (r *run) work(ctx context.Context) {
	for {
		end := int(r.next.Add(int64(r.size)))
		from, to := end-r.size, min(end, r.inputs)
		if from >= to || !r.job(ctx, from, to) {
			return
		}
	}
}

// job runs inputs from one up to another and remembers the transactions that are complete. It returns false if nothing is left that matters.
func (r *run) job(ctx context.Context, from, to int) bool {
	var done []passedTx
	defer func() { r.passed.add(done) }()
	for k := r.checkOf(from); from < to; k++ {
		p := &r.checks[k]
		end := min(to, p.first+len(p.check.Spent))
		p.begin.Do(func() { p.scripts = p.check.Begin() })
		for n := from; n < end; n++ {
			if ctx.Err() != nil || int64(n) > r.failed.Load() {
				return false
			}
			if err := p.scripts.Verify(n - p.first); err != nil {
				r.fail(n, err)
				return false
			}
		}
		if p.left.Add(int64(from-end)) == 0 {
			done = append(done, passedTx{p.check.Tx.WTxID(), p.check.Flags})
			p.scripts = nil // nobody else is at it any more, and a call may have many
		}
		from = end
	}
	return true
}

// checkOf returns the check that has the input.
func (r *run) checkOf(input int) int {
	return sort.Search(len(r.checks), func(k int) bool { return r.checks[k].first > input }) - 1
}

func (r *run) fail(input int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if int64(input) < r.failed.Load() {
		r.failed.Store(int64(input))
		r.err = err
	}
}
