package chain

import "sync"

// bell wakes followers. The zero value is ready.
type bell struct {
	mu   sync.Mutex
	subs map[chan struct{}]struct{}
}

// watch returns a channel that holds a token after each ring, at most one, until stop is called.
func (b *bell) watch() (wake <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = make(map[chan struct{}]struct{})
	}
	b.subs[ch] = struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, ch)
	}
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.subs {
		select {
		case ch <- struct{}{}:
		default: // it has one and will look anyway
		}
	}
}

// Watch returns a channel that holds a token after the tip changed; who takes it asks Since what happened. stop ends it.
func (c *Chain) Watch() (wake <-chan struct{}, stop func()) { return c.tips.watch() }

// WatchHeaders returns a channel that holds a token after the best header changed. stop ends it.
func (c *Chain) WatchHeaders() (wake <-chan struct{}, stop func()) { return c.heads.watch() }
