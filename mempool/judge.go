package mempool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// standardFlags are what policy asks of scripts. Every block's flags are among them, so that the verifier knows the scripts when they come in a block.
const standardFlags = txscript.StandardVerifyFlags

// mandatoryFlags are the soft forks, which hold from the first block or will some day: a transaction that breaks one is not only unusual.
const mandatoryFlags = txscript.ScriptBip16 | txscript.ScriptVerifyDERSignatures | txscript.ScriptStrictMultiSig | txscript.ScriptVerifyCheckLockTimeVerify |
	txscript.ScriptVerifyCheckSequenceVerify | txscript.ScriptVerifyWitness | txscript.ScriptVerifyTaproot

// judge says whether tx may enter the pool, in Core's order: what is cheap to see comes first, scripts last. It holds no lock while the chain
// loads coins and scripts run, so enter looks again.
func (p *Pool) judge(ctx context.Context, tx *consensus.Tx, t terms) (candidate, error) {
	if err := consensus.CheckTx(tx); err != nil {
		return candidate{}, err
	}
	if err := p.policy.checkAlone(tx); err != nil {
		return candidate{}, err
	}
	seen, err := p.look(tx, t)
	if err != nil {
		return candidate{}, err
	}
	coins, state, err := p.chain.Coins(seen.ask)
	switch {
	case err != nil:
		return candidate{}, fmt.Errorf("load coins of %v: %w", tx.TxID(), err)
	case state.Hash != seen.tip:
		return candidate{}, errMoved
	case !consensus.IsFinal(tx, state.Height+1, state.MedianTime()):
		return candidate{}, PolicyError{Reason: reasonNotFinal, kind: consensus.ErrNotFinal}
	case seen.rival:
		return candidate{}, refuse(reasonConflict, "")
	}
	coins = seen.with(coins, state)
	if len(coins) < len(tx.Msg.TxIn) {
		return candidate{}, p.missing(tx)
	}
	e, err := weigh(tx, coins, state)
	if err != nil {
		return candidate{}, err
	}
	e.parents = seen.parents
	if err := p.checkRoom(e, t); err != nil {
		return candidate{}, err
	}
	if err := p.runScripts(ctx, tx, coins); err != nil {
		return candidate{}, err
	}
	return candidate{entry: e, tip: state.Hash}, nil
}

// sighting is what the pool knows of a transaction that wants to enter.
type sighting struct {
	tip     chainhash.Hash
	coins   consensus.Coins // outputs of the pool that it spends
	ask     []wire.OutPoint // what the chain may know of
	parents []*entry
	rival   bool // another transaction spends the same
}

// look finds what the pool knows of tx.
func (p *Pool) look(tx *consensus.Tx, t terms) (sighting, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkKnown(tx, t.with); err != nil {
		return sighting{}, err
	}
	if !(p.settled || t.restoring) {
		return sighting{}, errMoved
	}
	s := sighting{tip: p.tip, coins: make(consensus.Coins)}
	for _, in := range tx.Msg.TxIn {
		op := in.PreviousOutPoint
		s.rival = s.rival || p.spends[op] != nil
		parent := p.find(op.Hash, t.with)
		if parent == nil {
			s.ask = append(s.ask, op)
			continue
		}
		if coin, ok := parent.output(op.Index); ok {
			s.coins[op] = coin
		}
		if !slices.Contains(s.parents, parent) {
			s.parents = append(s.parents, parent)
		}
	}
	return s, nil
}

// with returns the coins of the chain and the outputs of the pool, as if the next block created these.
func (s sighting) with(chain consensus.Coins, at consensus.State) consensus.Coins {
	coins := make(consensus.Coins, len(chain)+len(s.coins))
	maps.Copy(coins, chain)
	for op, coin := range s.coins {
		coin.Height = at.Height + 1
		coin.MedianTime = uint32(at.MedianTime().Unix())
		coins[op] = coin
	}
	return coins
}

// maxKnownOutputs bounds how many outputs of a transaction without inputs are looked up, so that a large one does not make the disk busy.
const maxKnownOutputs = 16

// missing says why tx has inputs that do not exist: it is in the chain itself, or they are spent or not here yet.
func (p *Pool) missing(tx *consensus.Tx) error {
	var own []wire.OutPoint
	for i := range min(len(tx.Msg.TxOut), maxKnownOutputs) {
		own = append(own, wire.OutPoint{Hash: tx.TxID(), Index: uint32(i)})
	}
	coins, _, err := p.chain.Coins(own)
	switch {
	case err != nil:
		return fmt.Errorf("look for %v: %w", tx.TxID(), err)
	case len(coins) > 0:
		return refuse(reasonInChain, "")
	}
	return notYet(consensus.RuleError{Kind: consensus.ErrMissingInput})
}

// notYet returns rule as a reason to wait: on another tip it may be met.
func notYet(rule consensus.RuleError) error {
	return PolicyError{Reason: rule.RejectReason(), Detail: rule.Detail, kind: rule.Kind}
}

// weigh checks tx against the coins that it spends, which are all there, and returns the entry for it.
func weigh(tx *consensus.Tx, coins consensus.Coins, s consensus.State) (*entry, error) {
	var rule consensus.RuleError
	if !consensus.SequenceReached(s, tx, coins) {
		return nil, PolicyError{Reason: reasonLocked, kind: consensus.ErrSequenceLocks}
	}
	fee, err := consensus.CheckInputs(s, tx, coins)
	switch {
	case errors.Is(err, consensus.ErrImmature) && errors.As(err, &rule):
		return nil, notYet(rule)
	case err != nil:
		return nil, err
	case !standardInputs(tx, coins):
		return nil, refuse(reasonInputs, "")
	case !standardWitnesses(tx, coins):
		return nil, refuse(reasonWitness, "")
	}
	sigOps := consensus.SigOpCost(tx, coins, standardFlags)
	if sigOps > maxTxSigOpCost {
		return nil, refuse(reasonSigOps, "%d", sigOps)
	}
	e := &entry{tx: tx, fee: fee, sigOps: sigOps, size: virtualSize(tx, sigOps), height: s.Height}
	e.up, e.down = e.own(), e.own()
	for _, in := range tx.Msg.TxIn {
		if coin := coins[in.PreviousOutPoint]; coin.Coinbase {
			e.youngest = max(e.youngest, coin.Height)
		}
		e.relative = e.relative || uint32(tx.Msg.Version) >= 2 && in.Sequence&wire.SequenceLockTimeDisabled == 0
	}
	return e, nil
}

// checkRoom is admit with the mutex taken: a cheap no before the scripts are run.
func (p *Pool) checkRoom(e *entry, t terms) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.admit(e, t)
}
