package p2p

import (
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
)

// orphans holds transactions whose parents are not here. It is bounded in number and size, as a whole and per peer.
type orphans struct {
	txs      map[wtxPrefix]orphan
	byParent map[chainhash.Hash]map[wtxPrefix]struct{} // txid of a parent, known or not
	perPeer  map[int64]int
}

type orphan struct {
	tx    *consensus.Tx
	from  *remote
	until time.Time
	tries int // times that it was tried again because a parent came
}

func newOrphans() *orphans {
	return &orphans{txs: map[wtxPrefix]orphan{}, byParent: map[chainhash.Hash]map[wtxPrefix]struct{}{}, perPeer: map[int64]int{}}
}

// add keeps tx until a parent comes, but not longer than orphanLife; false if there is no room for it.
func (o *orphans) add(tx *consensus.Tx, from *remote, now time.Time) bool {
	id := prefixOf(tx.WTxID())
	if _, ok := o.txs[id]; ok || tx.Size() > maxOrphanBytes || o.perPeer[from.num] >= maxOrphansPeer {
		return false
	}
	o.expire(now)
	if len(o.txs) >= maxOrphans {
		for victim := range o.txs { // any: who fills the set must not choose
			o.drop(victim)
			break
		}
	}
	o.put(id, orphan{tx: tx, from: from, until: now.Add(orphanLife)})
	return true
}

func (o *orphans) put(id wtxPrefix, kept orphan) {
	o.txs[id] = kept
	o.perPeer[kept.from.num]++
	for parent := range parentsOf(kept.tx) {
		if o.byParent[parent] == nil {
			o.byParent[parent] = map[wtxPrefix]struct{}{}
		}
		o.byParent[parent][id] = struct{}{}
	}
}

// putBack keeps an orphan that was taken out and still lacks a parent, but not for longer than before. With many parents, of which each
// comes alone, it would be tried for ever, at the cost of its size each time.
func (o *orphans) putBack(again orphan, now time.Time) {
	id := prefixOf(again.tx.WTxID())
	if _, ok := o.txs[id]; !ok && again.tries < maxOrphanTries && now.Before(again.until) && len(o.txs) < maxOrphans {
		o.put(id, again)
	}
}

func parentsOf(tx *consensus.Tx) map[chainhash.Hash]struct{} {
	parents := map[chainhash.Hash]struct{}{}
	for _, in := range tx.Msg.TxIn {
		parents[in.PreviousOutPoint.Hash] = struct{}{}
	}
	return parents
}

func (o *orphans) expire(now time.Time) {
	for id, orphan := range o.txs {
		if !now.Before(orphan.until) {
			o.drop(id)
		}
	}
}

func (o *orphans) drop(id wtxPrefix) {
	gone, ok := o.txs[id]
	if !ok {
		return
	}
	delete(o.txs, id)
	if o.perPeer[gone.from.num]--; o.perPeer[gone.from.num] == 0 {
		delete(o.perPeer, gone.from.num)
	}
	for parent := range parentsOf(gone.tx) {
		delete(o.byParent[parent], id)
		if len(o.byParent[parent]) == 0 {
			delete(o.byParent, parent)
		}
	}
}

// leave drops the orphans that a peer has sent.
func (o *orphans) leave(peer int64) {
	for id, orphan := range o.txs {
		if orphan.from.num == peer {
			o.drop(id)
		}
	}
}

// childrenOf takes out the orphans that spend an output of a transaction, to be tried.
func (o *orphans) childrenOf(txid chainhash.Hash) []orphan {
	var list []orphan
	for _, id := range slices.Collect(maps.Keys(o.byParent[txid])) {
		child := o.txs[id]
		child.tries++
		list = append(list, child)
		o.drop(id)
	}
	return list
}

// takeAll takes out everything.
func (o *orphans) takeAll() []orphan {
	list := slices.Collect(maps.Values(o.txs))
	*o = *newOrphans()
	return list
}

func (o *orphans) has(id wtxPrefix) bool {
	_, ok := o.txs[id]
	return ok
}
