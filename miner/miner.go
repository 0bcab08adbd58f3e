// Package miner makes blocks: templates from what waits in the pool, and nonces for them. Assemble, which chooses the
// transactions, is pure; a Miner asks the chain and the pool and hands every block to the chain, which checks it like
// any other. It owns the goroutines that grind and nothing that lasts.
package miner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// Chain is what the miner asks the best chain.
type Chain interface {
	Tip() consensus.State
	Coins(ops []wire.OutPoint) (consensus.Coins, consensus.State, error)
	AddBlock(ctx context.Context, b *consensus.Block) (ledger.Added, error)
	Watch() (wake <-chan struct{}, stop func()) // a token when the tip has moved
}

// Pool is what the miner asks the pool.
type Pool interface {
	CatchUp(ctx context.Context) error
	Snapshot() (tip chainhash.Hash, entries []ledger.PoolEntry) // parents before children
	Info() ledger.PoolInfo
}

// ScriptVerifier runs the scripts of transactions. Its error is a consensus.RuleError, or that of ctx.
type ScriptVerifier interface {
	Verify(ctx context.Context, checks []consensus.ScriptCheck) error
}

// Options are what a miner is made of.
type Options struct {
	Chain   Chain
	Pool    Pool
	Scripts ScriptVerifier
	Now     func() time.Time
	Log     *slog.Logger
}

// Miner makes blocks for the tip of the chain. It is safe for concurrent use.
type Miner struct {
	chain   Chain            // set once
	pool    Pool             // set once
	scripts ScriptVerifier   // set once
	now     func() time.Time // set once
	log     *slog.Logger     // set once

	extra atomic.Uint64 // the last extra nonce that was handed out
}

// New returns a miner. It starts nothing.
func New(o Options) *Miner {
	m := &Miner{chain: o.Chain, pool: o.Pool, scripts: o.Scripts, now: o.Now, log: o.Log}
	m.extra.Store(rand.Uint64())
	return m
}

// nextExtra returns an extra nonce with 2^32 after it that nobody else uses. They begin at random, so that two miners that pay to the same
// script do not search the same blocks, and two sides of a network do not find the same one.
func (m *Miner) nextExtra() uint64 { return m.extra.Add(1 << 32) }

// Template returns the block that pays best now on the tip of the chain, and pays that to script. It lacks its nonce.
func (m *Miner) Template(ctx context.Context, script []byte) (*ledger.Template, error) {
	_, t, err := m.template(ctx, script)
	return t, err
}

// template returns the template with the place that it is for.
func (m *Miner) template(ctx context.Context, script []byte) (consensus.State, *ledger.Template, error) {
	for {
		if err := m.pool.CatchUp(ctx); err != nil {
			return consensus.State{}, nil, fmt.Errorf("take the pool to the tip: %w", err)
		}
		sequence := m.pool.Info().Sequence
		tip := m.chain.Tip()
		at, entries := m.pool.Snapshot()
		if at != tip.Hash {
			continue // another block came
		}
		t := Assemble(Source{State: tip, Entries: entries, Script: script, Extra: m.nextExtra(), Now: m.now(), Limits: DefaultLimits()})
		t.Sequence = sequence
		return tip, t, nil
	}
}

// Generate makes up to n blocks, one upon the other, that pay to script, and returns their hashes. It gives up after maxTries nonces
// in all and returns what it has.
func (m *Miner) Generate(ctx context.Context, n int, script []byte, maxTries uint64) ([]chainhash.Hash, error) {
	var hashes []chainhash.Hash
	for len(hashes) < n {
		_, t, err := m.template(ctx, script)
		if err != nil {
			return hashes, err
		}
		found, tries := grind(ctx, t.Block, m.nextExtra(), maxTries)
		if maxTries -= tries; !found {
			return hashes, ctx.Err()
		}
		hash, err := m.submit(ctx, consensus.NewBlock(t.Block))
		switch {
		case errors.Is(err, errStale):
			continue
		case err != nil:
			return hashes, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// errStale says that the tip moved while a block was made for it, and that it did not do on the old one either.
var errStale = errors.New("the tip moved")

// submit hands b, made by this miner of what it was told is valid, to the chain.
func (m *Miner) submit(ctx context.Context, b *consensus.Block) (chainhash.Hash, error) {
	_, err := m.chain.AddBlock(ctx, b)
	var rule consensus.RuleError
	switch {
	case err == nil:
		return b.Hash(), nil
	case errors.Is(err, consensus.ErrPrevInvalid): // an operator has marked the parent
		return chainhash.Hash{}, errStale
	case errors.As(err, &rule) && m.chain.Tip().Hash != b.Header.PrevBlock:
		return chainhash.Hash{}, errStale
	case errors.As(err, &rule): // nobody else is to blame, so it is not handed on as a rule error
		return chainhash.Hash{}, fmt.Errorf("this node made block %v, which is invalid: %v", b.Hash(), rule)
	}
	return chainhash.Hash{}, fmt.Errorf("add block %v: %w", b.Hash(), err)
}

// GenerateBlock makes a block of exactly txs, in this order, that pays the subsidy to script, and hands it to the chain if submit says so.
// A rule error is that of txs.
func (m *Miner) GenerateBlock(ctx context.Context, script []byte, txs []*consensus.Tx, submit bool) (*consensus.Block, error) {
	tip := m.chain.Tip()
	msg := build(Source{State: tip, Script: script, Extra: m.nextExtra(), Now: m.now()}, tip.Subsidy(), txs)
	if err := m.Check(ctx, consensus.NewBlock(msg)); err != nil {
		return nil, err
	}
	if found, _ := grind(ctx, msg, m.nextExtra(), noLimit); !found {
		return nil, ctx.Err()
	}
	b := consensus.NewBlock(msg)
	if submit {
		if _, err := m.chain.AddBlock(ctx, b); err != nil {
			return nil, fmt.Errorf("add block %v: %w", b.Hash(), err)
		}
	}
	return b, nil
}
