package consensus_test

import (
	"testing"
	"time"

	"groat/consensus"
	"groat/internal/loadchain"
)

// BenchmarkBlock measures what a block of 2,000 payments costs besides its scripts, for each of them.
func BenchmarkBlock(b *testing.B) {
	const n = 2_000
	before, block, coins := loaded(b, n)
	raw := block.Raw()
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"Parse", func() error { _, err := consensus.ParseBlock(raw); return err }},
		{"CheckBlock", func() error { return consensus.CheckBlock(before.Params(), block) }},
		{"CheckBlockPlace", func() error { return consensus.CheckBlockPlace(before, block) }},
		{"Needs", func() error { _ = consensus.Needs(before, block); return nil }},
		{"Connect", func() error { _, err := consensus.Connect(before, block, coins); return err }},
		{"ScriptChecks", func() error { _ = consensus.ScriptChecks(before, block, coins); return nil }},
	} {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			start := loadchain.CPU()
			for b.Loop() {
				if err := step.run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((loadchain.CPU()-start).Nanoseconds())/float64(b.N)/n, "cpu-ns/tx")
		})
	}
}

// loaded returns a block of n payments, the place before it and the coins it spends.
func loaded(b *testing.B, n int) (before consensus.State, block *consensus.Block, coins consensus.Coins) {
	b.Helper()
	coins = consensus.Coins{}
	at := consensus.Genesis(consensus.Regtest())
	spec := loadchain.Spec{Params: at.Params(), Txs: n, TxsPerBlock: n, Last: time.Now()}
	err := loadchain.Make(spec, func(next *consensus.Block) error {
		before, block = at, next
		if len(next.Txs) > n {
			return nil
		}
		d, err := consensus.Connect(at, next, coins)
		for _, e := range d.Created {
			coins[e.OutPoint] = e.Coin
		}
		at = at.Next(&next.Header)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return before, block, coins
}
