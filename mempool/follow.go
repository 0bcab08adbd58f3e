package mempool

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

const (
	maxSteps        = 1000       // blocks that are asked for at a time
	maxRestoreBytes = 20_000_000 // of transactions that a reorg gives back
)

// CatchUp moves the pool to the tip of the chain: what blocks confirm or conflict with leaves it, what a reorg undoes comes back. When it returns nil
// the pool has been at a tip that was the chain's after CatchUp was called.
func (p *Pool) CatchUp(ctx context.Context) error {
	select {
	case p.follow <- struct{}{}:
		defer func() { <-p.follow }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		if err := p.walk(ctx); err != nil {
			return err
		}
		done, err := p.settle(ctx)
		if done || err != nil {
			return err
		}
	}
}

// walk takes the pool along the blocks between its tip and that of the chain.
func (p *Pool) walk(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		path, err := p.chain.Since(p.place(), maxSteps)
		if err != nil {
			return fmt.Errorf("ask for blocks since %v: %w", p.place(), err)
		}
		if len(path.Undo)+len(path.Connect) == 0 {
			return nil
		}
		if p.skip(path) {
			continue
		}
		if err := p.follows(ctx, path); err != nil {
			return err
		}
	}
}

func (p *Pool) place() chainhash.Hash {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tip
}

// skip goes along path without reading its blocks, as in the first sync, if they cannot change anything.
func (p *Pool) skip(path ledger.Path) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(path.Undo) > 0 || !p.settled || len(p.txs) > 0 {
		return false
	}
	p.moveTo(path.Connect[len(path.Connect)-1].Hash)
	return true
}

// follows undoes and connects the blocks of path, one at a time.
func (p *Pool) follows(ctx context.Context, path ledger.Path) error {
	for _, ref := range path.Undo {
		b, err := p.load(ctx, ref)
		if err != nil {
			return err
		}
		p.undo(b, ref)
	}
	for _, ref := range path.Connect {
		b, err := p.load(ctx, ref)
		if err != nil {
			return err
		}
		p.connect(b, ref)
	}
	return nil
}

func (p *Pool) load(ctx context.Context, ref ledger.Ref) (*consensus.Block, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := p.chain.Block(ref.Hash)
	if err != nil {
		return nil, fmt.Errorf("load block %v: %w", ref.Hash, err)
	}
	return b, nil
}

// moveTo makes hash the tip. The mutex is held.
func (p *Pool) moveTo(hash chainhash.Hash) {
	p.tip = hash
	p.feed.wake()
}

// connect drops what b confirms and what conflicts with it.
func (p *Pool) connect(b *consensus.Block, ref ledger.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	confirmed, conflicts := 0, 0
	for _, tx := range b.Txs[1:] {
		if e, ok := p.txs[tx.TxID()]; ok {
			p.confirm(e)
			confirmed++
		}
		for _, in := range tx.Msg.TxIn {
			if e, ok := p.spends[in.PreviousOutPoint]; ok {
				conflicts += len(p.remove(e))
			}
		}
	}
	p.floor.block(p.now())
	p.expire()
	p.moveTo(ref.Hash)
	p.log.Debug("mempool follows", "height", ref.Height, "hash", ref.Hash, "confirmed", confirmed, "conflicts", conflicts, "count", len(p.txs))
}

// undo takes the pool to the block before b. The transactions of b, and those of the pool that build on them, are put aside until the
// pool is at the tip: another branch may have them, or others that spend the same.
func (p *Pool) undo(b *consensus.Block, ref ledger.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var heirs []*entry
	for _, tx := range b.Txs {
		for i := range tx.Msg.TxOut {
			if e, ok := p.spends[wire.OutPoint{Hash: tx.TxID(), Index: uint32(i)}]; ok {
				heirs = append(heirs, e)
			}
		}
	}
	given := append([]*consensus.Tx(nil), b.Txs[1:]...)
	for _, e := range p.remove(heirs...) {
		given = append(given, e.tx)
	}
	// What was put aside for later blocks builds on these, never the other way round.
	p.restore = capBytes(append(given, p.restore...))
	p.settled = false
	p.moveTo(b.Header.PrevBlock)
	p.log.Debug("mempool goes back", "height", ref.Height, "hash", ref.Hash, "restore", len(p.restore))
}

// capBytes cuts txs where they exceed what may be put aside. The last ones, on which no others build, are lost.
func capBytes(txs []*consensus.Tx) []*consensus.Tx {
	size := 0
	for i, tx := range txs {
		if size += tx.Size(); size > maxRestoreBytes {
			return txs[:i]
		}
	}
	return txs
}

// settle judges again what a reorg gave back. done is false if the chain moved meanwhile.
func (p *Pool) settle(ctx context.Context) (done bool, err error) {
	if p.isSettled() {
		return true, nil
	}
	_, state, err := p.chain.Coins(nil)
	if err != nil {
		return false, fmt.Errorf("ask for the tip: %w", err)
	}
	if !p.dropUnready(state) {
		return false, nil
	}
	for {
		tx := p.firstToRestore()
		if tx == nil {
			return true, nil
		}
		_, err := p.try(ctx, tx, terms{restoring: true})
		switch {
		case errors.Is(err, errMoved):
			return false, nil
		case err != nil && !isRefusal(err):
			return false, err
		case err != nil:
			p.log.Debug("not restored after a reorg", "txid", tx.TxID(), "err", err)
		}
		p.restored()
	}
}

func (p *Pool) isSettled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settled
}

// firstToRestore returns the next transaction to judge. If there is none the pool is settled.
func (p *Pool) firstToRestore() *consensus.Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.restore) > 0 {
		return p.restore[0]
	}
	p.restore = nil
	p.settled = true
	p.feed.wake()
	return nil
}

// restored takes the first one off. Only the goroutine that follows the chain changes the list.
func (p *Pool) restored() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restore = p.restore[1:]
}

// dropUnready removes what a block after s may not have yet: after a reorg the chain can be lower, or its clock earlier. Relative lock
// times need the coins, so those that have one are put aside to be judged again. It reports whether s is the pool's tip.
func (p *Pool) dropUnready(s consensus.State) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Hash != p.tip {
		return false
	}
	var early, locked []*entry
	for _, e := range p.txs {
		switch {
		case !consensus.IsFinal(e.tx, s.Height+1, s.MedianTime()), e.youngest > 0 && s.Height+1-e.youngest < consensus.Maturity:
			early = append(early, e)
		case e.relative:
			locked = append(locked, e)
		}
	}
	p.remove(early...)
	var again []*consensus.Tx
	for _, e := range p.remove(present(locked)...) {
		again = append(again, e.tx)
	}
	p.restore = append(again, p.restore...) // which builds on none of the others: what did was put aside with them
	return true
}

func present(list []*entry) []*entry {
	var left []*entry
	for _, e := range list {
		if !e.gone {
			left = append(left, e)
		}
	}
	return left
}
