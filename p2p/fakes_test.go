package p2p

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// fakeChain is a chain in memory: headers and blocks are checked as alone and in their place, coins and scripts are not.
// A block whose coinbase ends in badScript fails when it would connect.
type fakeChain struct {
	initial atomic.Bool // it is in its initial download

	params *consensus.Params

	mu       sync.Mutex
	nodes    map[chainhash.Hash]*fakeBlock
	tip      consensus.State
	best     consensus.State
	watchers map[chan struct{}]bool
	onBlock  func(*consensus.Block)       // called for blocks that join the best chain
	failAdd  error                        // our own failure
	when     map[chainhash.Hash]time.Time // blocks became the tip
}

type fakeBlock struct {
	state   consensus.State
	block   *consensus.Block
	invalid bool
	linked  bool // it and all before it are here
}

var badScript = []byte("bad script")

func newFakeChain(p *consensus.Params) *fakeChain {
	c := &fakeChain{params: p, nodes: map[chainhash.Hash]*fakeBlock{}, when: map[chainhash.Hash]time.Time{}, watchers: map[chan struct{}]bool{}}
	c.tip = consensus.Genesis(p)
	c.best = c.tip
	c.nodes[c.tip.Hash] = &fakeBlock{state: c.tip, block: consensus.NewBlock(p.Genesis), linked: true}
	return c
}

func (c *fakeChain) Tip() consensus.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tip
}

func (c *fakeChain) BestHeader() consensus.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.best
}

func (c *fakeChain) Info(hash chainhash.Hash) (ledger.BlockInfo, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[hash]
	if n == nil {
		return ledger.BlockInfo{}, ledger.ErrUnknownBlock
	}
	info := ledger.BlockInfo{State: n.state, HaveData: n.block != nil, Status: ledger.HeadersOnly}
	switch {
	case n.invalid:
		info.Status = ledger.Invalid
	case n.linked:
		info.Status = ledger.Active
	}
	return info, nil
}

func (c *fakeChain) Block(hash chainhash.Hash) (*consensus.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[hash]
	switch {
	case n == nil:
		return nil, ledger.ErrUnknownBlock
	case n.block == nil:
		return nil, ledger.ErrNoData
	}
	return n.block, nil
}

func (c *fakeChain) RawBlock(hash chainhash.Hash) ([]byte, error) {
	b, err := c.Block(hash)
	if err != nil {
		return nil, err
	}
	return b.Raw(), nil
}

func (c *fakeChain) AddHeaders(_ context.Context, headers []wire.BlockHeader) (consensus.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last consensus.State
	for i := range headers {
		n, err := c.header(&headers[i])
		if err != nil {
			return last, err
		}
		last = n.state
	}
	return last, nil
}

func (c *fakeChain) FollowHeaders(_ context.Context, at consensus.State, headers []wire.BlockHeader) (consensus.State, error) {
	for i := range headers {
		next, err := consensus.CheckHeader(at, &headers[i], farAhead())
		if err != nil {
			return at, err
		}
		at = next
	}
	return at, nil
}

// farAhead is a time at which no block is too new: virtual time begins in 2000.
func farAhead() time.Time { return time.Now().AddDate(50, 0, 0) }

func (c *fakeChain) header(h *wire.BlockHeader) (*fakeBlock, error) {
	if n := c.nodes[h.BlockHash()]; n != nil {
		return n, nil
	}
	parent := c.nodes[h.PrevBlock]
	switch {
	case parent == nil:
		return nil, consensus.RuleError{Kind: consensus.ErrPrevUnknown}
	case parent.invalid:
		return nil, consensus.RuleError{Kind: consensus.ErrPrevInvalid}
	}
	state, err := consensus.CheckHeader(parent.state, h, farAhead())
	if err != nil {
		return nil, err
	}
	n := &fakeBlock{state: state}
	c.nodes[state.Hash] = n
	if state.Work.Cmp(c.best.Work) > 0 {
		c.best = state
	}
	return n, nil
}

func (c *fakeChain) AddBlocks(
	ctx context.Context, next func() (*consensus.Block, bool), report func(*consensus.Block, ledger.Added, error),
) error {
	for {
		b, ok := next()
		if !ok {
			return nil
		}
		added, err := c.AddBlock(ctx, b)
		var rule consensus.RuleError
		if err != nil && !errors.As(err, &rule) {
			return err
		}
		report(b, added, err)
	}
}

func (c *fakeChain) AddBlock(_ context.Context, b *consensus.Block) (ledger.Added, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failAdd != nil {
		return ledger.Added{}, c.failAdd
	}
	n, err := c.header(&b.Header)
	if err != nil {
		return ledger.Added{}, err
	}
	if n.block != nil {
		return ledger.Added{Known: true}, nil
	}
	if err := consensus.CheckBlock(c.params, b); err != nil {
		return ledger.Added{}, err
	}
	if err := consensus.CheckBlockPlace(c.nodes[b.Header.PrevBlock].state, b); err != nil {
		return ledger.Added{}, err
	}
	n.block = b
	err = c.connect()
	return ledger.Added{Active: c.tip.Hash == b.Hash()}, err
}

// connect links what can be linked and moves the tip to the most work.
func (c *fakeChain) connect() error {
	var refused error
	for again := true; again; {
		again = false
		for _, n := range c.nodes {
			if n.linked || n.block == nil || n.invalid || !c.nodes[n.block.Header.PrevBlock].linked {
				continue
			}
			if script := n.block.Txs[0].Msg.TxIn[0].SignatureScript; len(script) > 10 && string(script[len(script)-10:]) == string(badScript) {
				n.invalid = true
				c.best = c.tip
				refused = consensus.RuleError{Kind: consensus.ErrScript}
				continue
			}
			n.linked, again = true, true
			if n.state.Work.Cmp(c.tip.Work) > 0 {
				c.tip = n.state
				c.when[n.state.Hash] = time.Now()
				if c.onBlock != nil {
					c.onBlock(n.block)
				}
				for w := range c.watchers {
					wakeUp(w)
				}
			}
		}
	}
	if c.tip.Work.Cmp(c.best.Work) > 0 {
		c.best = c.tip
	}
	return refused
}

func (c *fakeChain) Watch() (<-chan struct{}, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := make(chan struct{}, 1)
	c.watchers[w] = true
	return w, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, w)
	}
}

// path lists the chain that ends in s, the genesis block first.
func (c *fakeChain) path(s consensus.State) []*fakeBlock {
	var list []*fakeBlock
	for n := c.nodes[s.Hash]; ; n = c.nodes[n.state.Header.PrevBlock] {
		list = append(list, n)
		if n.state.Height == 0 {
			slices.Reverse(list)
			return list
		}
	}
}

func (c *fakeChain) Locator() []chainhash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := c.path(c.best)
	var hashes []chainhash.Hash
	for i, step := len(path)-1, 1; i > 0; i -= step {
		hashes = append(hashes, path[i].state.Hash)
		if len(hashes) > 10 {
			step *= 2
		}
	}
	return append(hashes, path[0].state.Hash)
}

func (c *fakeChain) HeadersAfter(locator []chainhash.Hash, stop chainhash.Hash, max int) []wire.BlockHeader {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := c.path(c.tip)
	from := 0
	for _, hash := range locator {
		if n := c.nodes[hash]; n != nil && int(n.state.Height) < len(path) && path[n.state.Height] == n {
			from = int(n.state.Height)
			break
		}
	}
	var headers []wire.BlockHeader
	for _, n := range path[from+1:] {
		if len(headers) == max {
			break
		}
		headers = append(headers, n.state.Header)
		if n.state.Hash == stop {
			break
		}
	}
	return headers
}

func (c *fakeChain) Wanted(max int) []ledger.Ref {
	c.mu.Lock()
	defer c.mu.Unlock()
	var refs []ledger.Ref
	for _, n := range c.path(c.best) {
		if n.block == nil && len(refs) < max {
			refs = append(refs, ledger.Ref{Hash: n.state.Hash, Height: n.state.Height})
		}
	}
	return refs
}

func (c *fakeChain) WantedAside(goal chainhash.Hash, max int) (int32, []ledger.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[goal]
	if n == nil || n.invalid || n.state.Work.Cmp(c.tip.Work) <= 0 {
		return -1, nil
	}
	main, own := c.path(c.best), c.path(n.state)
	fork := int32(0)
	for int(fork) < min(len(main), len(own)) && main[fork] == own[fork] {
		fork++
	}
	if int(fork) == len(own) {
		return -1, nil
	}
	var refs []ledger.Ref
	for _, n := range own[fork:] {
		if n.block == nil && len(refs) < max {
			refs = append(refs, ledger.Ref{Hash: n.state.Hash, Height: n.state.Height})
		}
	}
	return fork - 1, refs
}

func (c *fakeChain) InitialDownload() bool { return c.initial.Load() }

// mine makes a block on the tip and adds it, as a miner of this node does.
func (c *fakeChain) mine(txs ...*consensus.Tx) *consensus.Block {
	b := mineOn(c.Tip(), nil, txs...)
	if _, err := c.AddBlock(context.Background(), b); err != nil {
		panic(err)
	}
	return b
}

var extraNonce = struct {
	sync.Mutex
	n uint64
}{}

// mineOn makes a block after s. tail ends the script of its coinbase.
func mineOn(s consensus.State, tail []byte, txs ...*consensus.Tx) *consensus.Block {
	extraNonce.Lock()
	extraNonce.n++
	script := binary.BigEndian.AppendUint64(consensus.HeightPush(s.Height+1), extraNonce.n)
	extraNonce.Unlock()
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: 0xffffffff}, SignatureScript: append(script, tail...)})
	coinbase.AddTxOut(&wire.TxOut{Value: int64(s.Subsidy()), PkScript: []byte{0x51}})
	all := append([]*consensus.Tx{consensus.NewTx(coinbase)}, txs...)
	root, _ := consensus.TxIDRoot(all)
	h := wire.BlockHeader{Version: 0x20000000, PrevBlock: s.Hash, MerkleRoot: root, Bits: s.NextBits(),
		Timestamp: s.MedianTime().Add(time.Minute)}
	for consensus.CheckWork(s.Params(), &h) != nil {
		h.Nonce++
	}
	return consensus.AssembleBlock(h, all)
}
