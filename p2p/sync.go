package p2p

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
)

// syncer runs the syncPlan: it feeds it and does what it says.
type syncer struct {
	n    *Network // set once
	wake chan struct{}

	mu   sync.Mutex // guards plan; never held while calling the chain
	plan *syncPlan
}

func newSyncer(n *Network) *syncer {
	return &syncer{n: n, wake: make(chan struct{}, 1), plan: newSyncPlan()}
}

// look lets the syncer plan again soon.
func (s *syncer) look() { wakeUp(s.wake) }

func (s *syncer) change(f func(p *syncPlan)) {
	s.mu.Lock()
	f(s.plan)
	s.mu.Unlock()
	s.look()
}

func (s *syncer) join(r *remote) {
	said := r.claims()
	s.change(func(p *syncPlan) {
		p.join(r.num, r.outbound())
		p.claim(r.num, said.Height, said.Work)
	})
	s.doubt(r, said.Tip, said.Work)
}

func (s *syncer) leave(r *remote) { s.change(func(p *syncPlan) { p.leave(r.num) }) }

func (s *syncer) claim(r *remote, tip chainhash.Hash, height int32, work consensus.Work) {
	s.change(func(p *syncPlan) { p.claim(r.num, height, work) })
	s.doubt(r, tip, work)
}

// doubt asks a peer for headers if its tip is unknown and above ours, even if the best header has more work: that one's blocks may never come.
func (s *syncer) doubt(r *remote, tip chainhash.Hash, work consensus.Work) {
	if _, err := s.n.chain.Info(tip); err != nil && work.Cmp(s.n.chain.Tip().Work) > 0 && work.Cmp(s.n.chain.BestHeader().Work) <= 0 {
		s.wonder(r)
	}
}

// raise notes that a peer has a block, if that is more than it has claimed.
func (s *syncer) raise(r *remote, height int32, work consensus.Work) {
	s.change(func(p *syncPlan) { p.raise(r.num, height, work) })
}

func (s *syncer) wonder(r *remote) { s.change(func(p *syncPlan) { p.wonder(r.num) }) }

func (s *syncer) hold(hash chainhash.Hash, until time.Time) {
	s.change(func(p *syncPlan) { p.hold(hash, until) })
}

// holdNew gives gossip a moment to bring a block, unless it is on its way already.
func (s *syncer) holdNew(hash chainhash.Hash) {
	s.change(func(p *syncPlan) {
		if _, ok := p.held[hash]; !ok {
			p.hold(hash, time.Now().Add(tipGrace))
		}
	})
}

func (s *syncer) release(hash chainhash.Hash) { s.change(func(p *syncPlan) { p.release(hash) }) }

func (s *syncer) took(b *consensus.Block) {
	s.change(func(p *syncPlan) { p.took(b.Hash(), b.Size()) })
}

func (s *syncer) connected(hash chainhash.Hash) { s.change(func(p *syncPlan) { p.connected(hash) }) }

// inFlight returns the heights of the blocks that a peer has been asked for, lowest first.
func (s *syncer) inFlight(r *remote) []int32 {
	s.mu.Lock()
	asked := s.plan.inFlight(r.num)
	s.mu.Unlock()
	heights := []int32{}
	for _, hash := range asked {
		if info, err := s.n.chain.Info(hash); err == nil {
			heights = append(heights, info.State.Height)
		}
	}
	slices.Sort(heights)
	return heights
}

// run downloads until ctx ends.
func (s *syncer) run(ctx context.Context) error {
	for {
		view := syncView{Best: s.n.chain.BestHeader(), Wanted: s.n.chain.Wanted(syncWindow), Aside: s.n.asides()}
		now := time.Now()
		s.mu.Lock()
		todo := s.plan.plan(now, view)
		next := s.plan.next(now)
		s.mu.Unlock()
		s.do(ctx, todo)
		if !s.pause(ctx, next) {
			return nil
		}
	}
}

// asides returns what the peers have that is not on the way to the best header.
func (n *Network) asides() map[int64]aside {
	asides := map[int64]aside{}
	for _, r := range n.peers.ready() {
		if fork, refs := n.chain.WantedAside(r.claims().Tip, blocksPerAside); fork >= 0 {
			asides[r.num] = aside{fork, refs}
		}
	}
	return asides
}

// pause waits until something has changed or next; false if ctx has ended. Changes come in bursts, so it never plans more often than
// every planPause.
func (s *syncer) pause(ctx context.Context, next time.Time) bool {
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	select {
	case <-s.wake:
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
	select {
	case <-time.After(planPause):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *syncer) do(ctx context.Context, todo syncActions) {
	for _, num := range todo.Drop {
		if r := s.n.peers.byNum(num); r != nil {
			s.n.log.Info("disconnect a peer that holds up the download", "peer", r.id)
			s.n.drop(r)
		}
	}
	for _, num := range todo.Headers {
		r := s.n.peers.byNum(num)
		if r == nil || !s.n.start(func() { s.fetchHeaders(ctx, r) }) {
			s.change(func(p *syncPlan) { p.noHeaders(num, time.Now()) })
		}
	}
	for _, a := range todo.Blocks {
		r := s.n.peers.byNum(a.Peer)
		if r == nil || !s.n.start(func() { s.fetchBlocks(ctx, r, a) }) {
			s.change(func(p *syncPlan) { p.ended(a, askResult{Failed: true}, time.Now()) })
		}
	}
}
