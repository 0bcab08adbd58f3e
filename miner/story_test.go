package miner

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
	"groat/internal/verify"
)

// fakeChain is a line of blocks that checks what it gets by every rule.
type fakeChain struct {
	tree    *chaintest.Tree
	scripts *verify.Verifier
	now     func() time.Time

	mu    sync.Mutex
	node  *chaintest.Node
	wakes []chan struct{}
	asked func() // called before a block is added
	once  error  // what the next block is refused with, whatever it is
}

func (c *fakeChain) Tip() consensus.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.node.State
}

func (c *fakeChain) Coins(ops []wire.OutPoint) (consensus.Coins, consensus.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	coins := make(consensus.Coins)
	for _, op := range ops {
		if coin, ok := c.node.Coins[op]; ok {
			coins[op] = coin
		}
	}
	return coins, c.node.State, nil
}

func (c *fakeChain) AddBlock(ctx context.Context, b *consensus.Block) (ledger.Added, error) {
	if c.asked != nil {
		c.asked()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.once; err != nil {
		c.once = nil
		return ledger.Added{}, err
	}
	s := c.node.State
	if _, err := consensus.CheckHeader(s, &b.Header, c.now()); err != nil {
		return ledger.Added{}, err
	}
	if err := consensus.CheckBlock(s.Params(), b); err != nil {
		return ledger.Added{}, err
	}
	if err := consensus.CheckBlockPlace(s, b); err != nil {
		return ledger.Added{}, err
	}
	if _, err := consensus.Connect(s, b, c.node.Coins); err != nil {
		return ledger.Added{}, err
	}
	if err := c.scripts.Verify(ctx, consensus.ScriptChecks(s, b, c.node.Coins)); err != nil {
		return ledger.Added{}, err
	}
	c.add(b)
	return ledger.Added{Active: true}, nil
}

// add appends b, which is valid. The mutex is held.
func (c *fakeChain) add(b *consensus.Block) {
	c.node = c.tree.Add(c.node.Name, "mined"+strconv.Itoa(int(c.node.State.Height)+1), b)
	for _, w := range c.wakes {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (c *fakeChain) Watch() (<-chan struct{}, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := make(chan struct{}, 1)
	c.wakes = append(c.wakes, w)
	return w, func() {}
}

// fakePool holds entries that are valid on any tip, until they are mined.
type fakePool struct {
	chain   *fakeChain
	mu      sync.Mutex
	tip     chainhash.Hash
	entries []ledger.PoolEntry
	caught  chan struct{} // gets a token for each CatchUp
}

func (p *fakePool) CatchUp(ctx context.Context) error {
	tip := p.chain.Tip()
	p.chain.mu.Lock()
	mined := make(map[chainhash.Hash]bool)
	for _, tx := range p.chain.node.Block.Txs {
		mined[tx.TxID()] = true
	}
	p.chain.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []ledger.PoolEntry
	for _, e := range p.entries {
		if !mined[e.Tx.TxID()] {
			left = append(left, e)
		}
	}
	p.tip, p.entries = tip.Hash, left
	select {
	case p.caught <- struct{}{}:
	default: // nobody counts
	}
	return ctx.Err()
}

func (p *fakePool) Snapshot() (chainhash.Hash, []ledger.PoolEntry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tip, p.entries
}

func (p *fakePool) Info() ledger.PoolInfo { return ledger.PoolInfo{Sequence: 42} }

// story is a miner on a chain with coins to spend.
type story struct {
	*testing.T
	chain *fakeChain
	pool  *fakePool
	miner *Miner
	key   chaintest.Key
	now   time.Time
}

// newStory begins with as many mature coinbases as asked for.
func newStory(t *testing.T, mature int) *story {
	t.Helper()
	return newStoryOn(t, consensus.Regtest(), mature)
}

func newStoryOn(t *testing.T, p *consensus.Params, mature int) *story {
	t.Helper()
	s := &story{T: t, key: chaintest.KeyFor(0), now: time.Unix(1_700_000_000, 0)}
	now := func() time.Time { return s.now }
	s.chain = &fakeChain{tree: chaintest.New(t, p), scripts: verify.New(2, 1000), now: now}
	s.chain.node = s.chain.tree.At(chaintest.Root)
	if mature > 0 {
		s.chain.node = s.chain.tree.Grow(chaintest.Root, "m", mature+consensus.Maturity-1)
	}
	s.pool = &fakePool{chain: s.chain, caught: make(chan struct{}, 1)}
	s.miner = New(Options{Chain: s.chain, Pool: s.pool, Scripts: s.chain.scripts, Now: now, Log: slog.New(slog.DiscardHandler)})
	return s
}

func (s *story) script() []byte { return s.key.Script(chaintest.P2TR) }

// waits puts a transaction with one output that spends coins for the given fee into the pool.
func (s *story) waits(fee btcutil.Amount, coins ...consensus.Entry) *wire.MsgTx {
	s.Helper()
	var sum btcutil.Amount
	for _, c := range coins {
		sum += c.Coin.Value
	}
	msg := s.key.Pay(coins, s.script(), sum-fee, fee)
	s.pool.entries = append(s.pool.entries, entryFor(msg, fee, s.pool.entries))
	return msg
}

// entryFor returns the entry of msg in a pool that has others.
func entryFor(msg *wire.MsgTx, fee btcutil.Amount, others []ledger.PoolEntry) ledger.PoolEntry {
	tx := consensus.NewTx(msg)
	e := ledger.PoolEntry{Tx: tx, Fee: fee, VSize: tx.VSize(), SigOpCost: len(msg.TxIn)}
	for _, in := range msg.TxIn {
		for _, o := range others {
			if o.Tx.TxID() == in.PreviousOutPoint.Hash {
				e.Depends = append(e.Depends, o.Tx.TxID())
			}
		}
	}
	return e
}

func (s *story) template() *ledger.Template {
	s.Helper()
	t, err := s.miner.Template(s.Context(), s.script())
	if err != nil {
		s.Fatal(err)
	}
	return t
}

// has says which transactions a template has after its coinbase, in order.
func (s *story) has(t *ledger.Template, want ...*wire.MsgTx) {
	s.Helper()
	got := t.Block.Transactions[1:]
	if len(got) != len(want) || len(t.Fees) != len(want)+1 || len(t.SigOps) != len(want)+1 {
		s.Fatalf("the template has %d transactions, %d fees and %d sigops, want %d", len(got), len(t.Fees), len(t.SigOps), len(want))
	}
	for i := range want {
		if got[i].TxHash() != want[i].TxHash() {
			s.Fatalf("transaction %d is %v, want %v", i, got[i].TxHash(), want[i].TxHash())
		}
	}
}
