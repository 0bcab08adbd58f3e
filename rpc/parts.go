package rpc

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/address"
	"groat/internal/ledger"
)

// Parts are the parts of a node that the methods ask. Those that a network has not are nil: Network where no host
// is opened, Clock where the time cannot be set.
type Parts struct {
	Params  *consensus.Params
	Chain   Chain
	Pool    Pool
	Miner   Miner
	Network Network
	Clock   Clock
	Wallets Wallets
}

// Chain is the best chain with its branches, blocks and coins.
type Chain interface {
	Tip() consensus.State
	BestHeader() consensus.State
	Info(hash chainhash.Hash) (ledger.BlockInfo, error)
	AtHeight(height int32) (chainhash.Hash, bool)
	Tips() []ledger.Tip
	Block(hash chainhash.Hash) (*consensus.Block, error)
	RawBlock(hash chainhash.Hash) ([]byte, error)
	UndoOf(hash chainhash.Hash) ([]consensus.Entry, error)
	Coins(ops []wire.OutPoint) (consensus.Coins, consensus.State, error)
	UTXOSet(ctx context.Context, hash ledger.SetHash) (ledger.SetInfo, error)
	EachCoin(ctx context.Context, see func(wire.OutPoint, consensus.Coin)) (consensus.State, error)
	InitialDownload() bool
	DiskSize() int64
	Storage() ledger.Storage
	Pruning() ledger.Pruning

	AddHeaders(ctx context.Context, headers []wire.BlockHeader) (consensus.State, error)
	AddBlock(ctx context.Context, b *consensus.Block) (ledger.Added, error)
	Invalidate(ctx context.Context, hash chainhash.Hash) error
	Reconsider(ctx context.Context, hash chainhash.Hash) error
	Precious(ctx context.Context, hash chainhash.Hash) error
	Watch() (wake <-chan struct{}, stop func())
}

// Pool holds the transactions that wait for a block.
type Pool interface {
	Add(ctx context.Context, tx *consensus.Tx) (ledger.PoolEntry, error)
	Test(ctx context.Context, txs []*consensus.Tx) ([]ledger.PoolTest, error)
	Get(txid chainhash.Hash) (*consensus.Tx, bool)
	Has(txid chainhash.Hash) bool
	Entry(txid chainhash.Hash) (ledger.PoolEntry, bool)
	Entries() []ledger.PoolEntry
	Info() ledger.PoolInfo
	Coin(op wire.OutPoint) (consensus.Coin, bool)
	Spender(op wire.OutPoint) (chainhash.Hash, bool)
	CatchUp(ctx context.Context) error
}

// Miner makes templates and blocks on top of the best chain.
type Miner interface {
	Template(ctx context.Context, script []byte) (*ledger.Template, error)
	Check(ctx context.Context, b *consensus.Block) error
	Generate(ctx context.Context, n int, script []byte, maxTries uint64) ([]chainhash.Hash, error)
	GenerateBlock(ctx context.Context, script []byte, txs []*consensus.Tx, submit bool) (*consensus.Block, error)
}

// Network is the node's side of the peer-to-peer network.
type Network interface {
	Info() ledger.NetInfo
	Peers() []ledger.PeerInfo
	Count() int
	AddNode(ctx context.Context, addr string, once bool) error
	RemoveNode(addr string) error
	AddedNodes() []ledger.AddedNode
	Disconnect(id int64) error
	SetActive(active bool)
	Ping()
	Bans() []ledger.Ban
	// Ban disconnects who is in the subnet. The caller has made sure that it is not banned.
	Ban(subnet netip.Prefix, until time.Time) error
	Unban(subnet netip.Prefix) error
	ClearBans() error
	// Addresses lists up to limit places where peers may be found.
	Addresses(limit int) []ledger.NodeAddress
}

// Clock is a clock that can be stopped at a moment. The zero time lets it go again.
type Clock interface{ SetMock(t time.Time) }

// api has the handlers of the methods that ask the parts of a node.
type api struct {
	Parts
	version string
	now     func() time.Time
	log     *slog.Logger

	templates templateCache
	scan      coinScan
}

// addressOf returns the address of an output script, and false if it has none.
func (a *api) addressOf(script []byte) (string, bool) { return address.Encode(a.Params, script) }

// at returns the hash of the block at height on the best chain; the chain is known to be that long.
func (a *api) at(height int32) (ledger.BlockInfo, error) {
	hash, ok := a.Chain.AtHeight(height)
	if !ok {
		return ledger.BlockInfo{}, errorf(CodeInvalidParameter, "Block height out of range")
	}
	return a.info(hash)
}

// info returns what the chain knows of a block.
func (a *api) info(hash chainhash.Hash) (ledger.BlockInfo, error) {
	info, err := a.Chain.Info(hash)
	if err != nil {
		return ledger.BlockInfo{}, dataError(err)
	}
	return info, nil
}

// active reports whether the block is part of the best chain.
func (a *api) active(s consensus.State) bool {
	hash, ok := a.Chain.AtHeight(s.Height)
	return ok && hash == s.Hash
}

// confirmations returns how many blocks of the best chain confirm the block, itself included; -1 on another branch.
func (a *api) confirmations(s consensus.State) int32 {
	if !a.active(s) {
		return -1
	}
	return a.Chain.Tip().Height - s.Height + 1
}

// sats is an amount in the smallest unit, as templates give it.
func sats(a btcutil.Amount) int64 { return int64(a) }
