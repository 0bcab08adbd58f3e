package verify

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

var (
	passes = []byte{txscript.OP_TRUE}
	fails  = []byte{txscript.OP_FALSE}
)

// check returns the check of a transaction whose inputs spend the given scripts. Each number makes another transaction.
func check(number int, scripts ...[]byte) consensus.ScriptCheck {
	msg := wire.NewMsgTx(2)
	msg.LockTime = uint32(number)
	spent := make([]consensus.Coin, len(scripts))
	for i, script := range scripts {
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: uint32(i)}})
		spent[i] = consensus.Coin{Value: 1, PkScript: script}
	}
	msg.AddTxOut(&wire.TxOut{Value: 1, PkScript: passes})
	return consensus.ScriptCheck{Tx: consensus.NewTx(msg), Spent: spent, Flags: txscript.ScriptBip16}
}

func many(n int, script func(i int) []byte) []consensus.ScriptCheck {
	checks := make([]consensus.ScriptCheck, n)
	for i := range checks {
		number := i
		if s := script(i); s[0] == fails[0] {
			number += n // what a transaction spends is part of its id, which these ones do not have from their coins
		}
		checks[i] = check(number, script(i), passes)
	}
	return checks
}

func allPass(int) []byte { return passes }

func TestPassedIsNotRunAgain(t *testing.T) {
	v := New(4, 1000)
	checks := many(100, allPass)
	for range 2 {
		if err := v.Verify(t.Context(), checks); err != nil {
			t.Fatal(err)
		}
	}
	if hits, misses := v.Stats(); hits != 100 || misses != 100 {
		t.Fatalf("%d hits and %d misses, want 100 and 100", hits, misses)
	}
}

func TestPassedUnderMoreFlagsPassesUnderFewer(t *testing.T) {
	v := New(1, 10)
	c := check(1, passes)
	for _, step := range []struct {
		flags txscript.ScriptFlags
		hits  uint64
	}{
		{txscript.ScriptBip16, 0},
		{txscript.ScriptBip16 | txscript.ScriptVerifyLowS, 0},
		{txscript.ScriptVerifyLowS, 1},
		{txscript.ScriptVerifyWitness | txscript.ScriptBip16, 1},
		{txscript.ScriptVerifyWitness | txscript.ScriptBip16, 2},
	} {
		c.Flags = step.flags
		if err := v.Verify(t.Context(), []consensus.ScriptCheck{c}); err != nil {
			t.Fatal(err)
		}
		if hits, _ := v.Stats(); hits != step.hits {
			t.Fatalf("flags %x: %d hits, want %d", step.flags, hits, step.hits)
		}
	}
}

func TestFailureIsNotRemembered(t *testing.T) {
	v := New(2, 10)
	c := []consensus.ScriptCheck{check(1, fails)}
	for range 2 {
		if err := v.Verify(t.Context(), c); !errors.Is(err, consensus.ErrScript) {
			t.Fatalf("got %v, want %v", err, consensus.ErrScript)
		}
	}
	if hits, misses := v.Stats(); hits != 0 || misses != 2 {
		t.Fatalf("%d hits and %d misses, want 0 and 2", hits, misses)
	}
}

func TestFirstFailureWins(t *testing.T) {
	const first = 331
	checks := many(1000, func(i int) []byte {
		if i >= first && i%7 == first%7 {
			return fails
		}
		return passes
	})
	want := checks[first].Verify().Error()
	for workers := 1; workers <= 16; workers *= 2 {
		for round := range 10 {
			err := New(workers, 10).Verify(t.Context(), checks)
			var rule consensus.RuleError
			if !errors.As(err, &rule) || rule.Error() != want {
				t.Fatalf("%d workers, round %d: got %v, want %s", workers, round, err, want)
			}
		}
	}
}

// large returns the check of one transaction with so many inputs, some of which fail.
func large(inputs int, fail ...int) consensus.ScriptCheck {
	scripts := make([][]byte, inputs)
	for i := range scripts {
		scripts[i] = passes
	}
	for _, i := range fail {
		scripts[i] = fails
	}
	return check(inputs+len(fail), scripts...)
}

func TestLargeTransactionIsShared(t *testing.T) {
	const workers = 4
	for _, inputs := range []int{workers * jobsPerWorker, 1000} {
		r := newRun([]consensus.ScriptCheck{large(inputs)}, workers, newCache(10))
		if r.jobs() < workers*jobsPerWorker/2 {
			t.Errorf("%d inputs are cut into %d jobs for %d workers", inputs, r.jobs(), workers)
		}
	}
}

func TestLargeTransactionIsRememberedWhole(t *testing.T) {
	for _, inputs := range []int{1, inputsPerJob, inputsPerJob + 1, 1000} {
		v := New(4, 100)
		checks := []consensus.ScriptCheck{check(7, passes), large(inputs), check(8, passes, passes)}
		for range 2 {
			if err := v.Verify(t.Context(), checks); err != nil {
				t.Fatal(err)
			}
		}
		if hits, misses := v.Stats(); hits != 3 || misses != 3 {
			t.Errorf("%d inputs: %d hits and %d misses, want 3 and 3", inputs, hits, misses)
		}
	}
}

func TestFirstFailedInputWins(t *testing.T) {
	const inputs, first, second = 1000, 517, 518
	c := large(inputs, first, second, inputs-1)
	want := c.Verify().Error()
	for workers := 1; workers <= 16; workers *= 2 {
		v := New(workers, 100)
		for round := range 10 {
			err := v.Verify(t.Context(), []consensus.ScriptCheck{check(round, passes), c, check(round+100, fails)})
			var rule consensus.RuleError
			if !errors.As(err, &rule) || rule.Error() != want {
				t.Fatalf("%d workers, round %d: got %v, want %s", workers, round, err, want)
			}
		}
		if len(v.passed.missing([]consensus.ScriptCheck{c})) != 1 {
			t.Fatalf("%d workers: a transaction whose inputs passed in part is remembered", workers)
		}
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := New(4, 1000)
	checks := many(100, allPass)
	if err := v.Verify(ctx, checks); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	if err := v.Verify(t.Context(), checks); err != nil {
		t.Fatal(err)
	}
	if hits, _ := v.Stats(); hits != 0 {
		t.Fatalf("%d checks were run after the end", hits)
	}
}

// endsAt is a context that ends when it is looked at for the n-th time.
type endsAt struct {
	context.Context
	left atomic.Int64
}

func (c *endsAt) Err() error {
	if c.left.Add(-1) > 0 {
		return nil
	}
	return context.Canceled
}

// TestCVE_2013_2292 shows that a transaction whose inputs take long, each of which hashes all of it, shares them among all workers and holds up nobody who
// ends the call: each worker is done after the input that it has in hand, and the rest is not run.
func TestCVE_2013_2292(t *testing.T) {
	const inputs, looks = 5_000, 100
	for workers := 1; workers <= 4; workers++ {
		ctx := &endsAt{Context: t.Context()}
		ctx.left.Store(looks)
		r := newRun([]consensus.ScriptCheck{large(inputs)}, workers, newCache(10))
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() { r.work(ctx) })
		}
		wg.Wait()
		if seen := looks - ctx.left.Load(); seen > looks+int64(workers) {
			t.Errorf("%d workers: %d inputs were begun after the end", workers, seen-looks)
		}
		if r.err != nil || len(r.passed.missing([]consensus.ScriptCheck{large(inputs)})) != 1 {
			t.Errorf("%d workers: a call that was ended has a verdict", workers)
		}
	}
}

// TestCVE_2024_52911 shows that no goroutine outlives a call, even one that fails early.
func TestCVE_2024_52911(t *testing.T) {
	before := runtime.NumGoroutine()
	checks := many(2000, func(i int) []byte {
		if i == 3 {
			return fails
		}
		return passes
	})
	v := New(8, 0)
	for range 20 {
		if err := v.Verify(t.Context(), checks); !errors.Is(err, consensus.ErrScript) {
			t.Fatal(err)
		}
		clear(checks[10:20]) // as an owner would who reuses the memory; the race detector watches
		copy(checks[10:20], many(20, allPass)[10:])
	}
	for range 20 { // all goroutines are at the inputs of one transaction
		c := large(2000, 3)
		if err := v.Verify(t.Context(), []consensus.ScriptCheck{c}); !errors.Is(err, consensus.ErrScript) {
			t.Fatal(err)
		}
		clear(c.Spent)
		clear(c.Tx.Msg.TxIn)
	}
	// One that has said that it is done may have a step or two to go.
	for begin := time.Now(); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	const entries = 50
	v := New(2, entries)
	if err := v.Verify(t.Context(), many(1000, allPass)); err != nil {
		t.Fatal(err)
	}
	if n := len(v.passed.young) + len(v.passed.old); n > entries || n == 0 {
		t.Fatalf("%d entries, limit is %d", n, entries)
	}
}

func TestNothingIsRememberedWithoutEntries(t *testing.T) {
	v := New(0, 0)
	for range 2 {
		if err := v.Verify(t.Context(), many(40, allPass)); err != nil {
			t.Fatal(err)
		}
	}
	if hits, misses := v.Stats(); hits != 0 || misses != 80 {
		t.Fatalf("%d hits and %d misses, want 0 and 80", hits, misses)
	}
}

func TestConcurrentCalls(t *testing.T) {
	v := New(4, 200)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				checks := many(60, func(n int) []byte {
					if n == 50 && g%2 == 1 {
						return fails
					}
					return passes
				})
				err := v.Verify(t.Context(), checks)
				if failed := errors.Is(err, consensus.ErrScript); failed != (g%2 == 1) {
					t.Errorf("goroutine %d, round %d: %v", g, i, err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkLarge checks one transaction with many inputs whose scripts cost next to nothing.
func BenchmarkLarge(b *testing.B) {
	const inputs = 5000
	v := New(runtime.NumCPU(), 0)
	checks := []consensus.ScriptCheck{large(inputs)}
	for b.Loop() {
		if err := v.Verify(b.Context(), checks); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/inputs, "ns/input")
}

func BenchmarkKnown(b *testing.B) {
	v := New(runtime.NumCPU(), 10_000)
	for _, n := range []int{1, 2000} {
		checks := many(n, allPass)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if err := v.Verify(b.Context(), checks); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
