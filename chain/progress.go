package chain

import (
	"context"
	"sync"
)

// Progress is how far a long piece of work has come.
type Progress struct {
	Headers           int   // read so far, while only these are read; what takes the time comes after that
	Bytes, TotalBytes int64 // of blocks: done, and to be done; zero where that is not what takes the time
	Blocks            int   // done so far
	Height, Total     int32 // of the best chain; Total, where it is known, is where the work ends
}

// Done returns how much of the work is done, from 0 to 1.
func (p Progress) Done() float64 {
	switch {
	case p.TotalBytes > 0:
		return min(1, float64(p.Bytes)/float64(p.TotalBytes))
	case p.Total > 0:
		return float64(p.Height) / float64(p.Total)
	}
	return 0
}

// meter tells how far the adding of many blocks from files has come. What counts is what is connected, because that takes the time: blocks may
// be stored long before. The report is never called twice at once.
type meter struct {
	chain  *Chain
	report func(Progress) // nil for nobody

	mu      sync.Mutex // guards all below; held while report is called
	p       Progress
	counted int32 // blocks up to this height do not count any more
}

func newMeter(c *Chain, report func(Progress)) *meter {
	tip := c.Tip().Height
	return &meter{chain: c, report: report, p: Progress{Height: tip}, counted: tip}
}

// header counts a header of a block of n bytes, which is to be done unless it is here.
func (m *meter) header(n int, here bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.p.Headers++
	if !here {
		m.p.TotalBytes += int64(n)
	}
	m.show()
}

// begin ends the counting of headers.
func (m *meter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.p.Headers = 0
}

// look counts what was connected since the last time.
func (m *meter) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count()
	m.show()
}

func (m *meter) count() {
	c := m.chain
	c.mu.RLock()
	defer c.mu.RUnlock()
	for ; int(m.counted) < len(c.tree.active)-1; m.counted++ {
		m.p.Bytes += int64(c.tree.at(c.tree.active[m.counted+1]).block.Length)
		m.p.Blocks++
	}
	m.p.Height = c.tip.Height
}

func (m *meter) show() {
	if m.report != nil {
		m.report(m.p)
	}
}

// follow counts what is connected, as it happens, until stop is called, and a last time then.
func (m *meter) follow() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	wake, unwatch := m.chain.Watch()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-wake:
				m.look()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		unwatch()
		m.look()
	}
}
