// Command compare measures whole nodes against each other on this machine: groat, built from the working copy, and btcd, built
// from the module proxy. Both get the same generated regtest chain of payments, block by block by submitblock and then from a node of
// their own kind by P2P, in turn, several times. What counts is the least processor time of the rounds, since the clock
// of a shared machine tells more about its other users; both are printed.
//
// It listens and dials on loopback only, ends the processes it started and no others, and gives up after -timeout.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options is what the command line says.
type options struct {
	txs, perBlock int
	rounds        int
	budget        time.Duration
	timeout       time.Duration
	dir           string // for binaries and the chain, kept between runs
	btcd          string // version
	cache         int    // groat's --dbcache
}

func main() {
	var o options
	flag.IntVar(&o.txs, "txs", 200_000, "payments in the chain")
	flag.IntVar(&o.perBlock, "per-block", 2_000, "payments in a block")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each node is measured, at most")
	flag.DurationVar(&o.budget, "budget", 5*time.Minute, "no round is begun that would probably end later than this")
	flag.DurationVar(&o.timeout, "timeout", 15*time.Minute, "of everything")
	flag.StringVar(&o.dir, "dir", filepath.Join(os.TempDir(), "groat-compare"), "where binaries and chain are kept between runs")
	flag.StringVar(&o.btcd, "btcd", "v0.26.2", "version of btcd; empty measures groat alone")
	flag.IntVar(&o.cache, "dbcache", 450, "what groat is told to use, in MiB")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	err := run(ctx, o)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	kinds, err := build(ctx, o)
	if err != nil {
		return err
	}
	chain, err := loadChain(o)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "groat-compare-run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	var t table
	begin := time.Now()
	for round := range o.rounds {
		if spent := time.Since(begin); round > 0 && spent+spent/time.Duration(round) > o.budget {
			break
		}
		for _, k := range kinds {
			if err := measure(ctx, k, chain, filepath.Join(work, fmt.Sprint(k.name(), round)), &t); err != nil {
				return fmt.Errorf("%s, round %d: %w", k.name(), round+1, err)
			}
		}
	}
	t.print(os.Stdout, chain)
	return nil
}

// measure feeds one node and copies it to others.
func measure(ctx context.Context, k kind, c *testChain, dir string, t *table) error {
	first, err := start(ctx, k, startOptions{dir: dir + "-fed"})
	if err != nil {
		return err
	}
	defer first.stop()
	fed, err := timed(first, func() error { return first.feed(ctx, c) })
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	t.add(k.name(), "fed by submitblock", fed)

	copies := []struct{ name, assume string }{{"synced over P2P", ""}}
	if k.assumes() {
		m, err := feedAssumed(ctx, k, c, startOptions{dir: dir + "-assumed", assume: c.tip})
		if err != nil {
			return fmt.Errorf("fed without scripts: %w", err)
		}
		t.add(k.name(), "fed without scripts", m)
		copies = append(copies, struct{ name, assume string }{"synced without scripts", c.tip})
	}
	for i, copied := range copies {
		m, err := copyNode(ctx, k, c, startOptions{dir: fmt.Sprint(dir, "-copy", i), peer: first.address, assume: copied.assume})
		if err != nil {
			return fmt.Errorf("%s: %w", copied.name, err)
		}
		t.add(k.name(), copied.name, m)
	}
	return nil
}

// feedAssumed measures how long a new node takes to take the chain by submitblock when it knows the headers and need not run the scripts.
func feedAssumed(ctx context.Context, k kind, c *testChain, o startOptions) (figures, error) {
	n, err := start(ctx, k, o)
	if err != nil {
		return figures{}, err
	}
	defer n.stop()
	if err := n.announce(ctx, c); err != nil {
		return figures{}, err
	}
	return timed(n, func() error { return n.feed(ctx, c) })
}

// copyNode measures how long a new node takes to get the chain from the one it is told to dial.
func copyNode(ctx context.Context, k kind, c *testChain, o startOptions) (figures, error) {
	n, err := start(ctx, k, o)
	if err != nil {
		return figures{}, err
	}
	defer n.stop()
	return timed(n, func() error { return n.reach(ctx, c) })
}

// timed measures what work costs node n, which begins idle except for what it does by itself since its start.
func timed(n *process, work func() error) (figures, error) {
	begin := time.Now()
	if err := work(); err != nil {
		return figures{}, err
	}
	f := figures{wall: time.Since(begin)}
	n.use(&f)
	return f, nil
}
