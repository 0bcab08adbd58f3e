package mempool

import (
	"cmp"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// entry is a transaction in the pool. All of it is guarded by the pool's mutex once it is in there.
type entry struct {
	tx     *consensus.Tx
	fee    btcutil.Amount
	size   int // virtual bytes, as virtualSize counts them
	sigOps int // cost
	time   time.Time
	height int32 // of the tip when it came
	seq    uint64

	youngest int32 // height of the youngest coinbase that it spends; 0 if none
	relative bool  // has relative lock times

	parents, children []*entry // in the pool
	up                totals   // of itself and its ancestors
	down              totals   // of itself and its descendants
	slot              int      // in the evictions
	gone              bool     // not in the pool any more
}

// totals sums up related entries.
type totals struct {
	count, size int
	fees        btcutil.Amount
}

func (e *entry) own() totals { return totals{1, e.size, e.fee} }

func (t totals) plus(o totals) totals {
	return totals{t.count + o.count, t.size + o.size, t.fees + o.fees}
}

func (t totals) minus(o totals) totals {
	return totals{t.count - o.count, t.size - o.size, t.fees - o.fees}
}

// set is a set of entries.
type set map[*entry]struct{}

func (s set) has(e *entry) bool {
	_, ok := s[e]
	return ok
}

// closure returns start and all that next leads to from there.
func closure(start []*entry, next func(*entry) []*entry) set {
	if len(start) == 0 {
		return nil
	}
	seen := make(set, 2*len(start))
	todo := slices.Clone(start)
	for len(todo) > 0 {
		e := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen.has(e) {
			continue
		}
		seen[e] = struct{}{}
		todo = append(todo, next(e)...)
	}
	return seen
}

func parentsOf(e *entry) []*entry  { return e.parents }
func childrenOf(e *entry) []*entry { return e.children }

// ancestors returns all that e builds on in the pool, without e.
func (e *entry) ancestors() set { return closure(e.parents, parentsOf) }

// descendants returns all that build on e in the pool, without e.
func (e *entry) descendants() set { return closure(e.children, childrenOf) }

// inOrder returns the entries of s, parents before children.
func (s set) inOrder() []*entry {
	list := make([]*entry, 0, len(s))
	for e := range s {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) }) // those of a group have none
	return list
}

// view returns what others may know of e.
func (e *entry) view() ledger.PoolEntry {
	return ledger.PoolEntry{
		Tx: e.tx, Fee: e.fee, VSize: e.size, SigOpCost: e.sigOps, Time: e.time, Height: e.height, Sequence: e.seq,
		Depends: ids(e.parents), SpentBy: ids(e.children),
		AncestorCount: e.up.count, AncestorSize: e.up.size, AncestorFees: e.up.fees,
		DescendantCount: e.down.count, DescendantSize: e.down.size, DescendantFees: e.down.fees,
	}
}

func ids(entries []*entry) []chainhash.Hash {
	if len(entries) == 0 {
		return nil
	}
	list := make([]chainhash.Hash, len(entries))
	for i, e := range entries {
		list[i] = e.tx.TxID()
	}
	return list
}

// The memory that the pool takes for a transaction beside its bytes, fitted to BenchmarkMemory: entry, maps and the objects of the decoded
// transaction.
const (
	entryBytes  = 600
	inputBytes  = 270
	outputBytes = 50
)

// memory estimates what e takes of the pool's memory.
func (e *entry) memory() int64 {
	msg := e.tx.Msg
	return int64(entryBytes + e.tx.Size() + inputBytes*len(msg.TxIn) + outputBytes*len(msg.TxOut))
}
