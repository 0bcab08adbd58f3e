// Package loadchain makes long valid chains full of signed payments, for benchmarks. It keeps no coin sets, so that
// hundreds of thousands of transactions cost little more than their signatures. For chains that tell a story see chaintest.
package loadchain

import (
	"fmt"
	"runtime"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"golang.org/x/sync/errgroup"

	"groat/consensus"
)

// Spec says what chain to make. Its first blocks are empty until a coinbase is mature; one block splits that coinbase into TxsPerBlock
// coins; then come full blocks, each transaction of which spends a coin of the block before and leaves another one unspent.
type Spec struct {
	Params      *consensus.Params // of a network whose blocks cost no work
	Kind        Kind
	Txs         int       // in the full blocks together
	TxsPerBlock int       // at most 10,000
	Last        time.Time // of the last block
}

// Amounts in a payment.
const (
	leftOver = 1000 // stays unspent, sat
	fee      = 200
)

// Empty returns the number of blocks without payments that a chain begins with.
func Empty() int { return consensus.Maturity }

// Blocks returns how many blocks the chain has besides the first one of the network.
func (s Spec) Blocks() int { return Empty() + 1 + (s.Txs+s.TxsPerBlock-1)/s.TxsPerBlock }

// Make calls emit for every block of the chain after the network's first, in order, and stops at emit's first error.
func Make(s Spec, emit func(*consensus.Block) error) error {
	m := maker{line: newLine(s.Params, s.Blocks(), s.Last), spec: s, wallet: newWallet(s.Kind)}
	for range Empty() {
		if err := m.block(nil, emit); err != nil {
			return err
		}
	}
	split := m.split()
	if err := m.block([]*wire.MsgTx{split}, emit); err != nil {
		return err
	}
	coins := make([]coin, s.TxsPerBlock)
	id := split.TxHash()
	for i, out := range split.TxOut {
		coins[i] = coin{wire.OutPoint{Hash: id, Index: uint32(i)}, out, i}
	}
	for left := s.Txs; left > 0; left -= s.TxsPerBlock {
		coins = coins[:min(left, s.TxsPerBlock)]
		txs, err := m.payments(coins)
		if err != nil {
			return err
		}
		if err := m.block(txs, emit); err != nil {
			return err
		}
	}
	return nil
}

// coin is an output that can be spent and the number of the key that can.
type coin struct {
	at  wire.OutPoint
	out *wire.TxOut
	key int
}

// maker is a chain that grows.
type maker struct {
	line
	spec   Spec
	wallet *wallet
	first  coin // the coinbase that everything is paid with
}

// split returns the transaction that makes many coins of one.
func (m *maker) split() *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&m.first.at, nil, nil))
	share := m.first.out.Value / int64(m.spec.TxsPerBlock)
	for i := range m.spec.TxsPerBlock {
		tx.AddTxOut(wire.NewTxOut(share, m.wallet.script(i)))
	}
	m.wallet.sign(tx, m.first)
	return tx
}

// payments returns a signed payment of each coin and puts the coins that these make in place of them.
func (m *maker) payments(coins []coin) ([]*wire.MsgTx, error) {
	txs := make([]*wire.MsgTx, len(coins))
	workers := runtime.GOMAXPROCS(0)
	var group errgroup.Group
	for w := range workers {
		group.Go(func() error {
			for i := w; i < len(coins); i += workers {
				c := coins[i]
				if c.out.Value < 2*leftOver+fee {
					return fmt.Errorf("coin %v is used up: make fewer payments or larger blocks", c.at)
				}
				tx := wire.NewMsgTx(2)
				tx.AddTxIn(wire.NewTxIn(&c.at, nil, nil))
				tx.AddTxOut(wire.NewTxOut(c.out.Value-leftOver-fee, m.wallet.script(c.key+1)))
				tx.AddTxOut(wire.NewTxOut(leftOver, m.wallet.script(c.key+2)))
				m.wallet.sign(tx, c)
				txs[i], coins[i] = tx, coin{wire.OutPoint{Hash: tx.TxHash()}, tx.TxOut[0], c.key + 1}
			}
			return nil
		})
	}
	return txs, group.Wait()
}

// block adds a block with the given transactions.
func (m *maker) block(txs []*wire.MsgTx, emit func(*consensus.Block) error) error {
	b := m.next([]*wire.TxOut{wire.NewTxOut(int64(m.at.Subsidy()), m.wallet.script(0))}, txs)
	if m.at.Height == 1 {
		m.first = coin{wire.OutPoint{Hash: b.Txs[0].TxID()}, b.Txs[0].Msg.TxOut[0], 0}
	}
	return m.emit(b, emit)
}
