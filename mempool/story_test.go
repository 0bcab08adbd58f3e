package mempool

import (
	"errors"
	"log/slog"
	"slices"
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

// fakeChain is a place in a tree of blocks.
type fakeChain struct {
	tree *chaintest.Tree

	mu     sync.Mutex
	node   *chaintest.Node
	nodes  map[chainhash.Hash]*chaintest.Node
	asked  func() // called before coins are handed out
	broken error  // returned by everything that can fail
	reads  int    // blocks that were handed out
	stride int    // blocks that Since tells at a time, if not 0
}

func newFakeChain(tree *chaintest.Tree, at *chaintest.Node) *fakeChain {
	c := &fakeChain{tree: tree, nodes: make(map[chainhash.Hash]*chaintest.Node)}
	c.moveTo(at)
	return c
}

func (c *fakeChain) moveTo(n *chaintest.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.node = n
	for ; n != nil; n = n.Parent {
		c.nodes[n.State.Hash] = n
	}
}

func (c *fakeChain) Tip() consensus.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.node.State
}

func (c *fakeChain) Coins(ops []wire.OutPoint) (consensus.Coins, consensus.State, error) {
	if c.asked != nil {
		c.asked()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	coins := make(consensus.Coins)
	for _, op := range ops {
		if coin, ok := c.node.Coins[op]; ok {
			coins[op] = coin
		}
	}
	return coins, c.node.State, c.broken
}

func (c *fakeChain) Block(hash chainhash.Hash) (*consensus.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	return c.nodes[hash].Block, c.broken
}

func (c *fakeChain) Since(place chainhash.Hash, limit int) (ledger.Path, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stride > 0 {
		limit = c.stride
	}
	var path ledger.Path
	from, to := c.nodes[place], c.node
	for from != to {
		if from.State.Height >= to.State.Height {
			path.Undo = append(path.Undo, ref(from))
			from = from.Parent
			continue
		}
		path.Connect = append(path.Connect, ref(to))
		to = to.Parent
	}
	slices.Reverse(path.Connect)
	if len(path.Undo) > limit {
		return ledger.Path{Undo: path.Undo[:limit]}, c.broken
	}
	path.Connect = path.Connect[:min(len(path.Connect), limit-len(path.Undo))]
	return path, c.broken
}

func ref(n *chaintest.Node) ledger.Ref {
	return ledger.Ref{Hash: n.State.Hash, Height: n.State.Height}
}

// story is a pool on a chain with coins to spend.
type story struct {
	*testing.T
	tree  *chaintest.Tree
	chain *fakeChain
	pool  *Pool

	verifier *verify.Verifier
	key      chaintest.Key
	own      []byte // script that pays to key
	now      time.Time
	next     int // the next of the coins that nobody has taken
	coins    []consensus.Entry
	named    int
}

// matureHeight is the height at which a story begins: ten coinbases are mature.
const matureHeight = 110

func newStory(t *testing.T) *story {
	t.Helper()
	return newStoryOn(t, consensus.Regtest())
}

func newStoryOn(t *testing.T, p *consensus.Params) *story {
	t.Helper()
	tree := chaintest.New(t, p)
	s := &story{T: t, tree: tree, key: chaintest.KeyFor(0), own: chaintest.KeyFor(0).Script(chaintest.P2WPKH), now: time.Unix(1_700_000_000, 0)}
	start := tree.Grow(chaintest.Root, "m", matureHeight)
	s.chain = newFakeChain(tree, start)
	s.coins = start.Mature(s.key)
	s.verifier = verify.New(2, 10_000)
	s.pool = New(Options{
		Chain: s.chain, Scripts: s.verifier, Policy: DefaultPolicy(),
		Now: func() time.Time { return s.now }, Log: slog.New(slog.DiscardHandler),
	})
	return s
}

// coin returns a coin of 50 that was not taken before.
func (s *story) coin() consensus.Entry {
	s.Helper()
	if s.next == len(s.coins) {
		s.Fatal("the story has no coin left")
	}
	s.next++
	return s.coins[s.next-1]
}

// split confirms a transaction that makes n coins of equal value with the given script.
func (s *story) split(n int, script []byte) []consensus.Entry {
	s.Helper()
	coin := s.coin()
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&coin.OutPoint, nil, nil))
	for range n {
		msg.AddTxOut(wire.NewTxOut(int64(coin.Coin.Value)/int64(n)-1000, script))
	}
	s.key.Sign(msg, []consensus.Entry{coin})
	s.mine(msg)
	outs := make([]consensus.Entry, n)
	for i := range outs {
		op := wire.OutPoint{Hash: msg.TxHash(), Index: uint32(i)}
		outs[i] = consensus.Entry{OutPoint: op, Coin: s.chain.node.Coins[op]}
	}
	return outs
}

// mine puts a block with txs on the tip.
func (s *story) mine(txs ...*wire.MsgTx) *chaintest.Node {
	s.Helper()
	return s.mineOn(s.chain.node, txs...)
}

// mineOn puts a block with txs on a block and makes it the tip.
func (s *story) mineOn(on *chaintest.Node, txs ...*wire.MsgTx) *chaintest.Node {
	s.Helper()
	s.named++
	n := s.tree.Block(on.Name, "b"+strconv.Itoa(s.named), chaintest.Txs(txs...))
	s.chain.moveTo(n)
	return n
}

func (s *story) script() []byte { return s.own }

// pay returns a transaction with one output that spends coins for the given fee.
func (s *story) pay(fee btcutil.Amount, coins ...consensus.Entry) *wire.MsgTx {
	return s.fan(1, fee, coins...)
}

// fan returns a transaction with n equal outputs that spends coins for the given fee.
func (s *story) fan(n int, fee btcutil.Amount, coins ...consensus.Entry) *wire.MsgTx {
	msg := s.unsigned(n, fee, coins...)
	s.key.Sign(msg, coins)
	return msg
}

func (s *story) unsigned(n int, fee btcutil.Amount, coins ...consensus.Entry) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	var sum btcutil.Amount
	for _, c := range coins {
		msg.AddTxIn(wire.NewTxIn(&c.OutPoint, nil, nil))
		sum += c.Coin.Value
	}
	left := int64(sum - fee)
	for i := range n {
		value := left / int64(n-i)
		left -= value
		msg.AddTxOut(wire.NewTxOut(value, s.script()))
	}
	return msg
}

// accept adds msg, which the pool must want.
func (s *story) accept(msg *wire.MsgTx) ledger.PoolEntry {
	s.Helper()
	e, err := s.pool.Add(s.Context(), consensus.NewTx(msg))
	if err != nil {
		s.Fatalf("refused: %v", err)
	}
	s.check()
	return e
}

// refuse adds msg, which must be refused with the given reject string, and changes nothing.
func (s *story) refuse(reason string, msg *wire.MsgTx) error {
	s.Helper()
	before := s.pool.Info()
	err := s.refuseOnly(reason, msg)
	if after := s.pool.Info(); after != before {
		s.Fatalf("a refusal changed the pool from %+v to %+v", before, after)
	}
	return err
}

// refuseOnly adds msg, which must be refused with the given reject string.
func (s *story) refuseOnly(reason string, msg *wire.MsgTx) error {
	s.Helper()
	_, err := s.pool.Add(s.Context(), consensus.NewTx(msg))
	var rejected interface{ RejectReason() string }
	if !errors.As(err, &rejected) || rejected.RejectReason() != reason {
		s.Fatalf("got %v, want %s", err, reason)
	}
	return err
}

func (s *story) catchUp() {
	s.Helper()
	if err := s.pool.CatchUp(s.Context()); err != nil {
		s.Fatal(err)
	}
	if tip, _ := s.pool.Snapshot(); tip != s.chain.Tip().Hash {
		s.Fatalf("the pool is at %v, the chain at %v", tip, s.chain.Tip().Hash)
	}
	s.check()
}

// holds says which transactions are in the pool, and that no others are.
func (s *story) holds(want ...*wire.MsgTx) {
	s.Helper()
	for _, msg := range want {
		if !s.pool.Has(msg.TxHash()) {
			s.Fatalf("%v is not in the pool", msg.TxHash())
		}
	}
	if n := s.pool.Info().Count; n != len(want) {
		s.Fatalf("the pool has %d transactions, want %d", n, len(want))
	}
}

// check holds the pool against what must always be true of it.
func (s *story) check() {
	s.Helper()
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	tip := s.chain.nodes[p.tip]
	var bytes, usage int64
	var fees btcutil.Amount
	spent := make(map[wire.OutPoint]bool)
	for id, e := range p.txs {
		if e.gone || e.tx.TxID() != id || p.wtxs[e.tx.WTxID()] != e || p.queue[e.slot] != e {
			s.Fatalf("%v is not in every index", id)
		}
		bytes, usage, fees = bytes+int64(e.size), usage+e.memory(), fees+e.fee
		for _, in := range e.tx.Msg.TxIn {
			op := in.PreviousOutPoint
			if spent[op] || p.spends[op] != e {
				s.Fatalf("%v is spent twice, or by another than %v", op, id)
			}
			spent[op] = true
			parent := p.txs[op.Hash]
			_, confirmed := tip.Coins[op]
			if (parent == nil) != confirmed || parent != nil && !slices.Contains(e.parents, parent) {
				s.Fatalf("%v, an input of %v, is not there", op, id)
			}
		}
		if up := sum(e, e.ancestors()); up != e.up {
			s.Fatalf("%v has ancestors %+v, kept as %+v", id, up, e.up)
		}
		if down := sum(e, e.descendants()); down != e.down {
			s.Fatalf("%v has descendants %+v, kept as %+v", id, down, e.down)
		}
	}
	if n := len(p.txs); len(p.wtxs) != n || len(p.queue) != n || len(p.feed.arrivals)-p.feed.gone != n || len(p.spends) != len(spent) {
		s.Fatalf("indexes of different sizes: %d, %d, %d, %d", n, len(p.wtxs), len(p.queue), len(p.feed.arrivals)-p.feed.gone)
	}
	if bytes != p.bytes || usage != p.usage || fees != p.fees {
		s.Fatalf("sums are %d, %d, %d, kept as %d, %d, %d", bytes, usage, fees, p.bytes, p.usage, p.fees)
	}
	for i := 1; i < len(p.queue); i++ {
		if p.queue.Less(i, (i-1)/2) {
			s.Fatal("the evictions are out of order")
		}
	}
}

func sum(e *entry, others set) totals {
	t := e.own()
	for o := range others {
		t = t.plus(o.own())
	}
	return t
}
