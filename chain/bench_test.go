package chain

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/loadchain"
	"groat/internal/store"
	"groat/internal/verify"
)

// load is a chain full of payments with its blocks serialized, as they come from outside.
type load struct {
	raw [][]byte
	txs int // payments
	tip chainhash.Hash
}

func makeLoad(b *testing.B, kind loadchain.Kind, txs, perBlock int) load {
	b.Helper()
	l := load{txs: txs}
	spec := loadchain.Spec{Params: consensus.Regtest(), Kind: kind, Txs: txs, TxsPerBlock: perBlock, Last: time.Now()}
	err := loadchain.Make(spec, func(block *consensus.Block) error {
		l.raw, l.tip = append(l.raw, block.Raw()), block.Hash()
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// openBench opens an empty chain on a real store.
func openBench(b *testing.B, o Options) (c *Chain, done func()) {
	b.Helper()
	db, err := store.Open(store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	o.Params, o.Dir, o.Store = consensus.Regtest(), b.TempDir(), db.Prefix("chain")
	if o.Scripts == nil {
		o.Scripts = verify.New(runtime.GOMAXPROCS(0), 200_000)
	}
	if c, err = Open(context.Background(), o); err != nil {
		b.Fatal(err)
	}
	return c, func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	}
}

func feed(b *testing.B, c *Chain, raw [][]byte) {
	b.Helper()
	for _, r := range raw {
		block, err := consensus.ParseBlock(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.AddBlock(context.Background(), block); err != nil {
			b.Fatal(err)
		}
	}
}

// perTx measures work over and over, each time on what prepare made, and reports its cost for each of n transactions.
func perTx(b *testing.B, n int, prepare func() (work, done func())) {
	b.Helper()
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		work, done := prepare()
		runtime.GC()
		before := loadchain.CPU()
		b.StartTimer()
		work()
		b.StopTimer()
		cpu += loadchain.CPU() - before
		done()
		b.StartTimer()
	}
	total := float64(b.N) * float64(n)
	b.ReportMetric(cpu.Seconds()*1e6/total, "cpu-µs/tx")
	b.ReportMetric(total/b.Elapsed().Seconds(), "tx/s")
}

// BenchmarkConnect takes serialized blocks to the tip: parsed, checked, scripts run, stored.
func BenchmarkConnect(b *testing.B) {
	for kind := loadchain.P2WPKH; kind <= loadchain.P2WSH; kind++ {
		b.Run(kind.String(), func(b *testing.B) {
			l := makeLoad(b, kind, 4_000, 1_000)
			empty := loadchain.Empty() + 1
			perTx(b, l.txs, func() (func(), func()) {
				c, done := openBench(b, Options{})
				feed(b, c, l.raw[:empty])
				return func() { feed(b, c, l.raw[empty:]) }, done
			})
		})
	}
}

// BenchmarkConnectKnown is BenchmarkConnect of blocks whose transactions were all verified before, as in the pool.
func BenchmarkConnectKnown(b *testing.B) {
	l := makeLoad(b, loadchain.P2WPKH, 40_000, 2_000)
	empty := loadchain.Empty() + 1
	scripts := verify.New(runtime.GOMAXPROCS(0), 200_000)
	c, done := openBench(b, Options{Scripts: scripts})
	feed(b, c, l.raw)
	done()
	perTx(b, l.txs, func() (func(), func()) {
		c, done := openBench(b, Options{Scripts: scripts})
		feed(b, c, l.raw[:empty])
		return func() { feed(b, c, l.raw[empty:]) }, done
	})
}

// BenchmarkConnectAssumed is BenchmarkConnect without scripts.
func BenchmarkConnectAssumed(b *testing.B) {
	l := makeLoad(b, loadchain.P2WPKH, 40_000, 2_000)
	empty := loadchain.Empty() + 1
	perTx(b, l.txs, func() (func(), func()) {
		c, done := openBench(b, Options{AssumeValid: l.tip})
		for _, r := range l.raw {
			h, err := consensus.ParseHeader(r[:80])
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.AddHeaders(context.Background(), []wire.BlockHeader{h}); err != nil {
				b.Fatal(err)
			}
		}
		feed(b, c, l.raw[:empty])
		return func() { feed(b, c, l.raw[empty:]) }, done
	})
}
