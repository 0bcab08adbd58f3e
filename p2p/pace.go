package p2p

import (
	"math/rand/v2"
	"sync"
	"time"
)

// pace says when those who dialled us hear of new transactions: all of them at the same, random times, so that whoever holds many connections
// learns no more of where a transaction came from than by one. Its zero value is ready.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// after returns the first of those times that comes after now.
func (p *pace) after(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.next.After(now) {
		p.next = now.Add(min(1+time.Duration(rand.ExpFloat64()*float64(announceMean)), announceMax))
	}
	return p.next
}
