package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// figures is what something cost a node.
type figures struct {
	wall, cpu time.Duration
	memory    int64 // the most that was resident so far, bytes
}

// row is what all rounds of one thing on one kind of node cost at least.
type row struct {
	kind, what string
	best       figures
}

// table collects the figures.
type table struct{ rows []row }

func (t *table) find(kind, what string) *row {
	i := slices.IndexFunc(t.rows, func(r row) bool { return r.kind == kind && r.what == what })
	if i < 0 {
		return nil
	}
	return &t.rows[i]
}

func (t *table) add(kind, what string, f figures) {
	r := t.find(kind, what)
	if r == nil {
		t.rows = append(t.rows, row{kind, what, f})
		return
	}
	r.best = figures{min(r.best.wall, f.wall), min(r.best.cpu, f.cpu), min(r.best.memory, f.memory)}
}

// print prints what was measured, and how often as fast as btcd groat is.
func (t *table) print(w io.Writer, c *testChain) {
	fmt.Fprintf(w, "%d blocks with %d payments of one P2WPKH input and two outputs, %.1f MB\n\n", len(c.blocks), c.txs, float64(c.bytes)/1e6)
	fmt.Fprintf(w, "%-24s %-6s %10s %10s %14s %10s\n", "", "", "tx/s", "wall s", "cpu µs per tx", "peak MB")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%-24s %-6s %10.0f %10.2f %14.1f %10.0f\n", r.what, r.kind, float64(c.txs)/r.best.wall.Seconds(), r.best.wall.Seconds(),
			perTx(r.best.cpu, c), float64(r.best.memory)/1e6)
	}
	fmt.Fprintln(w)
	for _, r := range t.rows {
		other := t.find("btcd", r.what)
		if r.kind == "btcd" || other == nil || r.best.cpu == 0 {
			continue
		}
		fmt.Fprintf(w, "%-24s groat does %.2f times btcd's work in a second of processor time, %.2f times in a second of the clock\n",
			r.what, other.best.cpu.Seconds()/r.best.cpu.Seconds(), other.best.wall.Seconds()/r.best.wall.Seconds())
	}
}

func perTx(d time.Duration, c *testChain) float64 { return d.Seconds() * 1e6 / float64(c.txs) }
