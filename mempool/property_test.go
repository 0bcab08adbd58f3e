package mempool

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// chaos does random things to a pool and its chain.
type chaos struct {
	*story
	r    *rand.Rand
	made []*wire.MsgTx // all transactions so far
}

// TestRandomHistories holds the pool against what must always be true after each of many random adds, blocks and reorgs.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStory(t)
			s.pool.scripts = noScripts{} // signatures would take most of the time
			c := &chaos{story: s, r: rand.New(rand.NewPCG(seed, 7))}
			c.made = append(c.made, s.fan(20, 10_000, s.coin()))
			s.mine(c.made[0])
			if seed%2 == 1 {
				s.pool.policy.MaxBytes = 25_000 // about twenty of them
			}
			for range 300 {
				switch n := c.r.IntN(20); {
				case n < 15:
					c.add()
				case n < 18:
					c.block(s.chain.node)
				default:
					c.fork()
				}
				s.check()
			}
			s.catchUp()
		})
	}
}

// add adds a transaction that spends random outputs of earlier ones: some are fine, others conflict or are orphans.
func (c *chaos) add() {
	var coins []consensus.Entry
	seen := make(map[wire.OutPoint]bool)
	for range 1 + c.r.IntN(2) {
		from := c.made[c.r.IntN(len(c.made))]
		coin := chaintest.Out(from, c.r.IntN(len(from.TxOut)))
		if !seen[coin.OutPoint] && coin.Coin.Value > 100_000 {
			coins = append(coins, coin)
		}
		seen[coin.OutPoint] = true
	}
	if len(coins) == 0 {
		return
	}
	msg := c.unsigned(1+c.r.IntN(3), btcutil.Amount(200+c.r.IntN(5000)), coins...)
	c.made = append(c.made, msg)
	if _, err := c.pool.Add(c.Context(), consensus.NewTx(msg)); err != nil && !isRefusal(err) {
		c.Fatal(err)
	}
}

// block mines a random part of what the pool has, and sometimes a transaction that it has not, on a block.
func (c *chaos) block(on *chaintest.Node) *chaintest.Node {
	taken := make(map[wire.OutPoint]bool)
	coins := make(map[wire.OutPoint]bool)
	for op := range on.Coins {
		coins[op] = true
	}
	var txs []*wire.MsgTx
	for _, msg := range c.made { // parents come before children
		ok := c.r.IntN(3) > 0
		for _, in := range msg.TxIn {
			ok = ok && coins[in.PreviousOutPoint] && !taken[in.PreviousOutPoint]
		}
		if !ok {
			continue
		}
		for _, in := range msg.TxIn {
			taken[in.PreviousOutPoint] = true
		}
		for i := range msg.TxOut {
			coins[wire.OutPoint{Hash: msg.TxHash(), Index: uint32(i)}] = true
		}
		txs = append(txs, msg)
	}
	n := c.mineOn(on, txs...)
	if c.r.IntN(4) > 0 {
		c.catchUp()
	}
	return n
}

// fork makes a branch that leaves the best chain a few blocks below the tip and is longer by one.
func (c *chaos) fork() {
	on, depth := c.chain.node, 1+c.r.IntN(4)
	for range depth {
		if on.State.Height <= matureHeight {
			break
		}
		on = on.Parent
	}
	for range depth + 1 {
		on = c.block(on)
	}
}

// TestManyAtOnce adds from many goroutines while blocks come and go.
func TestManyAtOnce(t *testing.T) {
	s := newStory(t)
	coins := s.split(60, s.script())
	s.catchUp()
	var pays []*wire.MsgTx
	for _, coin := range coins {
		parent := s.pay(1000, coin)
		pays = append(pays, parent, s.pay(1000, chaintest.Out(parent, 0)))
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i, msg := range pays {
				if (i/2)%4 != g && i%3 != 0 { // some are added twice
					continue
				}
				if _, err := s.pool.Add(t.Context(), consensus.NewTx(msg)); err != nil && !isRefusal(err) {
					t.Error(err)
				}
				s.pool.Snapshot()
				s.pool.Info()
			}
		})
	}
	fork := s.chain.node
	for range 5 {
		for range 3 {
			s.mine(minable(s.chain.node, pays[:20])...)
		}
		if err := s.pool.CatchUp(t.Context()); err != nil {
			t.Error(err)
		}
		s.mineOn(s.mineOn(s.mineOn(s.mineOn(fork))))
		fork = s.chain.node
	}
	wg.Wait()
	s.catchUp()
	for _, msg := range pays { // what a goroutine could not add as its parent came later
		if _, err := s.pool.Add(t.Context(), consensus.NewTx(msg)); err != nil && !isRefusal(err) {
			t.Error(err)
		}
	}
	s.check()
	s.holds(pays...)
}

// minable returns those of txs that a block on n may have.
func minable(n *chaintest.Node, txs []*wire.MsgTx) []*wire.MsgTx {
	var list []*wire.MsgTx
	own := make(map[chainhash.Hash]bool)
	for _, msg := range txs {
		op := msg.TxIn[0].PreviousOutPoint
		if _, ok := n.Coins[op]; ok || own[op.Hash] {
			list = append(list, msg)
			own[msg.TxHash()] = true
		}
	}
	return list
}
