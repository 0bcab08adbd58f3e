package mempool

import (
	"github.com/btcsuite/btcd/chainhash/v2"
)

// group holds transactions that were tried together and found good, none of which spend the same. The next one is judged as if they were in the pool, which does not
// know of them. A nil group is empty.
type group struct {
	txs   map[chainhash.Hash]*entry
	below map[*entry]totals // of their ancestors, in the pool and in the group: the descendants that are in the group
}

func newGroup() *group {
	return &group{txs: make(map[chainhash.Hash]*entry), below: make(map[*entry]totals)}
}

// join adds e to g.
func (p *Pool) join(g *group, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for a := range e.ancestors() {
		g.below[a] = g.below[a].plus(e.own())
	}
	g.txs[e.tx.TxID()] = e
}

// find returns the entry with the given id, nil if there is none.
func (g *group) find(txid chainhash.Hash) *entry {
	if g == nil {
		return nil
	}
	return g.txs[txid]
}

// down returns the totals of e and its descendants, in the pool and in the group.
func (g *group) down(e *entry) totals {
	if g == nil {
		return e.down
	}
	return e.down.plus(g.below[e])
}
