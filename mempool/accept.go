package mempool

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// errMoved says that the chain or the pool changed while a transaction was judged: judge it again.
var errMoved = errors.New("the chain moved meanwhile")

// terms are the conditions under which a transaction is judged.
type terms struct {
	restoring bool   // a reorg undid it: miners have taken it before, so its fee is not asked for
	with      *group // as if these were in the pool; nil for none
}

// Add takes tx into the pool. The error is a consensus.RuleError if tx is invalid for everybody, a PolicyError if it is not wanted here or not
// now, and anything else is a failure of this node or the end of ctx. Without error the pool holds tx when Add returns.
func (p *Pool) Add(ctx context.Context, tx *consensus.Tx) (ledger.PoolEntry, error) {
	for {
		added, err := p.try(ctx, tx, terms{})
		if !errors.Is(err, errMoved) {
			return added, err
		}
		if err := p.CatchUp(ctx); err != nil {
			return ledger.PoolEntry{}, err
		}
	}
}

// Test says of each of txs whether Add would take it, in order: one may spend what an earlier one that would be
// taken creates. Two may not spend the same. Nothing changes. The error is a failure of this node or the end of ctx.
func (p *Pool) Test(ctx context.Context, txs []*consensus.Tx) ([]ledger.PoolTest, error) {
	if len(txs) > 1 {
		if err := checkPackage(txs); err != nil {
			return unjudged(txs, err), nil
		}
	}
	for {
		verdicts, err := p.testAll(ctx, txs)
		if !errors.Is(err, errMoved) {
			return verdicts, err
		}
		if err := p.CatchUp(ctx); err != nil {
			return nil, err
		}
	}
}

// unjudged returns the verdicts on txs that cannot be looked at together.
func unjudged(txs []*consensus.Tx, err error) []ledger.PoolTest {
	verdicts := make([]ledger.PoolTest, len(txs))
	for i, tx := range txs {
		verdicts[i] = ledger.PoolTest{TxID: tx.TxID(), WTxID: tx.WTxID(), PackageErr: err}
	}
	return verdicts
}

func (p *Pool) testAll(ctx context.Context, txs []*consensus.Tx) ([]ledger.PoolTest, error) {
	good := newGroup()
	verdicts := make([]ledger.PoolTest, 0, len(txs))
	var tip chainhash.Hash // that all of them were judged at
	for _, tx := range txs {
		verdict := ledger.PoolTest{TxID: tx.TxID(), WTxID: tx.WTxID(), VSize: tx.VSize()}
		c, err := p.judge(ctx, tx, terms{with: good})
		switch {
		case err == nil && tip != chainhash.Hash{} && tip != c.tip:
			return nil, errMoved
		case err == nil:
			tip = c.tip
			verdict.VSize, verdict.Fee = c.entry.size, c.entry.fee
			p.join(good, c.entry)
		case isRefusal(err):
			verdict.Err = err
		default:
			return nil, err
		}
		verdicts = append(verdicts, verdict)
	}
	return verdicts, nil
}

// isRefusal reports whether err is about the transaction, and not about us.
func isRefusal(err error) bool {
	var rule consensus.RuleError
	var policy PolicyError
	return errors.As(err, &rule) || errors.As(err, &policy)
}

// candidate is a transaction that was found good.
type candidate struct {
	entry *entry         // not in the pool yet
	tip   chainhash.Hash // at which it is good
}

// try judges tx and puts it into the pool. errMoved asks to do it again after CatchUp.
func (p *Pool) try(ctx context.Context, tx *consensus.Tx, t terms) (ledger.PoolEntry, error) {
	c, err := p.judge(ctx, tx, t)
	if err != nil {
		return ledger.PoolEntry{}, err
	}
	return p.enter(c, t)
}

// enter puts c into the pool, if what it was judged by still holds.
func (p *Pool) enter(c candidate, t terms) (ledger.PoolEntry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := c.entry
	if p.tip != c.tip {
		return ledger.PoolEntry{}, errMoved
	}
	if err := p.checkKnown(e.tx, t.with); err != nil {
		return ledger.PoolEntry{}, err
	}
	for _, in := range e.tx.Msg.TxIn {
		if p.spends[in.PreviousOutPoint] != nil {
			return ledger.PoolEntry{}, refuse(reasonConflict, "")
		}
	}
	for _, parent := range e.parents {
		if parent.gone {
			return ledger.PoolEntry{}, errMoved
		}
	}
	if err := p.admit(e, t); err != nil {
		return ledger.PoolEntry{}, err
	}
	e.time = p.now()
	p.insert(e)
	p.trim()
	if e.gone {
		return ledger.PoolEntry{}, refuse(reasonFull, "")
	}
	p.feed.wake()
	return e.view(), nil
}

// checkKnown refuses what the pool or the group has. The mutex is held.
func (p *Pool) checkKnown(tx *consensus.Tx, with *group) error {
	e := p.find(tx.TxID(), with)
	switch {
	case e == nil:
		return nil
	case e.tx.WTxID() == tx.WTxID():
		return refuse(reasonInPool, "")
	}
	return refuse(reasonSameTxID, "")
}

// find returns the entry with the given id in the pool or the group, nil if there is none. The mutex is held.
func (p *Pool) find(txid chainhash.Hash, with *group) *entry {
	if e, ok := p.txs[txid]; ok {
		return e
	}
	return with.find(txid)
}

// runScripts runs the scripts of tx under the flags of policy.
func (p *Pool) runScripts(ctx context.Context, tx *consensus.Tx, coins consensus.Coins) error {
	spent := make([]consensus.Coin, len(tx.Msg.TxIn))
	for i, in := range tx.Msg.TxIn {
		spent[i] = coins[in.PreviousOutPoint]
	}
	err := p.scripts.Verify(ctx, []consensus.ScriptCheck{{Tx: tx, Spent: spent, Flags: standardFlags}})
	var rule consensus.RuleError
	if !errors.As(err, &rule) {
		return err
	}
	// Is it bad for everybody, or not to our liking? That is asked of the input that failed alone, as Core does: the others cost nothing more.
	mandatory := consensus.ScriptCheck{Tx: tx, Spent: spent, Flags: mandatoryFlags}.Begin()
	if mandatory.Verify(rule.Input) == nil {
		return PolicyError{Reason: fmt.Sprintf("%s (%s)", reasonFlags, rule.ScriptText())}
	}
	return rule
}
