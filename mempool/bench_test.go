package mempool

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
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

// coinChain is a tip with coins, for benchmarks.
type coinChain struct {
	tip   consensus.State
	coins consensus.Coins
}

func (c *coinChain) Tip() consensus.State { return c.tip }

func (c *coinChain) Coins(ops []wire.OutPoint) (consensus.Coins, consensus.State, error) {
	coins := make(consensus.Coins, len(ops))
	for _, op := range ops {
		if coin, ok := c.coins[op]; ok {
			coins[op] = coin
		}
	}
	return coins, c.tip, nil
}

func (c *coinChain) Block(chainhash.Hash) (*consensus.Block, error) {
	return nil, ledger.ErrUnknownBlock
}

func (c *coinChain) Since(chainhash.Hash, int) (ledger.Path, error) { return ledger.Path{}, nil }

// noScripts takes every script for good.
type noScripts struct{}

func (noScripts) Verify(context.Context, []consensus.ScriptCheck) error { return nil }

// payments returns a chain with coins and n payments that spend them, with one input and two outputs; three of ten spend an output of the
// one before. Without sign their signatures are noise.
func payments(n int, sign bool) (*coinChain, []*consensus.Tx) {
	key := chaintest.KeyFor(0)
	script := key.Script(chaintest.P2WPKH)
	chain := &coinChain{tip: consensus.Genesis(consensus.Regtest()), coins: make(consensus.Coins)}
	var txs []*consensus.Tx
	for i := range n {
		coin := consensus.Entry{
			OutPoint: wire.OutPoint{Hash: chainhash.DoubleHashH([]byte(fmt.Sprint(i)))},
			Coin:     consensus.Coin{Value: btcutil.SatoshiPerBitcoin, PkScript: script},
		}
		if i%10 > 6 {
			coin = chaintest.Out(txs[i-1].Msg, 0)
		} else {
			chain.coins[coin.OutPoint] = coin.Coin
		}
		msg := wire.NewMsgTx(2)
		msg.AddTxIn(wire.NewTxIn(&coin.OutPoint, nil, wire.TxWitness{make([]byte, 71), make([]byte, 33)}))
		msg.AddTxOut(wire.NewTxOut(int64(coin.Coin.Value)-51_000, script))
		msg.AddTxOut(wire.NewTxOut(50_000-int64(i%500), script))
		if sign {
			key.Sign(msg, []consensus.Entry{coin})
		}
		txs = append(txs, consensus.NewTx(msg))
	}
	return chain, txs
}

func poolOn(chain Chain, scripts ScriptVerifier) *Pool {
	return New(Options{Chain: chain, Scripts: scripts, Policy: DefaultPolicy(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
}

func addAll(b *testing.B, p *Pool, txs []*consensus.Tx) {
	for _, tx := range txs {
		if _, err := p.Add(b.Context(), tx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAdd measures a payment: with its signature, and what the pool itself costs.
func BenchmarkAdd(b *testing.B) {
	b.Run("signed", func(b *testing.B) {
		chain, txs := payments(b.N, true)
		p := poolOn(chain, verify.New(1, 1000))
		b.ResetTimer()
		addAll(b, p, txs)
	})
	b.Run("unchecked", func(b *testing.B) {
		chain, txs := payments(b.N, false)
		p := poolOn(chain, noScripts{})
		p.policy.MaxBytes = 1 << 40
		b.ResetTimer()
		b.ReportAllocs()
		addAll(b, p, txs)
	})
	b.Run("full", func(b *testing.B) {
		chain, txs := payments(10_000+b.N, false)
		p := poolOn(chain, noScripts{})
		addAll(b, p, txs[:10_000])
		p.policy.MaxBytes = p.usage
		b.ResetTimer()
		for _, tx := range txs[10_000:] {
			_, _ = p.Add(b.Context(), tx) // many are refused
		}
	})
}

// BenchmarkMemory compares what transactions of several shapes take with what the pool believes they take.
func BenchmarkMemory(b *testing.B) {
	const n = 20_000
	for _, shape := range [][2]int{{1, 1}, {1, 2}, {10, 2}, {2, 20}, {10, 10}} {
		b.Run(fmt.Sprintf("%d-%d", shape[0], shape[1]), func(b *testing.B) {
			chain, raws := shaped(n, shape[0], shape[1])
			for b.Loop() {
				p := poolOn(chain, noScripts{})
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				for _, raw := range raws {
					tx, err := consensus.ParseTx(raw)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := p.Add(b.Context(), tx); err != nil {
						b.Fatal(err)
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/tx")
				b.ReportMetric(float64(p.usage)/n, "usage-B/tx")
				runtime.KeepAlive(p)
			}
		})
	}
}

// shaped returns a chain with coins and n payments with the given numbers of inputs and outputs.
func shaped(n, ins, outs int) (*coinChain, [][]byte) {
	script := chaintest.KeyFor(0).Script(chaintest.P2WPKH)
	chain := &coinChain{tip: consensus.Genesis(consensus.Regtest()), coins: make(consensus.Coins)}
	raws := make([][]byte, n)
	for i := range raws {
		msg := wire.NewMsgTx(2)
		for k := range ins {
			op := wire.OutPoint{Hash: chainhash.DoubleHashH([]byte(fmt.Sprint(i, k)))}
			chain.coins[op] = consensus.Coin{Value: btcutil.SatoshiPerBitcoin, PkScript: script}
			msg.AddTxIn(wire.NewTxIn(&op, nil, wire.TxWitness{make([]byte, 71), make([]byte, 33)}))
		}
		for range outs {
			msg.AddTxOut(wire.NewTxOut(1_000_000, script))
		}
		raws[i] = consensus.NewTx(msg).Raw()
	}
	return chain, raws
}

// BenchmarkSnapshot measures what a template asks of the pool.
func BenchmarkSnapshot(b *testing.B) {
	chain, txs := payments(50_000, false)
	p := poolOn(chain, noScripts{})
	addAll(b, p, txs)
	for b.Loop() {
		p.Snapshot()
	}
}
