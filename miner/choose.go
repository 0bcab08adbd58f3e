package miner

import (
	"container/heap"
	"slices"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// maxMisses is how many transactions in a row may not fit before an almost full block is taken for full.
const maxMisses = 1000

// item is a transaction that may be chosen.
type item struct {
	entry             *ledger.PoolEntry
	own               load
	all               load // itself and its ancestors that are not in the block
	parents, children []int
	slot              int // in the queue; -1 while it is not there
	taken             bool
}

// load is what transactions take in a block, and what they pay for it.
type load struct {
	fee                  btcutil.Amount
	size, weight, sigOps int
}

func (l load) plus(o load) load {
	return load{l.fee + o.fee, l.size + o.size, l.weight + o.weight, l.sigOps + o.sigOps}
}

func (l load) minus(o load) load {
	return load{l.fee - o.fee, l.size - o.size, l.weight - o.weight, l.sigOps - o.sigOps}
}

// less reports whether l pays less per byte than o.
func (l load) less(o load) bool {
	return float64(l.fee)*float64(o.size) < float64(o.fee)*float64(l.size)
}

// choice is a block that is being filled.
type choice struct {
	items []item // parents before children
	queue []int  // a heap of items, the one that pays best on top
	used  load
	limit Limits
}

// choose returns the entries of the best block, parents before children.
func choose(s Source) []*ledger.PoolEntry {
	c := newChoice(s)
	var chosen []*ledger.PoolEntry
	misses := 0
	for len(c.queue) > 0 {
		i := heap.Pop(c).(int)
		pack := c.items[i].all
		if pack.fee < feeFor(c.limit.MinFee, pack.size) {
			break // and the rest pays less
		}
		if !c.fits(pack) {
			if misses++; misses > maxMisses && c.used.weight > c.limit.Weight-reservedWeight {
				break
			}
			continue
		}
		misses = 0
		for _, n := range c.missing(i) {
			c.take(n)
			chosen = append(chosen, c.items[n].entry)
		}
	}
	return chosen
}

// newChoice puts the entries that the next block may have into the queue. An entry whose parent is left out is left out too.
func newChoice(s Source) *choice {
	c := &choice{limit: s.Limits, used: load{weight: reservedWeight, sigOps: reservedSigOps}}
	at := make(map[chainhash.Hash]int, len(s.Entries))
	for n := range s.Entries {
		e := &s.Entries[n]
		if parents, ok := allowed(s, e, at); ok {
			at[e.Tx.TxID()] = len(c.items)
			c.items = append(c.items, item{
				entry: e, parents: parents, slot: -1,
				own: load{e.Fee, e.VSize, e.Tx.Weight(), e.SigOpCost},
			})
		}
	}
	for i := range c.items {
		for _, p := range c.items[i].parents {
			c.items[p].children = append(c.items[p].children, i)
		}
	}
	for i := range c.items {
		for _, n := range c.missing(i) {
			c.items[i].all = c.items[i].all.plus(c.items[n].own)
		}
		c.items[i].slot = len(c.queue)
		c.queue = append(c.queue, i)
	}
	heap.Init(c)
	return c
}

// allowed returns the places of the parents of e, and whether the next block may have e.
func allowed(s Source, e *ledger.PoolEntry, at map[chainhash.Hash]int) (parents []int, ok bool) {
	if !consensus.IsFinal(e.Tx, s.State.Height+1, s.State.MedianTime()) {
		return nil, false
	}
	if e.Tx.Msg.HasWitness() && !segwit(s.State) {
		return nil, false
	}
	for _, id := range e.Depends {
		i, ok := at[id]
		if !ok {
			return nil, false
		}
		parents = append(parents, i)
	}
	return parents, true
}

func (c *choice) fits(pack load) bool {
	return c.used.weight+pack.weight <= c.limit.Weight && c.used.sigOps+pack.sigOps <= c.limit.SigOps
}

// missing returns item i and its ancestors that are not in the block, parents before children.
func (c *choice) missing(i int) []int {
	return c.walk(i, func(n int) []int { return c.items[n].parents })
}

// heirs returns item i and its descendants, which are not in the block.
func (c *choice) heirs(i int) []int {
	return c.walk(i, func(n int) []int { return c.items[n].children })
}

// walk returns i and all that next leads to outside of the block, in the order of the items.
func (c *choice) walk(i int, next func(int) []int) []int {
	found := []int{i}
	if len(next(i)) == 0 {
		return found
	}
	seen := map[int]bool{i: true}
	for at := 0; at < len(found); at++ {
		for _, n := range next(found[at]) {
			if !seen[n] && !c.items[n].taken {
				seen[n] = true
				found = append(found, n)
			}
		}
	}
	slices.Sort(found)
	return found
}

// take puts item i into the block, after its parents. What builds on it needs less room now, and comes up again if it did not fit.
func (c *choice) take(i int) {
	it := &c.items[i]
	for _, n := range c.heirs(i) {
		if n == i {
			continue
		}
		heir := &c.items[n]
		heir.all = heir.all.minus(it.own)
		if heir.slot >= 0 {
			heap.Fix(c, heir.slot)
		} else {
			heap.Push(c, n)
		}
	}
	it.taken = true
	c.used = c.used.plus(it.own)
	if it.slot >= 0 {
		heap.Remove(c, it.slot)
	}
}

// rank returns what item i is judged by: with its ancestors, unless it pays less alone.
func (c *choice) rank(i int) load {
	if it := &c.items[i]; it.own.less(it.all) {
		return it.own
	}
	return c.items[i].all
}

// Len is part of heap.Interface.
func (c *choice) Len() int { return len(c.queue) }

// Less is part of heap.Interface: what pays more comes first, of equals the older one.
func (c *choice) Less(i, j int) bool {
	a, b := c.rank(c.queue[i]), c.rank(c.queue[j])
	if b.less(a) {
		return true
	}
	return !a.less(b) && c.queue[i] < c.queue[j]
}

// Swap is part of heap.Interface.
func (c *choice) Swap(i, j int) {
	c.queue[i], c.queue[j] = c.queue[j], c.queue[i]
	c.items[c.queue[i]].slot, c.items[c.queue[j]].slot = i, j
}

// Push is part of heap.Interface.
func (c *choice) Push(x any) {
	i := x.(int)
	c.items[i].slot = len(c.queue)
	c.queue = append(c.queue, i)
}

// Pop is part of heap.Interface.
func (c *choice) Pop() any {
	last := len(c.queue) - 1
	i := c.queue[last]
	c.queue = c.queue[:last]
	c.items[i].slot = -1
	return i
}

// feeFor returns what size virtual bytes cost at rate, rounded up.
func feeFor(rate btcutil.Amount, size int) btcutil.Amount {
	return (rate*btcutil.Amount(size) + 999) / 1000
}
