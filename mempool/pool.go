// Package mempool holds the transactions that may enter the next block. It decides what is wanted here beyond what
// is valid: consensus decides the latter, and a ScriptVerifier runs the scripts. It follows the chain by asking what happened since
// its own place, and owns what is not in a block yet: nothing else remembers it, and a restart forgets it.
package mempool

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// Chain is what the pool asks the best chain.
type Chain interface {
	Tip() consensus.State
	// Coins returns those of the coins that exist, and the tip at which they do.
	Coins(ops []wire.OutPoint) (consensus.Coins, consensus.State, error)
	Block(hash chainhash.Hash) (*consensus.Block, error)
	// Since leads from place to the best chain, by at most max blocks.
	Since(place chainhash.Hash, max int) (ledger.Path, error)
}

// ScriptVerifier runs the scripts of transactions. Its error is a consensus.RuleError, or that of ctx.
type ScriptVerifier interface {
	Verify(ctx context.Context, checks []consensus.ScriptCheck) error
}

// Options are what a pool is made of.
type Options struct {
	Chain   Chain
	Scripts ScriptVerifier
	Policy  Policy
	Now     func() time.Time
	Log     *slog.Logger
}

// Pool is the set of transactions that wait for a block. It is safe for concurrent use.
type Pool struct {
	chain   Chain            // set once
	scripts ScriptVerifier   // set once
	policy  Policy           // set once
	now     func() time.Time // set once
	log     *slog.Logger     // set once

	follow chan struct{} // holds a token while a goroutine moves the pool along the chain

	mu      sync.Mutex                // guards all below; never held while calling chain or scripts
	tip     chainhash.Hash            // the block that txs are valid after, once settled
	settled bool                      // false from the undoing of a block until what it gave back is judged
	restore []*consensus.Tx           // still to be judged; parents before children
	txs     map[chainhash.Hash]*entry // by id
	wtxs    map[chainhash.Hash]*entry // by id with witness
	spends  map[wire.OutPoint]*entry  // by what they spend
	queue   evictions                 // every entry, the first to be evicted at the top
	feed    feed
	floor   floor
	bytes   int64          // sum of virtual sizes
	usage   int64          // memory, estimated
	fees    btcutil.Amount // sum
}

// New returns an empty pool at the tip of the chain. It starts nothing.
func New(o Options) *Pool {
	return &Pool{
		chain: o.Chain, scripts: o.Scripts, policy: o.Policy, now: o.Now, log: o.Log,
		follow:  make(chan struct{}, 1),
		tip:     o.Chain.Tip().Hash,
		settled: true,
		txs:     make(map[chainhash.Hash]*entry),
		wtxs:    make(map[chainhash.Hash]*entry),
		spends:  make(map[wire.OutPoint]*entry),
	}
}

// Run keeps the pool in step with the chain until ctx ends. tip wakes it when the chain has moved.
func (p *Pool) Run(ctx context.Context, tip <-chan struct{}) error {
	for {
		if err := p.CatchUp(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("follow the chain: %w", err)
		}
		select {
		case <-tip:
		case <-ctx.Done():
			return nil
		}
	}
}
