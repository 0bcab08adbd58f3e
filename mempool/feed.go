package mempool

import (
	"slices"
	"sort"
	"sync"

	"groat/consensus"
)

// feed is the order of arrival and who waits for it. It is guarded by the pool's mutex.
type feed struct {
	seq      uint64   // of the last arrival
	arrivals []*entry // by sequence; some are gone
	gone     int      // how many of them
	watchers []chan struct{}
}

// add appends e and gives it its number.
func (f *feed) add(e *entry) {
	f.seq++
	e.seq = f.seq
	f.arrivals = append(f.arrivals, e)
}

// drop takes note that an arrival is gone. The list is cleaned when half of it is, so that a drop costs nothing on average.
func (f *feed) drop() {
	f.gone++
	if f.gone > 64 && f.gone > len(f.arrivals)/2 {
		f.arrivals = slices.DeleteFunc(f.arrivals, func(e *entry) bool { return e.gone })
		f.gone = 0
	}
}

// wake tells every watcher that there is something to ask for.
func (f *feed) wake() {
	for _, w := range f.watchers {
		select {
		case w <- struct{}{}:
		default: // it has a token already
		}
	}
}

// Since returns at most max transactions that came after the arrival seq and are still here, in order, parents before children,
// and the number to ask with the next time. 0 asks for all.
func (p *Pool) Since(seq uint64, max int) ([]*consensus.Tx, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.feed.arrivals
	first := sort.Search(len(list), func(i int) bool { return list[i].seq > seq })
	var txs []*consensus.Tx
	for _, e := range list[first:] {
		if e.gone {
			continue
		}
		if len(txs) == max {
			return txs, seq
		}
		txs = append(txs, e.tx)
		seq = e.seq
	}
	return txs, p.feed.seq
}

// Watch returns a channel that gets a token when transactions came, or the pool moved to another tip. It holds one token at most and carries no
// data: ask Since or Snapshot, then wait. stop ends it.
func (p *Pool) Watch() (wake <-chan struct{}, stop func()) {
	w := make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.feed.watchers = append(p.feed.watchers, w)
	return w, sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.feed.watchers = slices.DeleteFunc(p.feed.watchers, func(o chan struct{}) bool { return o == w })
	})
}
