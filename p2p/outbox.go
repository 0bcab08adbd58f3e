package p2p

import (
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
)

// outbox is what waits to be written to a peer's relay stream. It holds names, not bodies, so that a slow peer costs little; each
// list is bounded.
type outbox struct {
	pace *pace // set once; nil for a peer that we dialled
	wake chan struct{}

	mu      sync.Mutex
	known   *rolling[wtxPrefix, struct{}]      // transactions that the peer has or was told of
	asked   *rolling[wtxPrefix, struct{}]      // transactions that the peer was asked for
	begged  *rolling[chainhash.Hash, struct{}] // parents of orphans that the peer was asked for
	inv     []invItem
	flushAt time.Time // when inv may be sent; zero if inv is empty
	get     []wtxPrefix
	serve   []wtxPrefix
	parents []chainhash.Hash // to ask for
	lend    []chainhash.Hash // txids of parents that the peer asks for
	tip     *tipMessage      // the last one
	block   []byte           // a compact block to push
	fee     *btcutil.Amount  // our fee filter, if it is to be sent
	floor   btcutil.Amount   // the peer's fee filter
	open    bool             // the peer wanted nothing at first, and does now
}

// outLetters is what is to be written now.
type outLetters struct {
	inv           []invItem
	get, serve    []wtxPrefix
	parents, lend []chainhash.Hash
	tip           *tipMessage
	block         []byte
	fee           *btcutil.Amount
}

// newOutbox makes the outbox of a peer that dialled us, with the pace of all those, or of one that we dialled, without.
func newOutbox(pace *pace) *outbox {
	return &outbox{pace: pace, wake: make(chan struct{}, 1), known: newRolling[wtxPrefix, struct{}](knownPerPeer),
		asked: newRolling[wtxPrefix, struct{}](askedPerPeer), begged: newRolling[chainhash.Hash, struct{}](askedPerPeer)}
}

// wakeUp puts a token into a channel that holds one.
func wakeUp(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// knows notes that the peer has the transactions of ids.
func (o *outbox) knows(ids ...wtxPrefix) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		o.known.put(id, struct{}{})
	}
}

// isKnown reports whether the peer has or was told of id.
func (o *outbox) isKnown(id wtxPrefix) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.known.has(id)
}

// ask queues a request for transactions that the peer has announced.
func (o *outbox) ask(ids []wtxPrefix) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.get = append(o.get, ids...) // bounded by maxAsksPerPeer in flight
	for _, id := range ids {
		o.asked.put(id, struct{}{})
	}
	wakeUp(o.wake)
}

// beg queues a request for parents of an orphan.
func (o *outbox) beg(txids []chainhash.Hash) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range txids {
		if o.begged.has(id) || len(o.parents) >= maxParentsPerAsk {
			continue
		}
		o.begged.put(id, struct{}{})
		o.parents = append(o.parents, id)
	}
	wakeUp(o.wake)
}

// wasAsked reports whether the peer was asked for a transaction, by either name.
func (o *outbox) wasAsked(id wtxPrefix, txid chainhash.Hash) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked.has(id) || o.begged.has(txid)
}

// answer queues transactions that the peer asks for; what is too many is dropped.
func (o *outbox) answer(ids []wtxPrefix) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.serve = append(o.serve, ids[:min(len(ids), maxOutServe-len(o.serve))]...)
	wakeUp(o.wake)
}

// lendParents queues parents that the peer asks for; what is too many is dropped.
func (o *outbox) lendParents(txids []chainhash.Hash) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lend = append(o.lend, txids[:min(len(txids), maxOutServe-len(o.lend))]...)
	wakeUp(o.wake)
}

// sayTip queues our tip; only the last one is sent.
func (o *outbox) sayTip(m tipMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tip = &m
	wakeUp(o.wake)
}

// push queues a compact block; only the last one is sent.
func (o *outbox) push(compact []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.block = compact
	wakeUp(o.wake)
}

// sayFee queues our fee filter; only the last one is sent.
func (o *outbox) sayFee(rate btcutil.Amount) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fee = &rate
	wakeUp(o.wake)
}

// wantsFee notes the peer's fee filter. It reports whether the peer wants transactions now after it wanted none, once: what it was not told
// of meanwhile is news to it.
func (o *outbox) wantsFee(rate btcutil.Amount) (opened bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	opened = !o.open && o.floor == btcutil.MaxSatoshi && rate < o.floor
	o.open = o.open || opened
	o.floor = rate
	return opened
}

// feeFilter returns the peer's fee filter.
func (o *outbox) feeFilter() btcutil.Amount {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.floor
}

// forget lets a transaction be announced although the peer knew it.
func (o *outbox) forget(id wtxPrefix) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known.drop(id)
}

// announce queues transactions that the peer does not know yet and that pay what it wants. They are sent in batches.
func (o *outbox) announce(items []invItem, now time.Time) {
	at := now.Add(announceEvery)
	if o.pace != nil {
		at = o.pace.after(now)
	}
	o.enqueue(items, at)
}

// announceNow is announce without waiting for others.
func (o *outbox) announceNow(items []invItem, now time.Time) { o.enqueue(items, now) }

func (o *outbox) enqueue(items []invItem, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, it := range items {
		if !o.known.has(it.ID) && it.rate >= o.floor {
			o.inv = append(o.inv, it)
		}
	}
	if over := len(o.inv) - maxOutInv; over > 0 {
		o.inv = o.inv[over:]
	}
	if len(o.inv) > 0 && (o.flushAt.IsZero() || at.Before(o.flushAt)) {
		o.flushAt = at
		wakeUp(o.wake)
	}
}

// take empties the outbox of what may be sent at now, and says when the rest is due (zero: nothing waits).
func (o *outbox) take(now time.Time) (outLetters, time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := outLetters{get: o.get, serve: o.serve, parents: o.parents, lend: o.lend, tip: o.tip, block: o.block, fee: o.fee}
	o.get, o.serve, o.parents, o.lend, o.tip, o.block, o.fee = nil, nil, nil, nil, nil, nil, nil
	if len(o.inv) > 0 && !now.Before(o.flushAt) {
		l.inv = o.unknown(o.inv)
		o.inv, o.flushAt = nil, time.Time{}
	}
	return l, o.flushAt
}

// unknown leaves out what the peer has announced since, and notes the rest as known to it.
func (o *outbox) unknown(items []invItem) []invItem {
	kept := items[:0]
	for _, it := range items {
		if !o.known.has(it.ID) {
			o.known.put(it.ID, struct{}{})
			kept = append(kept, it)
		}
	}
	return kept
}

func (l *outLetters) empty() bool {
	return len(l.inv)+len(l.get)+len(l.serve)+len(l.parents)+len(l.lend) == 0 && l.tip == nil && l.block == nil && l.fee == nil
}
