package chain

import (
	"context"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// ErrGenesis says that the first block cannot be marked.
var ErrGenesis = errors.New("the first block cannot be invalid")

// Invalidate marks the block and all that follow it as invalid and moves to the best chain without it, as invalidateblock does. The mark lasts.
func (c *Chain) Invalidate(ctx context.Context, hash chainhash.Hash) error {
	if hash == c.o.Params.GenesisHash {
		return ErrGenesis
	}
	if err := c.canUndo(hash); err != nil {
		return err
	}
	return c.remark(ctx, hash, func(i id) {
		c.condemn(i, consensus.RuleError{Kind: consensus.ErrMarkedInvalid, Detail: "block " + hash.String() + " was marked invalid by the operator"})
	})
}

// Reconsider removes the marks of the block, its ancestors and its descendants, and moves to the best chain, as reconsiderblock does. A block
// that broke a rule is judged again.
func (c *Chain) Reconsider(ctx context.Context, hash chainhash.Hash) error {
	return c.remark(ctx, hash, func(i id) {
		for _, j := range c.tree.forgive(i) {
			delete(c.reasons, j)
		}
	})
}

// Precious treats the block as if it had been seen before all others with its work, as preciousblock does. It does nothing for a block with
// less work than the tip, or one that is not here with all before it.
func (c *Chain) Precious(ctx context.Context, hash chainhash.Hash) error {
	return c.remark(ctx, hash, func(i id) {
		if c.tree.work(i).Cmp(c.tip.Work) >= 0 {
			c.tree.prefer(i)
		}
	})
}

// remark changes marks by fn, goes where they lead and makes that last.
func (c *Chain) remark(ctx context.Context, hash chainhash.Hash, fn func(id)) error {
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	c.mu.Lock()
	i, ok := c.tree.find(hash)
	before := c.tree.bestHeader()
	if ok {
		fn(i)
	}
	changed := c.tree.bestHeader() != before
	c.mu.Unlock()
	if !ok {
		return ledger.ErrUnknownBlock
	}
	if changed {
		c.heads.ring()
	}
	if err := c.activate(ctx); err != nil {
		return err
	}
	return c.flush()
}
