package p2p

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
)

// ownPlan remembers transactions that began at this node: from its wallet, by RPC, or undone by a reorg. Two peers that we dialled hear of
// them at once, everybody else later, so that those who listen to us do not learn that we were the first. They are announced again until
// they have left the pool. It does no I/O and reads no clock.
type ownPlan struct {
	txs  map[wtxPrefix]*ownTx
	last int // number of the last one
}

// ownTx is a transaction that began here.
type ownTx struct {
	item  invItem
	wtxid chainhash.Hash
	at    time.Time // when everybody is told, again
	told  bool      // everybody has been told once
	num   int       // in order of arrival, so that parents are told before children
}

func newOwnPlan() *ownPlan { return &ownPlan{txs: map[wtxPrefix]*ownTx{}} }

// add remembers a transaction, to be told to everybody at the given time; false if there is no room.
func (p *ownPlan) add(item invItem, wtxid chainhash.Hash, at time.Time) bool {
	if len(p.txs) >= maxOwn {
		return false
	}
	p.last++
	p.txs[item.ID] = &ownTx{item: item, wtxid: wtxid, at: at, num: p.last}
	return true
}

// notBefore returns at, or when everybody is first told of the transaction id if that is later.
func (p *ownPlan) notBefore(id wtxPrefix, at time.Time) time.Time {
	if own := p.txs[id]; own != nil && !own.told && own.at.After(at) {
		return own.at
	}
	return at
}

// due returns the transactions that everybody is to be told of now. The caller says when they come next, or forgets them.
func (p *ownPlan) due(now time.Time) []*ownTx {
	var list []*ownTx
	for _, own := range p.txs {
		if !now.Before(own.at) {
			list = append(list, own)
		}
	}
	slices.SortFunc(list, func(a, b *ownTx) int { return cmp.Compare(a.num, b.num) })
	return list
}

// next returns when due has something, at the latest limit.
func (p *ownPlan) next(limit time.Time) time.Time {
	for _, own := range p.txs {
		if own.at.Before(limit) {
			limit = own.at
		}
	}
	return limit
}

// between returns a random time from now on.
func between(now time.Time, least, most time.Duration) time.Time {
	return now.Add(least + rand.N(most-least))
}

// announceOwn tells of transactions that began here.
func (t *txRelay) announceOwn(items []invItem, txs []*consensus.Tx, now time.Time) {
	if len(items) == 0 {
		return
	}
	hide := t.n.opts.HideOrigin
	if hide {
		for _, r := range t.firstHops() {
			r.out.announceNow(items, now)
		}
	}
	var rest []invItem
	for i, item := range items {
		at := now
		if hide {
			at = between(now, ownDelayLeast, ownDelayMost)
		}
		if !t.remember(item, txs[i], at) {
			rest = append(rest, item)
		}
	}
	wakeUp(t.ownWake)
	t.announceAll(rest, now)
}

// remember lets everybody be told of a transaction at the given time, or with its parents if that is later.
func (t *txRelay) remember(item invItem, tx *consensus.Tx, at time.Time) bool {
	var parents []wtxPrefix
	for txid := range parentsOf(tx) {
		if parent, here := t.pool.Get(txid); here {
			parents = append(parents, prefixOf(parent.WTxID()))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range parents {
		at = t.own.notBefore(id, at)
	}
	return t.own.add(item, tx.WTxID(), at)
}

// firstHops chooses the peers that hear of our own transactions at once. If we have dialled nobody, there is nobody to stand in for us.
func (t *txRelay) firstHops() []*remote {
	if t.n.chain.InitialDownload() {
		return nil
	}
	all := t.n.peers.ready()
	dialled := slices.DeleteFunc(slices.Clone(all), func(r *remote) bool { return !r.outbound() || r.withoutTxs() })
	if len(dialled) == 0 {
		return all
	}
	slices.SortFunc(dialled, func(a, b *remote) int { return cmp.Compare(a.lastPing(), b.lastPing()) })
	dialled = dialled[:max((len(dialled)+1)/2, min(len(dialled), firstHops))] // the faster half: a slow one costs everybody time
	rand.Shuffle(len(dialled), func(i, j int) { dialled[i], dialled[j] = dialled[j], dialled[i] })
	return dialled[:min(len(dialled), firstHops)]
}

// remind tells everybody of our own transactions until ctx ends.
func (t *txRelay) remind(ctx context.Context) error {
	for {
		now := time.Now()
		t.mu.Lock()
		due := t.own.due(now)
		t.mu.Unlock()
		t.tellOwn(due, now)
		t.mu.Lock()
		next := t.own.next(now.Add(ownAgainMost))
		t.mu.Unlock()
		timer := time.NewTimer(time.Until(next))
		select {
		case <-t.ownWake:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// tellOwn announces those of list that are still in the pool, and forgets the others.
func (t *txRelay) tellOwn(list []*ownTx, now time.Time) {
	var items []invItem
	early := t.n.chain.InitialDownload()
	for _, own := range list {
		_, here := t.pool.GetWitness(own.wtxid)
		t.mu.Lock()
		if !here {
			delete(t.own.txs, own.item.ID)
			t.mu.Unlock()
			continue
		}
		if early { // nobody is told of anything yet
			own.at = between(now, ownDelayLeast, ownDelayMost)
			t.mu.Unlock()
			continue
		}
		again := own.told
		own.told, own.at = true, between(now, ownAgainLeast, ownAgainMost)
		t.mu.Unlock()
		items = append(items, own.item)
		if again { // a peer that knew it may have lost it
			for _, r := range t.n.peers.ready() {
				r.out.forget(own.item.ID)
			}
		}
	}
	t.announceAll(items, now)
}
