package p2p

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// Chain is what p2p asks of the chain. All of it may be called from any goroutine.
type Chain interface {
	Tip() consensus.State
	BestHeader() consensus.State
	Info(hash chainhash.Hash) (ledger.BlockInfo, error)
	Block(hash chainhash.Hash) (*consensus.Block, error)
	RawBlock(hash chainhash.Hash) ([]byte, error)
	// AddHeaders takes headers in order and returns the place after the last one.
	AddHeaders(ctx context.Context, headers []wire.BlockHeader) (consensus.State, error)
	// FollowHeaders checks headers that follow at and keeps nothing of them.
	FollowHeaders(ctx context.Context, at consensus.State, headers []wire.BlockHeader) (consensus.State, error)
	// AddBlocks takes blocks, in any order if their headers are known, as long as next has one, and reports on each in order; err is a
	// consensus.RuleError or nil. next is called by another goroutine, until AddBlocks returns.
	AddBlocks(ctx context.Context, next func() (*consensus.Block, bool), report func(b *consensus.Block, added ledger.Added, err error)) error
	// Watch gives a channel that gets a token after the tip has changed.
	Watch() (wake <-chan struct{}, stop func())
	Locator() []chainhash.Hash
	HeadersAfter(locator []chainhash.Hash, stop chainhash.Hash, max int) []wire.BlockHeader
	// Wanted lists blocks on the way to the best header that are not here, lowest first.
	Wanted(max int) []ledger.Ref
	// WantedAside lists blocks that are not here on the way to another block, and the height at which that way leaves the one to the best
	// header: -1 if it does not, or does not lead to more work than the tip has.
	WantedAside(goal chainhash.Hash, max int) (fork int32, refs []ledger.Ref)
	InitialDownload() bool
}

// Pool is what p2p asks of the pool of unconfirmed transactions. All of it may be called from any goroutine.
type Pool interface {
	Add(ctx context.Context, tx *consensus.Tx) (ledger.PoolEntry, error)
	Get(txid chainhash.Hash) (*consensus.Tx, bool)
	GetWitness(wtxid chainhash.Hash) (*consensus.Tx, bool)
	// Transactions lists all of them.
	Transactions() []*consensus.Tx
	// Entry tells what the transaction with an id pays.
	Entry(txid chainhash.Hash) (ledger.PoolEntry, bool)
	// Info tells what a transaction must pay.
	Info() ledger.PoolInfo
	// Since lists arrivals after the place seq, and the place after them.
	Since(seq uint64, max int) ([]*consensus.Tx, uint64)
	// Watch gives a channel that gets a token after an arrival.
	Watch() (wake <-chan struct{}, stop func())
}
