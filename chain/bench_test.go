package chain

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
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
	return openBenchIn(b, b.TempDir(), o)
}

// openBenchIn opens the chain in dir, which may have one.
func openBenchIn(b *testing.B, dir string, o Options) (c *Chain, done func()) {
	b.Helper()
	db, err := store.Open(store.Options{Dir: filepath.Join(dir, "db")})
	if err != nil {
		b.Fatal(err)
	}
	o.Params, o.Dir, o.Store = consensus.Regtest(), dir, db.Prefix("chain")
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

// perTx is per for n transactions.
func perTx(b *testing.B, n int, prepare func() (work, done func())) {
	b.Helper()
	per(b, "tx", n, prepare)
}

// per measures work over and over, each time on what prepare made, and reports its cost for each of n things.
func per(b *testing.B, thing string, n int, prepare func() (work, done func())) {
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
	b.ReportMetric(cpu.Seconds()*1e6/total, "cpu-µs/"+thing)
	b.ReportMetric(total/b.Elapsed().Seconds(), thing+"/s")
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

// BenchmarkImport reads the file of a chain, with its scripts and without.
func BenchmarkImport(b *testing.B) {
	l := makeLoad(b, loadchain.P2WPKH, 40_000, 2_000)
	var file bytes.Buffer
	for _, raw := range l.raw {
		if err := blockfile.Write(&file, consensus.Regtest(), raw); err != nil {
			b.Fatal(err)
		}
	}
	name := filepath.Join(b.TempDir(), "blocks.dat")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, how := range []struct {
		name    string
		trusted chainhash.Hash
	}{{"Scripts", chainhash.Hash{}}, {"Assumed", l.tip}} {
		b.Run(how.name, func(b *testing.B) {
			perTx(b, l.txs, func() (func(), func()) {
				c, done := openBench(b, Options{AssumeValid: how.trusted})
				return func() {
					if _, err := Import(context.Background(), c, []string{name}, nil); err != nil {
						b.Fatal(err)
					}
				}, done
			})
		})
	}
}

// BenchmarkFlush writes the coins of 100,000 payments, each of which made one more.
func BenchmarkFlush(b *testing.B) {
	const coins = 100_000
	value := appendCoin(nil, &consensus.Coin{Value: 123_456, PkScript: make([]byte, 22), Height: 500_000, MedianTime: 1_700_000_000})
	perTx(b, coins, func() (func(), func()) {
		c, done := openBench(b, Options{CacheBytes: 64 << 20})
		for i := range coins {
			key := numberedKey(i)
			c.coins.put(-1, &key, coinExists|coinDirty, value)
		}
		return func() {
			if err := c.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}, done
	})
}

// BenchmarkLoad finds the coins that a block of 4,000 inputs spends, of a million that are on the disk only.
func BenchmarkLoad(b *testing.B) {
	const coins, inputs = 1_000_000, 4_000
	value := appendCoin(nil, &consensus.Coin{Value: 123_456, PkScript: make([]byte, 22), Height: 500_000, MedianTime: 1_700_000_000})
	c, done := openBench(b, Options{CacheBytes: 256 << 20})
	defer done()
	for i := range coins {
		key := numberedKey(i)
		c.coins.put(-1, &key, coinExists|coinDirty, value)
	}
	if err := c.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	c.coins = newCache()
	ops := make([]wire.OutPoint, inputs)
	next := 0
	for b.Loop() {
		for k := range ops {
			next = (next + 7_919) % coins
			key := numberedKey(next)
			ops[k] = key.outPoint()
		}
		if found, err := c.load(ops); err != nil || len(found) != inputs {
			b.Fatalf("%d coins, %v", len(found), err)
		}
	}
	b.ReportMetric(float64(b.N)*inputs/b.Elapsed().Seconds(), "coins/s")
}

// BenchmarkReorg leaves 1,000 blocks of 20 payments for 1,001 others that the chain has not seen before, without their scripts, and counts the payments
// on both sides.
func BenchmarkReorg(b *testing.B) {
	const blocks, txs = 1_000, 20
	ours := makeLoad(b, loadchain.P2WPKH, blocks*txs, txs)
	theirs := branch(b, ours, loadchain.Empty()+1, blocks+1)
	scripts := verify.New(runtime.GOMAXPROCS(0), 200_000)
	c, done := openBench(b, Options{Scripts: scripts})
	feed(b, c, ours.raw)
	done()
	perTx(b, blocks*txs, func() (func(), func()) {
		c, done := openBench(b, Options{Scripts: scripts})
		feed(b, c, ours.raw)
		feed(b, c, theirs[:blocks])
		return func() {
			feed(b, c, theirs[blocks:])
			if tip := c.Tip(); tip.Hash != chainhash.DoubleHashH(theirs[blocks][:80]) {
				b.Fatalf("the tip is at %d, %v", tip.Height, tip.Hash)
			}
		}, done
	})
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/reorg")
}

// branch returns n blocks that follow the first ones of l and have the payments of those that they replace, as far as there are any.
func branch(b *testing.B, l load, from, n int) [][]byte {
	b.Helper()
	var out [][]byte
	prev := chainhash.DoubleHashH(l.raw[from-1][:80])
	for i := range n {
		old, err := consensus.ParseBlock(l.raw[min(from+i, len(l.raw)-1)])
		if err != nil {
			b.Fatal(err)
		}
		msg := old.Msg()
		if from+i >= len(l.raw) {
			msg.Transactions = msg.Transactions[:1]
		}
		coinbase := msg.Transactions[0].Copy()
		coinbase.TxIn[0].SignatureScript = append(consensus.HeightPush(int32(from+i+1)), 1, 1)
		msg.Transactions[0] = coinbase
		msg.Header.PrevBlock = prev
		msg.Header.Timestamp = msg.Header.Timestamp.Add(time.Second)
		block := consensus.NewBlock(msg)
		root := consensus.WitnessCommitment(consensus.WitnessRoot(block.Txs), coinbase.TxIn[0].Witness[0])
		coinbase.TxOut[len(coinbase.TxOut)-1].PkScript = consensus.CommitmentScript(root)
		block = consensus.NewBlock(msg)
		msg.Header.MerkleRoot, _ = consensus.TxIDRoot(block.Txs)
		for consensus.CheckWork(consensus.Regtest(), &msg.Header) != nil {
			msg.Header.Nonce++
		}
		block = consensus.NewBlock(msg)
		out, prev = append(out, block.Raw()), block.Hash()
	}
	return out
}
