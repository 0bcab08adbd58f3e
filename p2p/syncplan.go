package p2p

import (
	"cmp"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// syncPlan decides which headers and blocks are asked of whom. It does no I/O and reads no clock: what peers say and what becomes of
// requests goes in, requests come out. Headers are asked of the peers that claim more work than we know of, blocks of all
// peers that should have them, in ranges, the lowest first.
type syncPlan struct {
	peers   map[int64]*syncPeer
	jobs    map[chainhash.Hash]*blockJob // blocks that have been asked for or wait to be connected
	held    map[chainhash.Hash]time.Time // blocks that are expected by another way until then
	lastAsk int64                        // number of the last request
	average float64                      // size of a block, bytes; smoothed
	queued  int                          // bytes of blocks that are here and not connected yet
	headDue time.Time                    // when others are asked for the lowest block; zero if none is asked for
}

// syncPeer is what the plan knows of a peer.
type syncPeer struct {
	outbound bool
	height   int32          // up to which it is asked on the way to the best header,
	own      int32          // and on its own
	fork     int32          // height up to which its chain is that of the best header; -1 if all of it may be
	aside    bool           // a request for blocks of its own chain is in flight
	since    time.Time      // since then
	work     consensus.Work // of its tip, as far as we believe it
	headers  bool           // a request for headers is in flight
	asked    time.Time      // since then
	curious  bool           // ask whatever it claims: it announced a block whose parent we do not know, or has more headers
	low      int            // answers with headers that were not worth storing or ended below its claim
	idle     time.Time      // not asked for headers before
	ranges   int            // requests for blocks in flight
	speed    float64        // bytes per second; 0 while unknown
	stalls   int            // times that it held up the lowest block
	failures int            // requests in a row that brought nothing
	useless  bool           // it dialled us, and its first answer did not come
	rests    time.Time      // not asked before
}

// blockJob is a block on its way.
type blockJob struct {
	asks  []jobAsk // who was asked; more than one when the first one stalls
	here  bool     // it has come and waits to be connected
	size  int
	since time.Time // of the last ask
}

// jobAsk is one request that names a block.
type jobAsk struct {
	peer, ask int64
	at        time.Time
	blamed    bool // it has counted as a stall
}

// syncView is what the chain says at the moment of planning.
type syncView struct {
	Best   consensus.State // the best header
	Wanted []ledger.Ref    // blocks that are not here on the way to it, lowest first
	Aside  map[int64]aside // of the peers that are on another way
}

// syncActions is what is to be done now.
type syncActions struct {
	Headers []int64     // ask these peers for headers
	Blocks  []blocksAsk // ask these peers for blocks
	Drop    []int64     // disconnect these peers: they hold up the download
}

// askResult is what became of a request for blocks.
type askResult struct {
	Missing     int32   // height of the lowest block that the peer said it does not have; 0 for none
	BytesPerSec float64 // 0 if nothing came
	Failed      bool    // ended by an error before anything came
	Silent      bool    // and that was a deadline
}

// blocksAsk is a request for blocks.
type blocksAsk struct {
	Peer, Ask int64
	Blocks    []ledger.Ref
	Aside     bool // they are not on the way to the best header
}

func newSyncPlan() *syncPlan {
	return &syncPlan{peers: map[int64]*syncPeer{}, jobs: map[chainhash.Hash]*blockJob{}, held: map[chainhash.Hash]time.Time{}}
}

// join makes a peer known.
func (p *syncPlan) join(peer int64, outbound bool) {
	p.peers[peer] = &syncPeer{outbound: outbound, fork: -1}
}

// leave forgets a peer; its requests end by ended.
func (p *syncPlan) leave(peer int64) { delete(p.peers, peer) }

// claim notes where a peer says its tip is.
func (p *syncPlan) claim(peer int64, height int32, work consensus.Work) {
	if s := p.peers[peer]; s != nil {
		s.height, s.own, s.work = height, height, work
	}
}

// raise notes that a peer has a block at height, if that is more work than it has claimed.
func (p *syncPlan) raise(peer int64, height int32, work consensus.Work) {
	if s := p.peers[peer]; s != nil && work.Cmp(s.work) > 0 {
		s.height, s.own, s.work = height, height, work
	}
}

// wonder lets a peer be asked for headers whatever it claims.
func (p *syncPlan) wonder(peer int64) {
	if s := p.peers[peer]; s != nil {
		s.curious = true
	}
}

// hold keeps a block from being asked for until then, because it is expected by another way.
func (p *syncPlan) hold(hash chainhash.Hash, until time.Time) {
	if _, ok := p.held[hash]; ok || len(p.held) < maxHeld {
		p.held[hash] = until
	}
}

// release ends a hold.
func (p *syncPlan) release(hash chainhash.Hash) { delete(p.held, hash) }

// gotHeaders notes the answer to a request for headers. A peer that has no more and led to less work than it claimed is believed no
// further until it claims again.
func (p *syncPlan) gotHeaders(peer int64, a headersAnswer, now time.Time) {
	s := p.peers[peer]
	if s == nil {
		return
	}
	s.headers, s.failures = false, 0
	if a.Low {
		s.low++
	}
	if a.More {
		s.curious = true // to the end of the chain, even if we learn meanwhile of one with more work
		return
	}
	if a.Low {
		s.idle = now.Add(lowWorkRest)
	}
	if a.Work.Cmp(s.work) < 0 {
		s.work = a.Work
		s.low++
	}
}

// noHeaders notes that a request for headers has failed.
func (p *syncPlan) noHeaders(peer int64, now time.Time) {
	if s := p.peers[peer]; s != nil {
		s.headers = false
		s.fail(now)
	}
}

func (s *syncPeer) fail(now time.Time) {
	s.failures++
	s.rests = now.Add(restAfterFailure)
}

// arrived notes that a block has come and waits to be connected; false if nobody waits for it.
func (p *syncPlan) arrived(hash chainhash.Hash, size int) bool {
	job := p.jobs[hash]
	if job == nil || job.here {
		return false
	}
	job.here, job.size = true, size
	p.queued += size
	if p.average == 0 {
		p.average = float64(size)
	}
	p.average += (float64(size) - p.average) / 32
	return true
}

// took notes that a block has come by another way and waits to be connected.
func (p *syncPlan) took(hash chainhash.Hash, size int) {
	if p.jobs[hash] == nil {
		p.jobs[hash] = &blockJob{}
	}
	p.arrived(hash, size)
}

// connected notes that the chain has taken or refused a block.
func (p *syncPlan) connected(hash chainhash.Hash) {
	job := p.jobs[hash]
	if job == nil || !job.here {
		return
	}
	p.queued -= job.size
	delete(p.jobs, hash)
}

// ended notes that a request has ended. What it did not bring is free to be asked for again.
func (p *syncPlan) ended(a blocksAsk, r askResult, now time.Time) {
	if s := p.peers[a.Peer]; s != nil {
		s.ranges--
		s.aside = s.aside && !a.Aside
		switch {
		case r.Missing > 0 && a.Aside:
			s.own = min(s.own, r.Missing-1)
		case r.Missing > 0:
			s.height = min(s.height, r.Missing-1)
		}
		switch {
		case r.Failed:
			s.fail(now)
			s.useless = s.useless || r.Silent && !s.outbound && s.speed == 0
			s.speed *= 0.8
		case r.BytesPerSec > 0:
			s.failures = 0
			if s.speed == 0 {
				s.speed = r.BytesPerSec
			}
			s.speed += (r.BytesPerSec - s.speed) / 4
		}
	}
	for _, ref := range a.Blocks {
		job := p.jobs[ref.Hash]
		if job == nil {
			continue
		}
		job.asks = slices.DeleteFunc(job.asks, func(j jobAsk) bool { return j.ask == a.Ask })
		if len(job.asks) == 0 && !job.here {
			delete(p.jobs, ref.Hash)
		}
	}
}

// inFlight returns the blocks that a peer has been asked for and that have not come.
func (p *syncPlan) inFlight(peer int64) []chainhash.Hash {
	var list []chainhash.Hash
	for hash, job := range p.jobs {
		if !job.here && slices.ContainsFunc(job.asks, func(a jobAsk) bool { return a.peer == peer }) {
			list = append(list, hash)
		}
	}
	return list
}

// next returns when plan has something to do at the latest.
func (p *syncPlan) next(now time.Time) time.Time {
	at := now.Add(syncTick)
	if p.headDue.After(now) && p.headDue.Before(at) {
		at = p.headDue
	}
	for _, until := range p.held {
		if until.Before(at) {
			at = until
		}
	}
	return at
}

// plan returns what is to be done now.
func (p *syncPlan) plan(now time.Time, v syncView) syncActions {
	var out syncActions
	for hash, until := range p.held {
		if !now.Before(until) {
			delete(p.held, hash)
		}
	}
	for id, s := range p.peers {
		if s.failures >= maxAskFailures || s.useless {
			out.Drop = append(out.Drop, id)
		}
	}
	out.Headers = p.planHeaders(now, v.Best)
	p.look(v.Aside)
	p.planHead(now, v.Wanted, &out)
	p.planRanges(now, v.Wanted, &out)
	p.planAside(now, v.Aside, &out)
	return out
}

// planHeaders chooses of the peers that claim more work than the best header has: those that we dialled first, then those that have wasted
// the least of our time, then those that claim the most. Whoever leads us along a chain without work thus keeps nobody else waiting.
func (p *syncPlan) planHeaders(now time.Time, best consensus.State) []int64 {
	var able []int64
	busy := 0
	for id, s := range p.peers {
		switch {
		case s.headers && now.Before(s.asked.Add(headersPatience)):
			busy++
		case s.headers: // too slow to keep others waiting
		case (s.curious || s.work.Cmp(best.Work) > 0) && !now.Before(s.rests) && !now.Before(s.idle):
			able = append(able, id)
		}
	}
	slices.SortFunc(able, func(a, b int64) int {
		x, y := p.peers[a], p.peers[b]
		return cmp.Or(preferOutbound(x, y), cmp.Compare(x.low, y.low), y.work.Cmp(x.work), cmp.Compare(a, b))
	})
	able = able[:min(len(able), max(headersInFlight-busy, 0))]
	for _, id := range able {
		s := p.peers[id]
		s.headers, s.asked, s.curious = true, now, false
	}
	return able
}

func preferOutbound(a, b *syncPeer) int {
	switch {
	case a.outbound == b.outbound:
		return 0
	case a.outbound:
		return -1
	}
	return 1
}

// planRanges hands out what nobody has been asked for.
func (p *syncPlan) planRanges(now time.Time, wanted []ledger.Ref, out *syncActions) {
	budget := syncBudget - p.queued - p.pending()
	free := make([]ledger.Ref, 0, len(wanted))
	for _, ref := range wanted {
		if _, held := p.held[ref.Hash]; p.jobs[ref.Hash] == nil && !held {
			free = append(free, ref)
		}
	}
	size := max(int(p.average), 1)
	for len(free) > 0 {
		n := min(len(free), maxBlocksPerAsk, max(maxBlocksAnswer/size, 1))
		if n*size > budget && len(p.jobs) > 0 {
			return
		}
		peer := p.choose(now, free[0].Height)
		if peer == noPeer {
			return
		}
		has := p.peers[peer].height
		if fork := p.peers[peer].fork; fork >= 0 {
			has = min(has, fork)
		}
		if free[n-1].Height > has { // it has the first of them
			n = slices.IndexFunc(free, func(r ledger.Ref) bool { return r.Height > has })
		}
		out.Blocks = append(out.Blocks, p.ask(peer, free[:n], now))
		free = free[n:]
		budget -= n * size
	}
}

// pending returns how many bytes are probably on their way.
func (p *syncPlan) pending() int {
	n := 0
	for _, job := range p.jobs {
		if !job.here {
			n++
		}
	}
	return n * int(p.average)
}

// able says whether a peer can be asked for a block now.
func (p *syncPlan) able(now time.Time, id int64, height int32) bool {
	s := p.peers[id]
	return s.has(height) && s.ranges < asksPerSyncPeer && !now.Before(s.rests)
}

// has says whether a peer should have the block at a height on the way to the best header.
func (s *syncPeer) has(height int32) bool {
	return s.height >= height && (s.fork < 0 || s.fork >= height)
}

// ask notes a request for refs.
func (p *syncPlan) ask(peer int64, refs []ledger.Ref, now time.Time) blocksAsk {
	p.lastAsk++
	a := blocksAsk{Peer: peer, Ask: p.lastAsk, Blocks: slices.Clone(refs)}
	p.peers[peer].ranges++
	for _, ref := range refs {
		job := p.jobs[ref.Hash]
		if job == nil {
			job = &blockJob{}
			p.jobs[ref.Hash] = job
		}
		job.asks = append(job.asks, jobAsk{peer: peer, ask: a.Ask, at: now})
		job.since = now
	}
	return a
}
