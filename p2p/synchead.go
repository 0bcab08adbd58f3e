package p2p

import (
	"cmp"
	"slices"
	"time"

	"groat/internal/ledger"
)

// Whoever wants to hold up the download can be as many peers as he likes, all of which dial us, promise everything and send nothing. So those
// that have not delivered yet are asked for little, a few of them at a time, and the lowest block, for which everything waits, does not stay long
// with anybody who dialled us.

// trusted says whether a peer is asked for blocks without further ado: we dialled it, or it has delivered and has never held us up.
func (s *syncPeer) trusted() bool { return s.outbound || s.speed > 0 && s.stalls == 0 }

// choose returns the peer to ask for a block: one that has it and is free, the fastest; those whose speed is unknown first.
func (p *syncPlan) choose(now time.Time, height int32) int64 {
	doubtful := 0
	for _, s := range p.peers {
		if s.ranges > 0 && !s.trusted() {
			doubtful++
		}
	}
	best := noPeer
	for id, s := range p.peers {
		switch {
		case !p.able(now, id, height), !s.trusted() && (s.ranges > 0 || doubtful >= doubtfulAtOnce):
		case best == noPeer || p.better(id, best):
			best = id
		}
	}
	return best
}

func (p *syncPlan) better(a, b int64) bool {
	x, y := p.peers[a], p.peers[b]
	switch {
	case x.ranges != y.ranges:
		return x.ranges < y.ranges
	case x.trusted() != y.trusted():
		return x.trusted()
	case !x.trusted() && x.failures != y.failures:
		return x.failures < y.failures
	case (x.speed == 0) != (y.speed == 0):
		return x.speed == 0
	case x.speed != y.speed:
		return x.speed > y.speed
	}
	return a < b
}

// planHead asks more peers for the lowest block when those that were asked have taken long. If all of those have dialled us, twice as many are
// asked each time: a hundred that send nothing thus cost seconds, not minutes.
func (p *syncPlan) planHead(now time.Time, wanted []ledger.Ref, out *syncActions) {
	p.headDue = time.Time{}
	if len(wanted) == 0 {
		return
	}
	job := p.jobs[wanted[0].Hash]
	if job == nil || job.here {
		return
	}
	others := p.rescuers(now, job, wanted[0].Height)
	if len(others) > 0 || len(job.asks) > 1 {
		p.blameStalls(now, job, out)
	}
	patience, more := headStall, 1
	if !slices.ContainsFunc(job.asks, func(a jobAsk) bool { s := p.peers[a.peer]; return s != nil && s.outbound }) {
		most := max(maxHeadAsks, maxHeadBytes/max(int(p.average), 1))
		patience, more = headPatience, min(len(job.asks), most-len(job.asks))
	}
	if p.headDue = job.since.Add(patience); now.Before(p.headDue) {
		return
	}
	late := p.lateRun(now.Add(-patience), wanted)
	for i, id := range others[:min(len(others), max(more, 0))] {
		refs := wanted[:1]
		if i == 0 {
			refs = late
		}
		refs = slices.DeleteFunc(slices.Clone(refs), func(ref ledger.Ref) bool { return !p.peers[id].has(ref.Height) })
		out.Blocks = append(out.Blocks, p.ask(id, refs, now))
	}
}

// rescuers returns the peers that can be asked for a block besides those that were: those that we dialled first, then those that have held us up
// least, then the fastest.
func (p *syncPlan) rescuers(now time.Time, job *blockJob, height int32) []int64 {
	var list []int64
	for id, s := range p.peers {
		free := s.ranges <= asksPerSyncPeer && !now.Before(s.rests) // one more than otherwise: it does not wait for its turn
		if free && s.has(height) && !slices.ContainsFunc(job.asks, func(a jobAsk) bool { return a.peer == id }) {
			list = append(list, id)
		}
	}
	slices.SortFunc(list, func(a, b int64) int {
		x, y := p.peers[a], p.peers[b]
		return cmp.Or(preferOutbound(x, y), cmp.Compare(x.stalls, y.stalls), cmp.Compare(y.speed, x.speed), cmp.Compare(a, b))
	})
	return list
}

// blameStalls notes who has had the lowest block for too long. Whoever dialled us and has sent nothing so far goes at once.
func (p *syncPlan) blameStalls(now time.Time, job *blockJob, out *syncActions) {
	for i := range job.asks {
		a := &job.asks[i]
		s := p.peers[a.peer]
		if s == nil || a.blamed || now.Before(a.at.Add(headStall)) {
			continue
		}
		a.blamed = true
		s.stalls++
		if s.stalls >= maxHeadStalls || !s.outbound && s.speed == 0 {
			out.Drop = append(out.Drop, a.peer)
		}
	}
}

// lateRun returns the lowest block and those after it that were last asked for before then, about as many as one answer of small blocks.
func (p *syncPlan) lateRun(then time.Time, wanted []ledger.Ref) []ledger.Ref {
	most := max(1, min(len(wanted), maxBlocksPerAsk, rescueBytes/max(int(p.average), 1)))
	for i, ref := range wanted[:most] {
		if job := p.jobs[ref.Hash]; i > 0 && (job == nil || job.here || job.since.After(then)) {
			return wanted[:i]
		}
	}
	return wanted[:most]
}
