package p2p

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
)

// txRelay announces what enters the pool and fetches what peers announce.
type txRelay struct {
	n       *Network // set once
	pool    Pool     // set once
	wake    chan struct{}
	ownWake chan struct{}
	feeWake chan struct{}

	mu        sync.Mutex // guards all below; never held while calling the pool or the chain
	plan      *txPlan
	orphans   *orphans
	have      *rolling[wtxPrefix, chainhash.Hash] // wtxids of what has entered the pool
	confirmed *rolling[wtxPrefix, struct{}]       // transactions of the last blocks
	rejects   *rolling[wtxPrefix, struct{}]       // refused at this tip
	foreign   *rolling[wtxPrefix, struct{}]       // transactions that came from peers
	own       *ownPlan
	arrivals  []invItem // the last ones that everybody is told of, for new peers
}

func newTxRelay(n *Network) *txRelay {
	return &txRelay{n: n, pool: n.opts.Pool, wake: make(chan struct{}, 1), ownWake: make(chan struct{}, 1), feeWake: make(chan struct{}, 1), plan: newTxPlan(), orphans: newOrphans(), own: newOwnPlan(),
		have:      newRolling[wtxPrefix, chainhash.Hash](arrivalsKept),
		foreign:   newRolling[wtxPrefix, struct{}](arrivalsKept),
		confirmed: newRolling[wtxPrefix, struct{}](confirmedKept),
		rejects:   newRolling[wtxPrefix, struct{}](rejectsKept)}
}

// join makes a peer known and tells it of the transactions that came last.
func (t *txRelay) join(r *remote) {
	t.mu.Lock()
	t.plan.join(r.num, r.outbound())
	t.mu.Unlock()
	t.greet(r)
}

// greet tells a peer of the transactions that came last.
func (t *txRelay) greet(r *remote) {
	t.mu.Lock()
	recent := append([]invItem(nil), t.arrivals...)
	t.mu.Unlock()
	if !t.n.chain.InitialDownload() {
		r.out.announce(recent, time.Now())
	}
}

func (t *txRelay) leave(r *remote) {
	t.mu.Lock()
	t.plan.leave(r.num, time.Now())
	t.orphans.leave(r.num)
	t.mu.Unlock()
	wakeUp(t.wake)
}

// follow announces what enters the pool, wherever it came from, until ctx ends.
func (t *txRelay) follow(ctx context.Context) error {
	wake, stop := t.pool.Watch()
	defer stop()
	place := uint64(0)
	for {
		txs, next := t.pool.Since(place, maxInvIDs)
		place = next
		if len(txs) > 0 {
			t.entered(ctx, txs)
			continue
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// entered announces transactions and tries the orphans that waited for them.
func (t *txRelay) entered(ctx context.Context, txs []*consensus.Tx) {
	var items, own []invItem
	var ownTxs []*consensus.Tx
	var children []orphan
	for _, tx := range txs {
		item := invItem{ID: prefixOf(tx.WTxID()), VSize: uint32(tx.VSize())}
		if e, here := t.pool.Entry(tx.TxID()); here && e.VSize > 0 {
			item.rate = e.Fee * 1000 / btcutil.Amount(e.VSize)
		}
		t.mu.Lock()
		t.have.put(item.ID, tx.WTxID())
		t.plan.arrived(noPeer, item.ID)
		children = append(children, t.orphans.childrenOf(tx.TxID())...)
		if t.foreign.has(item.ID) || t.confirmed.has(item.ID) {
			items = append(items, item)
		} else {
			own, ownTxs = append(own, item), append(ownTxs, tx)
		}
		t.mu.Unlock()
	}
	now := time.Now()
	t.announceAll(items, now)
	t.announceOwn(own, ownTxs, now)
	t.retry(ctx, children)
}

// announceAll tells all peers, also those that come later.
func (t *txRelay) announceAll(items []invItem, now time.Time) {
	if len(items) == 0 {
		return
	}
	t.mu.Lock()
	t.arrivals = append(t.arrivals, items...)
	if over := len(t.arrivals) - greetInv; over > 0 {
		t.arrivals = t.arrivals[over:]
	}
	t.mu.Unlock()
	if !t.n.chain.InitialDownload() {
		for _, r := range t.n.peers.ready() {
			if !r.withoutTxs() {
				r.out.announce(items, now)
			}
		}
	}
}

// retry tries orphans again. Those that still lack a parent are kept.
func (t *txRelay) retry(ctx context.Context, list []orphan) {
	for _, o := range list {
		if ctx.Err() != nil {
			return
		}
		missing, err := t.add(ctx, o.from, o.tx)
		t.n.blame(o.from, err)
		if missing {
			t.mu.Lock()
			t.orphans.putBack(o, time.Now())
			t.mu.Unlock()
		}
	}
}

// newTip forgets what depended on the old tip: refusals, and orphans whose parents may have been confirmed.
func (t *txRelay) newTip(ctx context.Context, hash chainhash.Hash) {
	block, err := t.n.blocks.block(hash)
	t.mu.Lock()
	t.rejects.clear()
	if err == nil {
		for _, tx := range block.Txs {
			id := prefixOf(tx.WTxID())
			t.confirmed.put(id, struct{}{})
			t.plan.arrived(noPeer, id)
			t.orphans.drop(id)
		}
	}
	waiting := t.orphans.takeAll()
	t.mu.Unlock()
	wakeUp(t.feeWake) // with the initial download our filter ends
	t.retry(ctx, waiting)
}

// announced takes the announcements of a peer.
func (t *txRelay) announced(r *remote, items []invItem) error {
	if !r.invs.AllowN(time.Now(), len(items)) {
		return breachf(offFlood, "more than %d a second", invPerSecond)
	}
	ids := make([]wtxPrefix, len(items))
	for i, it := range items {
		ids[i] = it.ID
	}
	r.out.knows(ids...)
	if t.n.chain.InitialDownload() {
		return nil
	}
	ids = t.unknown(ids)
	t.mu.Lock()
	dropped := t.plan.announce(r.num, ids, time.Now())
	t.mu.Unlock()
	if dropped > 0 {
		t.n.log.Debug("announcements dropped", "peer", r.id, "count", dropped)
	}
	wakeUp(t.wake)
	return nil
}

// unknown leaves out what is here, was confirmed lately, or was refused at this tip.
func (t *txRelay) unknown(ids []wtxPrefix) []wtxPrefix {
	kept := make([]wtxPrefix, 0, len(ids))
	for _, id := range ids {
		t.mu.Lock()
		wtxid, had := t.have.get(id)
		skip := t.confirmed.has(id) || t.rejects.has(id) || t.orphans.has(id)
		t.mu.Unlock()
		if skip {
			continue
		}
		if had { // unless it has left the pool since
			if _, here := t.pool.GetWitness(wtxid); here {
				continue
			}
		}
		kept = append(kept, id)
	}
	return kept
}

// ask sends the requests that the plan wants until ctx ends.
func (t *txRelay) ask(ctx context.Context) error {
	for {
		t.mu.Lock()
		asks := t.plan.plan(time.Now())
		stalled := t.plan.stalled(time.Now())
		next, waiting := t.plan.next()
		t.mu.Unlock()
		for _, num := range stalled {
			if r := t.n.peers.byNum(num); r != nil {
				t.n.log.Info("disconnect a peer that announces transactions and never sends them", "peer", r.id)
				t.n.drop(r)
			}
		}
		for _, a := range asks {
			if r := t.n.peers.byNum(a.Peer); r != nil {
				r.out.ask(a.IDs)
			}
		}
		if !t.wait(ctx, next, waiting) {
			return nil
		}
	}
}

func (t *txRelay) wait(ctx context.Context, next time.Time, waiting bool) bool {
	var due <-chan time.Time
	if waiting {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-t.wake:
	case <-due:
	case <-ctx.Done():
		return false
	}
	return true
}

// received takes a transaction that a peer has sent.
func (t *txRelay) received(ctx context.Context, r *remote, payload []byte) error {
	tx, err := consensus.ParseTx(payload)
	if err != nil {
		return breachf(offFrame, "transaction: %v", err)
	}
	id := prefixOf(tx.WTxID())
	r.out.knows(id)
	if !r.out.wasAsked(id, tx.TxID()) {
		return breachf(offUnasked, "transaction %v", tx.TxID())
	}
	t.mu.Lock()
	seen, wanted := t.plan.firstSeen(id)
	t.mu.Unlock()
	missing, err := t.add(ctx, r, tx)
	t.mu.Lock()
	t.plan.arrived(r.num, id) // not before, or who announces it meanwhile would be asked for it too
	t.mu.Unlock()
	wakeUp(t.wake)
	if missing {
		t.orphan(r, tx)
	}
	if err != nil {
		return err
	}
	if _, taken := t.pool.GetWitness(tx.WTxID()); taken && wanted {
		t.n.txDelays.observe(time.Since(seen))
	}
	return nil
}

// add gives a transaction to the pool and says whether parents of it are missing. The error is a breach if r is to blame for it.
func (t *txRelay) add(ctx context.Context, r *remote, tx *consensus.Tx) (missing bool, err error) {
	id := prefixOf(tx.WTxID())
	t.mu.Lock()
	t.foreign.put(id, struct{}{})
	t.mu.Unlock()
	_, err = t.pool.Add(ctx, tx)
	var refused interface{ RejectReason() string }
	switch {
	case err == nil:
		r.gaveTx()
		t.mu.Lock()
		t.have.put(id, tx.WTxID())
		t.mu.Unlock()
	case errors.Is(err, consensus.ErrMissingInput):
		return true, nil
	case errors.As(err, &refused):
		t.mu.Lock()
		t.rejects.put(id, struct{}{})
		t.mu.Unlock()
		t.n.log.Debug("transaction refused", "txid", tx.TxID(), "peer", r.id, "err", err)
		if txOffence(err) {
			return false, breachf(offTx, "%v", err)
		}
	case ctx.Err() == nil:
		t.n.log.Error("add a transaction", "txid", tx.TxID(), "err", err)
	}
	return false, nil
}

// orphan keeps tx and asks its sender for the parents that are not here.
func (t *txRelay) orphan(r *remote, tx *consensus.Tx) {
	t.mu.Lock()
	kept := t.orphans.add(tx, r, time.Now())
	t.mu.Unlock()
	if !kept {
		return
	}
	var parents []chainhash.Hash
	for parent := range parentsOf(tx) {
		if _, here := t.pool.Get(parent); !here && len(parents) < maxParentsPerAsk {
			parents = append(parents, parent)
		}
	}
	if len(parents) > 0 {
		r.out.beg(parents)
	}
}

// missing notes that a peer does not have what it announced.
func (t *txRelay) missing(r *remote, ids []wtxPrefix) {
	t.mu.Lock()
	for _, id := range ids {
		t.plan.missing(r.num, id, time.Now())
	}
	t.mu.Unlock()
	wakeUp(t.wake)
}

// lookup returns the transaction that was announced as id, if it is still in the pool.
func (t *txRelay) lookup(id wtxPrefix) (*consensus.Tx, bool) {
	t.mu.Lock()
	wtxid, ok := t.have.get(id)
	t.mu.Unlock()
	if !ok {
		return nil, false
	}
	return t.pool.GetWitness(wtxid)
}

// candidates lists the transactions from which a block may be rebuilt.
func (t *txRelay) candidates() []*consensus.Tx {
	txs := t.pool.Transactions()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.orphans.txs {
		txs = append(txs, o.tx)
	}
	return txs
}
