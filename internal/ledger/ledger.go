// Package ledger holds the plain values that the parts of a node tell each other about the chain, the pool,
// the network and the wallet. It has no behaviour: who owns a thing decides what happens to it, and
// whoever asks gets a copy. It is a leaf: it imports consensus only.
package ledger

import (
	"errors"
	"net/netip"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Errors that say why a thing cannot be handed out. They blame nobody.
var (
	ErrUnknownBlock = errors.New("block not found")       // no such header in the tree
	ErrNoData       = errors.New("block not available")   // header known, block not (yet) here
	ErrPruned       = errors.New("block data was pruned") // block was here and has been removed
	ErrUnknownTx    = errors.New("transaction not found")
)

// Ref names a block and its height.
type Ref struct {
	Hash   chainhash.Hash
	Height int32
}

// Status says how far a branch has been checked, in the words of Bitcoin Core's getchaintips.
type Status string

// The statuses of a branch.
const (
	Active       Status = "active"        // part of the best chain
	ValidFork    Status = "valid-fork"    // connected once, not part of the best chain
	ValidHeaders Status = "valid-headers" // all blocks here, not connected yet
	HeadersOnly  Status = "headers-only"  // some blocks are missing
	Invalid      Status = "invalid"       // contains an invalid block
)

// BlockInfo is what the header tree knows of a block.
type BlockInfo struct {
	State    consensus.State // the place after this block: its header, height, work, median time
	Status   Status
	Next     chainhash.Hash // the block after it on the best chain; zero if none
	Txs      int            // number of transactions; 0 while the block is not here
	HaveData bool
}

// Tip is the end of a branch.
type Tip struct {
	Ref
	BranchLength int32 // blocks since it left the best chain; 0 for the best chain itself
	Status       Status
}

// Path leads a follower from its place to the best chain: undo the one, then connect the other, each in order.
type Path struct {
	Undo    []Ref // from the follower's place downwards
	Connect []Ref // from the fork upwards
}

// Added is what became of a block that was handed to the chain.
type Added struct {
	Known  bool // it was here already
	Active bool // it is part of the best chain now
}

// SetHash names a hash of the coin set, in the words of gettxoutsetinfo.
type SetHash string

// The hashes of the coin set. Both are Bitcoin Core's and cover the same bytes of each coin.
const (
	NoHash         SetHash = "none"
	HashSerialized SetHash = "hash_serialized_3" // of all coins in order
	MuHash         SetHash = "muhash"            // of a product that a coin can be taken out of; about four times the work
)

// SetInfo describes the whole coin set, as gettxoutsetinfo shows it.
type SetInfo struct {
	Tip       Ref
	Txs       int64 // transactions with an unspent output
	Coins     int64
	BogoSize  int64          // Core's database-independent measure of the set's size
	Hash      chainhash.Hash // the one that was asked for
	Total     btcutil.Amount
	DiskBytes int64
}

// Storage is what the chain takes of memory and disk, in bytes.
type Storage struct {
	CacheCoins int   // coins in memory, and spent ones that the disk does not know of yet
	CacheBytes int64 // of memory that they take
	CacheLimit int64
	BlockBytes int64 // of files with blocks and undo records
	StoreBytes int64 // of the database
}

// Pruning says which blocks a node has removed, and how many it keeps.
type Pruning struct {
	Pruned    bool  // blocks have been removed, or will be
	Height    int32 // the lowest block from which on all are here
	Automatic bool  // there is a target
	Target    int64 // bytes that blocks and undo records may take
}

// PoolEntry is a transaction in the pool with its relations there. Sizes are virtual bytes.
type PoolEntry struct {
	Tx        *consensus.Tx
	Fee       btcutil.Amount
	VSize     int // what fees are paid for: at least five virtual bytes for each signature operation
	SigOpCost int
	Time      time.Time        // when it came
	Height    int32            // of the tip when it came
	Sequence  uint64           // grows with every arrival
	Depends   []chainhash.Hash // parents in the pool
	SpentBy   []chainhash.Hash // children in the pool

	AncestorCount, AncestorSize     int // itself included
	AncestorFees                    btcutil.Amount
	DescendantCount, DescendantSize int // itself included
	DescendantFees                  btcutil.Amount
}

// PoolInfo describes the pool as a whole.
type PoolInfo struct {
	Count      int
	Bytes      int64 // sum of virtual sizes
	Usage      int64 // memory, bytes
	TotalFee   btcutil.Amount
	MaxBytes   int64
	MinFeeRate btcutil.Amount // per 1000 vbytes, what a transaction must pay now
	RelayFee   btcutil.Amount // per 1000 vbytes, what it must pay at least
	Sequence   uint64
}

// PoolTest is the verdict on one transaction that was only tried. Err is nil if it would be accepted. PackageErr, the same for all that were tried
// together, says why they were not looked at.
type PoolTest struct {
	TxID, WTxID chainhash.Hash
	VSize       int
	Fee         btcutil.Amount
	Err         error
	PackageErr  error
}

// Template is a block that lacks its nonce, made for one tip.
type Template struct {
	Block    *wire.MsgBlock
	Height   int32
	Fees     []btcutil.Amount // per transaction; the coinbase has minus their sum
	SigOps   []int            // sigop cost per transaction
	MinTime  time.Time        // the earliest timestamp the block may have
	Value    btcutil.Amount   // what the coinbase may claim
	Witness  []byte           // script of the witness commitment output; nil if there is none
	Sequence uint64           // of the pool it was made from: a longer poll compares it
}

// PeerInfo describes a connected peer.
type PeerInfo struct {
	ID             int64  // counts connections from 0, as Core's peer ids
	Peer           string // libp2p peer id
	Addr           string // multiaddr of the other end
	LocalAddr      string
	Inbound        bool
	ConnectionType string // Core's words: inbound, outbound-full-relay, manual, …
	UserAgent      string
	Protocols      []string
	Connected      time.Time
	LastSend       time.Time
	LastRecv       time.Time
	BytesSent      uint64
	BytesRecv      uint64
	Traffic        map[string]Flow // by protocol
	LastTx         time.Time       // when it last sent a transaction that was accepted
	LastBlock      time.Time       // when it last sent a block that was new
	Ping           time.Duration   // zero while unknown
	MinPing        time.Duration   // the shortest one
	StartHeight    int32           // its tip when the connection began
	SyncedHeaders  int32           // last common header, -1 while unknown
	SyncedBlocks   int32
	InFlight       []int32        // heights of the blocks that it was asked for
	Score          float64        // minus what it has done wrong; it is banned at -100
	GossipScore    float64        // what gossip thinks of it
	InMesh         bool           // gossip sends it blocks at once
	FeeFilter      btcutil.Amount // per 1000 vbytes, what a transaction must pay to be announced to it
}

// Flow is bytes in both directions.
type Flow struct{ Sent, Received uint64 }

// Delays tells how often something took how long.
type Delays struct {
	Number uint64
	Sum    time.Duration
	UpTo   []DelaysUpTo
}

// DelaysUpTo is how many delays were at most Bound.
type DelaysUpTo struct {
	Bound  time.Duration
	Number uint64
}

// NetInfo describes this node's side of the network.
type NetInfo struct {
	Peer      string   // our peer id
	Listen    []string // multiaddrs, each with /p2p/ID
	Inbound   int
	Outbound  int
	Active    bool
	BytesSent uint64
	BytesRecv uint64
	Traffic   map[string]Flow // by protocol, since the start

	TxDelays    Delays // from the first announcement of a transaction until it was accepted
	BlockDelays Delays // from the first announcement of a block until it was connected
}

// AddedNode is a peer that the operator asked for.
type AddedNode struct {
	Addr      string
	Connected bool
	Inbound   bool
	Problem   string // why the last dial failed, "" if it did not
}

// Ban is a subnet that is refused.
type Ban struct {
	Subnet  netip.Prefix
	Created time.Time
	Until   time.Time
}

// NodeAddress says where a peer may be found.
type NodeAddress struct {
	Peer string // libp2p peer id
	Addr string // multiaddr, without the id
	Seen time.Time
}
