package chain

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// maxRun is how many headers are added at a time.
const maxRun = 2000

// rawHeader is a header as a file has it.
type rawHeader [wire.MaxBlockHeaderPayload]byte

func (h *rawHeader) hash() chainhash.Hash   { return chainhash.DoubleHashH(h[:]) }
func (h *rawHeader) parent() chainhash.Hash { return chainhash.Hash(h[4:36]) }

// unsorted adds headers that come in any order: those that come before their parent wait for it. Refused ones are left out, because their
// blocks will be refused in their turn.
type unsorted struct {
	chain   *Chain
	run     []rawHeader    // each follows the one before
	last    chainhash.Hash // of run
	waiting map[chainhash.Hash]*waiter
}

// waiter is a header whose parent has not come. There may be as many as blocks, so it is small.
type waiter struct {
	header rawHeader
	next   *waiter // another one of the same parent
}

func newUnsorted(c *Chain) *unsorted {
	return &unsorted{chain: c, waiting: make(map[chainhash.Hash]*waiter)}
}

// add takes a serialized header and says whether the chain has its block already.
func (u *unsorted) add(ctx context.Context, raw rawHeader) (here bool, err error) {
	h, err := consensus.ParseHeader(raw[:])
	if err != nil || consensus.CheckWork(u.chain.o.Params, &h) != nil {
		return false, nil // noise may be without end, so none of it is kept
	}
	hash := raw.hash()
	known, here := u.chain.knows(hash)
	if known {
		return here, nil
	}
	if len(u.run) > 0 && (h.PrevBlock != u.last || len(u.run) == maxRun) {
		err = u.end(ctx)
	}
	u.run, u.last = append(u.run, raw), hash
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

// end adds the headers that are still in hand, and those that waited for them, or lets them wait.
func (u *unsorted) end(ctx context.Context) error {
	run := u.run
	u.run = u.run[:0]
	if len(run) == 0 {
		return nil
	}
	if known, _ := u.chain.knows(run[0].parent()); !known {
		for _, h := range run {
			u.waiting[h.parent()] = &waiter{h, u.waiting[h.parent()]}
		}
		return nil
	}
	var ready []rawHeader // whose parents have been added
	for {
		if err := u.addRun(ctx, run); err != nil {
			return err
		}
		for k := 0; k < len(run) && len(u.waiting) > 0; k++ {
			for h, ok := u.pop(run[k].hash()); ok; h, ok = u.pop(run[k].hash()) {
				ready = append(ready, h)
			}
		}
		if len(ready) == 0 {
			return nil
		}
		run, ready = u.follow(ready[len(ready)-1]), ready[:len(ready)-1]
	}
}

// follow returns h with headers that waited for it and for each other.
func (u *unsorted) follow(h rawHeader) []rawHeader {
	run := []rawHeader{h}
	for len(run) < maxRun {
		next, ok := u.pop(run[len(run)-1].hash())
		if !ok {
			break
		}
		run = append(run, next)
	}
	return run
}

// pop returns a header that waited for parent, which does not wait any more then.
func (u *unsorted) pop(parent chainhash.Hash) (h rawHeader, ok bool) {
	w := u.waiting[parent]
	if w == nil {
		return h, false
	}
	if w.next == nil {
		delete(u.waiting, parent)
	} else {
		u.waiting[parent] = w.next
	}
	return w.header, true
}

// addRun adds headers, the parent of the first of which is known.
func (u *unsorted) addRun(ctx context.Context, run []rawHeader) error {
	headers := make([]wire.BlockHeader, len(run))
	for k := range run {
		headers[k], _ = consensus.ParseHeader(run[k][:]) // as add has done
	}
	_, err := u.chain.AddHeaders(ctx, headers)
	return faultOnly(err)
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
