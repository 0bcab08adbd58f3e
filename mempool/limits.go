package mempool

import (
	"github.com/btcsuite/btcd/btcutil/v2"
)

// admit says whether the pool has room for e, by its fee, its relatives and what is in the pool now. The mutex is held.
func (p *Pool) admit(e *entry, t terms) error {
	if !t.restoring {
		if err := p.checkFee(e); err != nil {
			return err
		}
	}
	if len(e.parents) == 0 {
		return checkTRUC(e, nil, t.with)
	}
	if len(e.parents) >= p.policy.AncestorCount { // before anything walks along them
		return refuse(reasonChain, "too many unconfirmed parents [limit: %d]", p.policy.AncestorCount)
	}
	ancestors := e.ancestors().inOrder()
	if err := p.policy.checkRelatives(e, ancestors, t.with); err != nil {
		if !mayCarveOut(e) || p.policy.carveOut().checkRelatives(e, ancestors, t.with) != nil {
			return err
		}
	}
	return checkTRUC(e, ancestors, t.with)
}

// checkFee asks for what is always asked for, then for what the pool asks for now; the other way round of version 3, as Core does.
func (p *Pool) checkFee(e *entry) error {
	always, now := feeFor(p.policy.MinRelayFee, e.size), feeFor(p.minFee(), e.size)
	truc := e.tx.Msg.Version == versionTRUC
	switch {
	case !truc && e.fee < always:
		return refuse(reasonRelayFee, "%d < %d", e.fee, always)
	case e.fee < now:
		return refuse(reasonPoolFee, "%d < %d", e.fee, now)
	case e.fee < always:
		return refuse(reasonRelayFee, "%d < %d", e.fee, always)
	}
	return nil
}

// checkRelatives bounds how many transactions have to be looked at when one of them comes, goes or is mined.
func (p Policy) checkRelatives(e *entry, ancestors []*entry, with *group) error {
	if len(ancestors)+1 > p.AncestorCount {
		return refuse(reasonChain, "too many unconfirmed ancestors [limit: %d]", p.AncestorCount)
	}
	size := e.size
	for _, a := range ancestors {
		size += a.size
		down := with.down(a)
		if down.size+e.size > p.DescendantSize {
			return refuse(reasonChain, "exceeds descendant size limit for tx %v [limit: %d]", a.tx.TxID(), p.DescendantSize)
		}
		if down.count+1 > p.DescendantCount {
			return refuse(reasonChain, "too many descendants for tx %v [limit: %d]", a.tx.TxID(), p.DescendantCount)
		}
	}
	if size > p.AncestorSize {
		return refuse(reasonChain, "exceeds ancestor size limit [limit: %d]", p.AncestorSize)
	}
	return nil
}

// One more small child of a transaction that has reached its limit of descendants is let in, if it has no other relatives: so that
// of two parties to a contract one cannot keep the other from raising the fee.
const carveOutSize = 10_000

func mayCarveOut(e *entry) bool { return e.size <= carveOutSize && e.tx.Msg.Version != versionTRUC }

func (p Policy) carveOut() Policy {
	p.AncestorCount = 2
	p.DescendantCount++
	p.DescendantSize += carveOutSize
	return p
}

// Limits of transactions of version 3, which promise to stay small and alone (BIP431).
const (
	versionTRUC     = 3
	trucSize        = 10_000
	trucChildSize   = 1_000
	trucAncestors   = 2 // the transaction included
	trucDescendants = 2
)

// checkTRUC holds e against the limits of BIP431.
func checkTRUC(e *entry, ancestors []*entry, with *group) error {
	truc := e.tx.Msg.Version == versionTRUC
	id, wid := e.tx.TxID(), e.tx.WTxID()
	for _, a := range ancestors {
		switch other := a.tx.Msg.Version == versionTRUC; {
		case truc && !other:
			return refuse(reasonTRUC, "version=3 tx %v (wtxid=%v) cannot spend from non-version=3 tx %v (wtxid=%v)", id, wid, a.tx.TxID(), a.tx.WTxID())
		case !truc && other:
			return refuse(reasonTRUC, "non-version=3 tx %v (wtxid=%v) cannot spend from version=3 tx %v (wtxid=%v)", id, wid, a.tx.TxID(), a.tx.WTxID())
		}
	}
	switch {
	case !truc:
		return nil
	case e.size > trucSize:
		return refuse(reasonTRUC, "version=3 tx %v (wtxid=%v) is too big: %d > %d virtual bytes", id, wid, e.size, trucSize)
	case len(ancestors)+1 > trucAncestors:
		return refuse(reasonTRUC, "tx %v (wtxid=%v) would have too many ancestors", id, wid)
	case len(ancestors) == 0:
		return nil
	case e.size > trucChildSize:
		return refuse(reasonTRUC, "version=3 child tx %v (wtxid=%v) is too big: %d > %d virtual bytes", id, wid, e.size, trucChildSize)
	case with.down(ancestors[0]).count+1 > trucDescendants:
		return refuse(reasonTRUC, "tx %v (wtxid=%v) would exceed descendant count limit", id, wid)
	}
	return nil
}

// feeFor returns what size virtual bytes cost at rate, rounded up.
func feeFor(rate btcutil.Amount, size int) btcutil.Amount {
	return (rate*btcutil.Amount(size) + 999) / 1000
}
