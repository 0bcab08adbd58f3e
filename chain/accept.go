package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/ledger"
)

// AddHeaders adds headers, each of which follows the one before it, and returns the place after the last. The first must follow a known
// header. Known headers are no error unless they are invalid. What comes before a refused header stays.
func (c *Chain) AddHeaders(ctx context.Context, headers []wire.BlockHeader) (consensus.State, error) {
	if err := ctx.Err(); err != nil {
		return consensus.State{}, err
	}
	c.mu.Lock()
	before := c.tree.bestHeader()
	last, err := c.addHeaders(headers)
	var state consensus.State
	if err == nil {
		state = c.tree.state(last)
	}
	changed := c.tree.bestHeader() != before
	c.mu.Unlock()
	if changed {
		c.heads.ring()
	}
	return state, err
}

// addHeaders adds headers and returns the last; the best one if there are none. The caller holds mu.
func (c *Chain) addHeaders(headers []wire.BlockHeader) (id, error) {
	if len(headers) == 0 {
		return c.tree.bestHeader(), nil
	}
	last := none
	var at consensus.State // after last, where it was worked out
	for k := range headers {
		h := &headers[k]
		hash := h.BlockHash()
		if i, ok := c.tree.find(hash); ok {
			if err := c.verdict(i); err != nil {
				return none, err
			}
			last, at = i, consensus.State{}
			continue
		}
		if last == none || c.tree.at(last).hash != h.PrevBlock {
			last, at = none, consensus.State{}
		}
		i, next, err := c.addHeader(last, at, h, hash)
		if err != nil {
			return none, err
		}
		last, at = i, next
	}
	return last, nil
}

// addHeader adds one unknown header. parent and its state at are given where the caller knows them. The caller holds mu.
func (c *Chain) addHeader(parent id, at consensus.State, h *wire.BlockHeader, hash chainhash.Hash) (id, consensus.State, error) {
	if parent == none {
		var ok bool
		if parent, ok = c.tree.find(h.PrevBlock); !ok {
			return none, at, consensus.RuleError{Kind: consensus.ErrPrevUnknown, Detail: fmt.Sprintf("block %v follows %v", hash, h.PrevBlock)}
		}
	}
	if c.tree.at(parent).has(invalid) {
		return none, at, prevInvalid(hash, h.PrevBlock)
	}
	if at.Params() == nil {
		at = c.tree.state(parent)
	}
	next, err := consensus.CheckHeader(at, h, c.o.Now())
	if err != nil {
		return none, at, err
	}
	return c.tree.add(parent, h, hash, next.Work), next, nil
}

func prevInvalid(hash, prev chainhash.Hash) error {
	return consensus.RuleError{Kind: consensus.ErrPrevInvalid, Detail: fmt.Sprintf("block %v follows %v, which is invalid", hash, prev)}
}

// verdict returns why i is known to be invalid, nil if it is not. The caller holds mu.
func (c *Chain) verdict(i id) error {
	n := c.tree.at(i)
	switch {
	case n.has(failed):
		kind := consensus.ErrKnownInvalid
		if c.reasons[i].Kind == consensus.ErrMarkedInvalid {
			kind = consensus.ErrMarkedInvalid
		}
		return consensus.RuleError{Kind: kind, Detail: fmt.Sprintf("block %v was found invalid before", n.hash)}
	case n.has(invalid):
		return prevInvalid(n.hash, c.tree.at(n.parent).hash)
	}
	return nil
}

// AddBlock checks b as far as it can, stores it and makes it part of the best chain if that is where it leads. A block is
// stored in any order, as soon as its parent's header is known. It returns a consensus.RuleError if b is invalid, which may show only
// when it is connected, now or later; ErrPrevUnknown and ErrPrevInvalid are among them. Every other error is our own fault, or ctx's.
func (c *Chain) AddBlock(ctx context.Context, b *consensus.Block) (ledger.Added, error) {
	i, known, err := c.store(b)
	if err != nil {
		return ledger.Added{}, err
	}
	if err := c.advance(ctx); err != nil {
		return ledger.Added{}, err
	}
	return c.outcome(i, known)
}

// store checks b without its coins and stores it, unless it is here already.
func (c *Chain) store(b *consensus.Block) (i id, known bool, err error) {
	return c.admit(b, func() (blockfile.Location, error) {
		if err := c.room(b.Size()); err != nil {
			return blockfile.Location{}, err
		}
		loc, err := c.blocks.Append(b.Raw())
		if err != nil {
			return loc, c.fault(err)
		}
		return loc, nil
	})
}

// advance moves the tip to the best block that is here.
func (c *Chain) advance(ctx context.Context) error {
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer c.release()
	return c.activate(ctx)
}

// outcome says what became of a stored block, after advance.
func (c *Chain) outcome(i id, known bool) (ledger.Added, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.tree.at(i).has(invalid) {
		if reason, ok := c.reasons[i]; ok {
			return ledger.Added{}, reason
		}
		return ledger.Added{}, c.verdict(i)
	}
	return ledger.Added{Known: known, Active: c.tree.isActive(i)}, nil
}

// admit checks b without its coins and has it stored, unless it is here already.
func (c *Chain) admit(b *consensus.Block, save func() (blockfile.Location, error)) (i id, known bool, err error) {
	hash := b.Hash()
	c.mu.RLock()
	i, found := c.tree.find(hash)
	if found {
		known, err = c.tree.at(i).here(), c.verdict(i)
	}
	c.mu.RUnlock()
	if known || err != nil {
		return i, known, err
	}
	if hash == c.o.Params.GenesisHash {
		return c.keep(i, b, save) // valid by definition: nobody follows it up to here
	}
	if err := consensus.CheckBlock(c.o.Params, b); err != nil {
		return none, false, c.blame(hash, err)
	}
	parent, err := c.placeFor(b)
	if err != nil {
		return none, false, err
	}
	if err := consensus.CheckBlockPlace(parent, b); err != nil {
		return none, false, c.blame(hash, err)
	}
	c.mu.RLock()
	i, _ = c.tree.find(hash)
	c.mu.RUnlock()
	return c.keep(i, b, save)
}

// placeFor adds the header of b if it is unknown and returns the place before it.
func (c *Chain) placeFor(b *consensus.Block) (consensus.State, error) {
	c.mu.Lock()
	before := c.tree.bestHeader()
	i, err := c.addHeaders([]wire.BlockHeader{b.Header})
	var parent consensus.State
	if err == nil {
		parent = c.tree.state(c.tree.at(i).parent)
	}
	changed := c.tree.bestHeader() != before
	c.mu.Unlock()
	if changed {
		c.heads.ring()
	}
	return parent, err
}

// keep stores b as the block of i.
func (c *Chain) keep(i id, b *consensus.Block, save func() (blockfile.Location, error)) (id, bool, error) {
	loc, err := save()
	if err != nil {
		return none, false, fmt.Errorf("store block %v: %w", b.Hash(), err)
	}
	c.point(pointBlock)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree.at(i).here() { // another goroutine brought it meanwhile
		return i, true, nil
	}
	c.tree.setBlock(i, loc, len(b.Txs))
	c.recent.add(i, b)
	return i, false, nil
}

// blame marks the block with the given hash as invalid if it is known and err condemns more than this copy of it. It returns err.
func (c *Chain) blame(hash chainhash.Hash, err error) error {
	var rule consensus.RuleError
	if !errors.As(err, &rule) || rule.Kind.Mutation() {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, ok := c.tree.find(hash); ok {
		c.condemn(i, rule)
	}
	return err
}

// condemn marks i as invalid, for rule. The caller holds mu.
func (c *Chain) condemn(i id, rule consensus.RuleError) {
	c.reasons[i] = rule
	c.recent.remove(i)
	c.tree.fail(i)
}
