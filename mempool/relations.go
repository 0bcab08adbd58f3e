package mempool

import (
	"container/heap"
	"slices"
)

// insert puts e into the pool, after its parents, which are set, and before any child.
func (p *Pool) insert(e *entry) {
	e.up, e.down = e.own(), e.own()
	for a := range e.ancestors() {
		e.up = e.up.plus(a.own())
		a.down = a.down.plus(e.own())
		heap.Fix(&p.queue, a.slot)
	}
	for _, parent := range e.parents {
		parent.children = append(parent.children, e)
	}
	p.txs[e.tx.TxID()] = e
	p.wtxs[e.tx.WTxID()] = e
	for _, in := range e.tx.Msg.TxIn {
		p.spends[in.PreviousOutPoint] = e
	}
	p.feed.add(e)
	heap.Push(&p.queue, e) // after e has its number, which it is ordered by
	p.bytes += int64(e.size)
	p.usage += e.memory()
	p.fees += e.fee
}

// forget takes e out of everything but the relations of others.
func (p *Pool) forget(e *entry) {
	e.gone = true
	delete(p.txs, e.tx.TxID())
	delete(p.wtxs, e.tx.WTxID())
	for _, in := range e.tx.Msg.TxIn {
		delete(p.spends, in.PreviousOutPoint)
	}
	heap.Remove(&p.queue, e.slot)
	p.feed.drop()
	p.bytes -= int64(e.size)
	p.usage -= e.memory()
	p.fees -= e.fee
}

// confirm takes out e, which is in a block now. Its children stay: what they spend of it is in the chain.
func (p *Pool) confirm(e *entry) {
	for d := range e.descendants() {
		d.up = d.up.minus(e.own())
	}
	for _, child := range e.children {
		child.parents = without(child.parents, e)
	}
	p.forget(e)
}

// remove takes out the given entries with all their descendants and returns them, parents before children.
func (p *Pool) remove(entries ...*entry) []*entry {
	out := closure(entries, childrenOf)
	for e := range out {
		for a := range e.ancestors() {
			if !out.has(a) {
				a.down = a.down.minus(e.own())
				heap.Fix(&p.queue, a.slot)
			}
		}
	}
	for e := range out {
		for _, parent := range e.parents {
			if !out.has(parent) {
				parent.children = without(parent.children, e)
			}
		}
	}
	list := out.inOrder()
	for _, e := range list {
		p.forget(e)
	}
	return list
}

func without(list []*entry, e *entry) []*entry {
	return slices.DeleteFunc(list, func(o *entry) bool { return o == e })
}
