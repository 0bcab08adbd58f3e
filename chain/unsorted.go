package chain

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// maxRun is how many headers are added at a time.
const maxRun = 2000

// unsorted adds headers that come in any order: those that come before their parent wait for it. Refused ones are left out, because their
// blocks will be refused in their turn.
type unsorted struct {
	chain   *Chain
	run     []wire.BlockHeader                      // each follows the one before
	last    chainhash.Hash                          // of run
	waiting map[chainhash.Hash][][]wire.BlockHeader // runs, by the unknown parent of the first header
}

func newUnsorted(c *Chain) *unsorted {
	return &unsorted{chain: c, waiting: make(map[chainhash.Hash][][]wire.BlockHeader)}
}

// add takes a serialized header and says whether the chain has its block already.
func (u *unsorted) add(ctx context.Context, raw []byte) (here bool, err error) {
	h, err := consensus.ParseHeader(raw)
	if err != nil || consensus.CheckWork(u.chain.o.Params, &h) != nil {
		return false, nil // noise may be without end, so none of it is kept
	}
	hash := chainhash.DoubleHashH(raw)
	known, here := u.chain.knows(hash)
	if known {
		return here, nil
	}
	if len(u.run) > 0 && (h.PrevBlock != u.last || len(u.run) == maxRun) {
		err = u.end(ctx)
	}
	u.run, u.last = append(u.run, h), hash
	return false, err
}

// done adds the headers that are still in hand. All are known then whose ancestors are.
func (u *unsorted) done(ctx context.Context) error {
	if err := u.end(ctx); err != nil {
		return err
	}
	trusted := u.chain.o.AssumeValid
	if known, _ := u.chain.knows(trusted); !known && trusted != (chainhash.Hash{}) {
		u.chain.o.Log.Warn("the block whose ancestors are to be taken as valid is not among these: all scripts are run", "hash", trusted)
	}
	return nil
}

// end adds the headers that are still in hand, and those that waited for them.
func (u *unsorted) end(ctx context.Context) error {
	if len(u.run) == 0 {
		return nil
	}
	ready := [][]wire.BlockHeader{u.run}
	u.run = nil
	for ; len(ready) > 0; ready = ready[1:] {
		run := ready[0]
		parent := run[0].PrevBlock
		if known, _ := u.chain.knows(parent); !known {
			u.waiting[parent] = append(u.waiting[parent], run)
			continue
		}
		if _, err := u.chain.AddHeaders(ctx, run); faultOnly(err) != nil {
			return err
		}
		for k := 0; k < len(run) && len(u.waiting) > 0; k++ {
			hash := run[k].BlockHash()
			ready = append(ready, u.waiting[hash]...)
			delete(u.waiting, hash)
		}
	}
	return nil
}

// knows says whether the header with the given hash is known, and whether its block is here and not known to be invalid.
func (c *Chain) knows(hash chainhash.Hash) (header, block bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i, ok := c.tree.find(hash)
	if !ok {
		return false, false
	}
	n := c.tree.at(i)
	return true, n.here() && !n.has(invalid)
}
