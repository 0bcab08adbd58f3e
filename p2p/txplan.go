package p2p

import (
	"container/heap"
	"slices"
	"time"
)

// txPlan decides which announced transactions are asked of whom. It does no I/O and reads no clock: announcements and answers go in, requests
// come out. Peers that we dialled are preferred, one request is in flight for a transaction, after askTimeout the next announcer
// is asked. Everything that a peer can fill is bounded per peer.
type txPlan struct {
	wants map[wtxPrefix]*txWant
	due   wantHeap // each want once, by when something is to be done for it
	peers map[int64]*txPeer
}

// txPeer is what the plan knows of a peer.
type txPeer struct {
	outbound  bool
	announced int // wants that remember the peer as an announcer
	inFlight  int
	proven    bool      // the last request to it brought a transaction
	stalls    int       // requests that brought nothing since it last sent a transaction, in stallWindow
	since     time.Time // of the first of them
}

// txWant is a transaction that has been announced and is not here.
type txWant struct {
	id         wtxPrefix
	announcers []int64   // in order of announcement; who has been asked is removed
	asked      int64     // in flight from this peer, noPeer if none
	seen       time.Time // when it was first announced
	at         time.Time
	index      int // in due
}

// noPeer is no peer's number.
const noPeer int64 = -1

// txAsk is a request that is to be sent now.
type txAsk struct {
	Peer int64
	IDs  []wtxPrefix
}

func newTxPlan() *txPlan {
	return &txPlan{wants: map[wtxPrefix]*txWant{}, peers: map[int64]*txPeer{}}
}

// join makes a peer known.
func (p *txPlan) join(peer int64, outbound bool) { p.peers[peer] = &txPeer{outbound: outbound} }

// leave forgets a peer. What was in flight from it is asked of the next announcer at once.
func (p *txPlan) leave(peer int64, now time.Time) {
	delete(p.peers, peer)
	for _, w := range p.wants {
		if i := slices.Index(w.announcers, peer); i >= 0 {
			w.announcers = slices.Delete(w.announcers, i, i+1)
		}
		if w.asked == peer {
			w.asked = noPeer
			p.reschedule(w, now)
		}
		if w.asked == noPeer && len(w.announcers) == 0 {
			p.drop(w)
		}
	}
}

// announce notes that peer has the transactions of ids, which are not here. It returns how many of them it had to forget because the peer
// announced too many.
func (p *txPlan) announce(peer int64, ids []wtxPrefix, now time.Time) (dropped int) {
	from := p.peers[peer]
	if from == nil {
		return 0
	}
	for _, id := range ids {
		w := p.wants[id]
		if w != nil && (w.asked == peer || slices.Contains(w.announcers, peer)) {
			continue
		}
		if from.announced >= maxAnnouncedPeer {
			dropped++
			continue
		}
		from.announced++
		when := now
		if !from.outbound && !from.proven && p.anyOutbound() {
			when = now.Add(inboundDelay)
		}
		if w == nil {
			w = &txWant{id: id, asked: noPeer, seen: now, at: when}
			p.wants[id] = w
			heap.Push(&p.due, w)
		}
		w.announcers = append(w.announcers, peer)
		if w.asked == noPeer && when.Before(w.at) {
			p.reschedule(w, when)
		}
	}
	return dropped
}

func (p *txPlan) anyOutbound() bool {
	for _, peer := range p.peers {
		if peer.outbound {
			return true
		}
	}
	return false
}

// firstSeen returns when a transaction that is wanted was first announced.
func (p *txPlan) firstSeen(id wtxPrefix) (at time.Time, wanted bool) {
	if w := p.wants[id]; w != nil {
		return w.seen, true
	}
	return at, false
}

// arrived ends the want of id, and says whether it was asked of peer.
func (p *txPlan) arrived(peer int64, id wtxPrefix) (asked bool) {
	w := p.wants[id]
	if w == nil {
		return false
	}
	asked = w.asked == peer
	if from := p.peers[peer]; from != nil {
		from.stalls, from.proven = 0, true
	}
	p.drop(w)
	return asked
}

// missing notes that peer does not have id after all: the next announcer is asked.
func (p *txPlan) missing(peer int64, id wtxPrefix, now time.Time) {
	if w := p.wants[id]; w != nil && w.asked == peer {
		p.stall(peer, now)
		p.release(w)
		p.reschedule(w, now)
		if len(w.announcers) == 0 {
			p.drop(w)
		}
	}
}

// plan returns the requests that are due, and ends those that have taken too long.
func (p *txPlan) plan(now time.Time) []txAsk {
	batches := map[int64][]wtxPrefix{}
	for len(p.due) > 0 && !p.due[0].at.After(now) {
		w := p.due[0]
		if w.asked != noPeer { // too late
			p.stall(w.asked, now)
			p.release(w)
		}
		if len(w.announcers) == 0 {
			p.drop(w)
			continue
		}
		i := p.choose(w)
		if i < 0 { // all announcers are busy
			p.reschedule(w, now.Add(announceEvery))
			continue
		}
		w.asked = w.announcers[i]
		w.announcers = slices.Delete(w.announcers, i, i+1)
		peer := p.peers[w.asked]
		peer.inFlight++
		batches[w.asked] = append(batches[w.asked], w.id)
		p.reschedule(w, now.Add(askTimeout))
	}
	asks := make([]txAsk, 0, len(batches))
	for peer, ids := range batches {
		asks = append(asks, txAsk{peer, ids})
	}
	return asks
}

// stall notes that a request brought nothing.
func (p *txPlan) stall(peer int64, now time.Time) {
	s := p.peers[peer]
	if s == nil {
		return
	}
	if s.stalls == 0 || now.Sub(s.since) > stallWindow {
		s.stalls, s.since = 0, now
	}
	s.stalls++
	s.proven = false
}

// stalled returns the peers that announce and never serve, each once.
func (p *txPlan) stalled(now time.Time) (list []int64) {
	for id, s := range p.peers {
		if s.stalls >= maxAskStalls && now.Sub(s.since) >= stallTime {
			s.stalls = 0
			list = append(list, id)
		}
	}
	return list
}

// choose returns the place of the announcer to ask: one that serves, that we dialled, that has failed least, the first; -1 if all are busy.
// However many announce first, each of them can hold up a few transactions once.
func (p *txPlan) choose(w *txWant) int {
	best := -1
	for i, id := range w.announcers {
		if p.peers[id].inFlight < maxAsksPerPeer && (best < 0 || p.peers[id].before(p.peers[w.announcers[best]])) {
			best = i
		}
	}
	return best
}

// before says whether s is to be asked rather than o, which announced first.
func (s *txPeer) before(o *txPeer) bool {
	if x, y := s.stalls > fewStalls, o.stalls > fewStalls; x != y {
		return y
	}
	if s.outbound != o.outbound {
		return s.outbound
	}
	return s.stalls < o.stalls
}

// next returns when plan has something to do; false if never.
func (p *txPlan) next() (time.Time, bool) {
	if len(p.due) == 0 {
		return time.Time{}, false
	}
	return p.due[0].at, true
}

// release ends the request in flight for w, if any.
func (p *txPlan) release(w *txWant) {
	if w.asked == noPeer {
		return
	}
	if peer := p.peers[w.asked]; peer != nil {
		peer.inFlight--
		peer.announced--
	}
	w.asked = noPeer
}

func (p *txPlan) drop(w *txWant) {
	p.release(w)
	for _, id := range w.announcers {
		if peer := p.peers[id]; peer != nil {
			peer.announced--
		}
	}
	heap.Remove(&p.due, w.index)
	delete(p.wants, w.id)
}

func (p *txPlan) reschedule(w *txWant, at time.Time) {
	w.at = at
	heap.Fix(&p.due, w.index)
}

// wantHeap orders wants by time (container/heap).
type wantHeap []*txWant

func (h wantHeap) Len() int           { return len(h) }
func (h wantHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h wantHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *wantHeap) Push(x any) {
	w := x.(*txWant)
	w.index = len(*h)
	*h = append(*h, w)
}

// Pop is for container/heap.
func (h *wantHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return w
}
