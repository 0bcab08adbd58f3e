package p2p

import (
	"cmp"
	"slices"
	"time"

	"groat/internal/ledger"
)

// The best header may be that of a chain whose blocks nobody serves. So each peer whose own chain is another one, with more work than our
// tip, is asked for the blocks of that, a few at a time: whatever headers somebody has shown us, the blocks of the others still come.

// aside says what a peer has that is not on the way to the best header.
type aside struct {
	Fork   int32        // height up to which its chain is that of the best header
	Wanted []ledger.Ref // blocks of its chain that are not here, lowest first
}

// look notes on which peers' chains the best header is not.
func (p *syncPlan) look(asides map[int64]aside) {
	for id, s := range p.peers {
		s.fork = -1
		if a, ok := asides[id]; ok {
			s.fork = a.Fork
		}
	}
}

// planAside asks peers for the blocks of their own chains, the likely ones first.
func (p *syncPlan) planAside(now time.Time, asides map[int64]aside, out *syncActions) {
	var able []int64
	busy := 0
	for id, s := range p.peers {
		switch {
		case s.aside && now.Before(s.since.Add(headStall)):
			busy++
		case !s.aside && s.ranges < asksPerSyncPeer && !now.Before(s.rests):
			able = append(able, id)
		}
	}
	slices.SortFunc(able, func(a, b int64) int {
		return cmp.Or(preferOutbound(p.peers[a], p.peers[b]), cmp.Compare(p.peers[a].stalls, p.peers[b].stalls), cmp.Compare(a, b))
	})
	for _, id := range able {
		s := p.peers[id]
		refs := slices.DeleteFunc(slices.Clone(asides[id].Wanted), func(ref ledger.Ref) bool {
			return ref.Height > s.own || !p.free(now, ref)
		})
		if busy == asidesInFlight {
			return
		}
		if len(refs) == 0 {
			continue
		}
		a := p.ask(id, refs, now)
		a.Aside, s.aside, s.since = true, true, now
		out.Blocks = append(out.Blocks, a)
		busy++
	}
}

// free says whether a block is not on its way, or has been for too long.
func (p *syncPlan) free(now time.Time, ref ledger.Ref) bool {
	if _, held := p.held[ref.Hash]; held {
		return false
	}
	job := p.jobs[ref.Hash]
	return job == nil || !job.here && !now.Before(job.since.Add(headStall))
}
