package p2p

import (
	"slices"
	"sync"
	"time"

	"groat/internal/ledger"
)

// delayBounds are the upper bounds of what delays are sorted into.
var delayBounds = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// delays counts how long something took. Its zero value is ready.
type delays struct {
	mu     sync.Mutex
	counts [len(delayBounds)]uint64 // of delays up to the bound of the same index, and above the one before
	number uint64
	sum    time.Duration
}

func (d *delays) observe(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.number++
	d.sum += took
	if i, _ := slices.BinarySearch(delayBounds[:], took); i < len(delayBounds) {
		d.counts[i]++
	}
}

// histogram returns the counts as they are now, each with those of shorter delays.
func (d *delays) histogram() ledger.Delays {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := ledger.Delays{Number: d.number, Sum: d.sum}
	below := uint64(0)
	for i, bound := range delayBounds {
		below += d.counts[i]
		h.UpTo = append(h.UpTo, ledger.DelaysUpTo{Bound: bound, Number: below})
	}
	return h
}
