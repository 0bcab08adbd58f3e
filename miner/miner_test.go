package miner

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
)

const anyTries = 1_000_000

func TestGenerate(t *testing.T) {
	s := newStory(t, 0)
	hashes, err := s.miner.Generate(t.Context(), 150, s.script(), anyTries)
	if err != nil || len(hashes) != 150 {
		t.Fatalf("%d blocks, %v", len(hashes), err)
	}
	tip := s.chain.Tip()
	if tip.Height != 150 || tip.Hash != hashes[149] {
		t.Fatalf("the tip is %d, %v", tip.Height, tip.Hash)
	}
	for n := s.chain.node; n.Parent != nil; n = n.Parent {
		out := n.Block.Txs[0].Msg.TxOut
		if got := btcutil.Amount(out[0].Value); got != tip.Params().SubsidyAt(n.State.Height) || string(out[0].PkScript) != string(s.script()) {
			t.Fatalf("the coinbase at %d pays %v", n.State.Height, got)
		}
	}
}

func TestGenerateGivesUp(t *testing.T) {
	s := newStory(t, 0)
	hashes, err := s.miner.Generate(t.Context(), 1000, s.script(), 100)
	if err != nil || len(hashes) < 20 || len(hashes) > 90 { // every second nonce does
		t.Fatalf("%d blocks of 100 nonces, %v", len(hashes), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.miner.Generate(ctx, 1, s.script(), anyTries); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestPaysFeesAndMinesParentsFirst(t *testing.T) {
	s := newStory(t, 3)
	coins := s.chain.node.Mature(s.key)
	parent := s.waits(200, coins[0])
	other := s.waits(2000, coins[1])
	child := s.waits(9000, chaintest.Out(parent, 0))
	cheap := s.waits(100, coins[2]) // below what a block asks for

	tmpl := s.template()
	s.has(tmpl, parent, child, other)
	if want := s.chain.Tip().Subsidy() + 11_200; tmpl.Value != want || tmpl.Fees[0] != -11_200 || tmpl.Fees[2] != 9000 {
		t.Fatalf("value %v, fees %v", tmpl.Value, tmpl.Fees)
	}
	if tmpl.Sequence != 42 || tmpl.Height != s.chain.Tip().Height+1 || !tmpl.MinTime.After(s.chain.Tip().MedianTime()) || tmpl.SigOps[1] != 1 {
		t.Fatalf("the template is %+v", tmpl)
	}
	if _, err := s.miner.Generate(t.Context(), 1, s.script(), anyTries); err != nil {
		t.Fatal(err)
	}
	s.has(s.template())
	if len(s.pool.entries) != 1 || s.pool.entries[0].Tx.TxID() != cheap.TxHash() {
		t.Fatal("the cheap one should be left")
	}
}

func TestTemplateIsForTheTip(t *testing.T) {
	s := newStory(t, 0)
	s.template()
	b := s.chain.tree.Build(chaintest.Root)
	s.chain.mu.Lock()
	s.chain.add(b)
	s.chain.mu.Unlock()
	if tmpl := s.template(); tmpl.Block.Header.PrevBlock != b.Hash() || s.pool.tip != b.Hash() {
		t.Fatalf("the template follows %v, want %v", tmpl.Block.Header.PrevBlock, b.Hash())
	}
}

func TestWitnessCommitment(t *testing.T) {
	s := newStory(t, 1)
	s.waits(1000, s.chain.node.Mature(s.key)...)
	if tmpl := s.template(); tmpl.Witness == nil || len(tmpl.Block.Transactions) != 2 {
		t.Fatal("no commitment with witnesses")
	}

	late := consensus.Regtest()
	if err := late.SetActivation("segwit", 200); err != nil {
		t.Fatal(err)
	}
	s = newStoryOn(t, late, 1)
	s.waits(1000, s.chain.node.Mature(s.key)...)
	tmpl := s.template()
	s.has(tmpl) // a witness is not allowed yet
	if coinbase := tmpl.Block.Transactions[0]; tmpl.Witness != nil || len(coinbase.TxOut) != 1 || coinbase.HasWitness() {
		t.Fatal("a commitment before its time")
	}
	if _, err := s.miner.Generate(t.Context(), 1, s.script(), anyTries); err != nil {
		t.Fatal(err)
	}
}

func TestTimeOfABlock(t *testing.T) {
	s := newStory(t, 0)
	for _, at := range []time.Time{s.now, time.Unix(0, 0)} { // a clock far behind does not stop us
		s.now = at
		tmpl := s.template()
		want := at
		if least := s.chain.Tip().MedianTime().Add(time.Second); want.Before(least) {
			want = least
		}
		if !tmpl.Block.Header.Timestamp.Equal(want) {
			t.Fatalf("a block at %v is stamped %v", at, tmpl.Block.Header.Timestamp)
		}
	}
}

func TestExtraNonce(t *testing.T) {
	s := newStory(t, 0)
	tmpl := s.template()
	coinbase := tmpl.Block.Transactions[0]
	first := tmpl.Block.Header.MerkleRoot
	setExtra(tmpl.Block, 1)
	second := tmpl.Block.Header.MerkleRoot
	setExtra(tmpl.Block, 2)
	if first == second || second == tmpl.Block.Header.MerkleRoot || coinbase == tmpl.Block.Transactions[0] {
		t.Fatal("an extra nonce makes another block")
	}
	if found, _ := grind(t.Context(), tmpl.Block, 3, anyTries); !found {
		t.Fatal("no nonce")
	}
	if _, err := s.chain.AddBlock(t.Context(), consensus.NewBlock(tmpl.Block)); err != nil {
		t.Fatal(err)
	}
	if other := newStory(t, 0).template(); other.Block.Transactions[0].TxHash() == coinbase.TxHash() {
		t.Fatal("two miners search the same blocks")
	}
}

func TestGenerateBlock(t *testing.T) {
	s := newStory(t, 2)
	coins := s.chain.node.Mature(s.key)
	parent := s.key.Pay(coins[:1], s.script(), coins[0].Coin.Value-1000, 1000)
	child := s.key.Pay([]consensus.Entry{chaintest.Out(parent, 0)}, s.script(), coins[0].Coin.Value-3000, 2000)
	txs := []*consensus.Tx{consensus.NewTx(parent), consensus.NewTx(child)}

	height := s.chain.Tip().Height
	b, err := s.miner.GenerateBlock(t.Context(), s.script(), txs, false)
	if err != nil || s.chain.Tip().Height != height || len(b.Txs) != 3 {
		t.Fatalf("not to be submitted: %v", err)
	}
	if out := b.Txs[0].Msg.TxOut[0].Value; btcutil.Amount(out) != s.chain.Tip().Subsidy() {
		t.Fatalf("the coinbase takes %d", out)
	}
	_, err = s.miner.GenerateBlock(t.Context(), s.script(), []*consensus.Tx{txs[1], txs[0]}, true)
	if !errors.Is(err, consensus.ErrMissingInput) {
		t.Fatalf("a child before its parent: %v", err)
	}
	b, err = s.miner.GenerateBlock(t.Context(), s.script(), txs, true)
	if err != nil || s.chain.Tip().Hash != b.Hash() {
		t.Fatalf("to be submitted: %v", err)
	}
}

func TestCheck(t *testing.T) {
	s := newStory(t, 1)
	s.waits(1000, s.chain.node.Mature(s.key)...)
	whole := func() *ledger.Template { return s.template() }
	if err := s.miner.Check(t.Context(), consensus.NewBlock(whole().Block)); err != nil {
		t.Fatalf("a template is valid but for its work: %v", err)
	}
	for _, c := range []struct {
		want   string
		change func(t *ledger.Template)
	}{
		{"inconclusive-not-best-prevblk", func(t *ledger.Template) { t.Block.Header.PrevBlock[0]++ }},
		{"bad-diffbits", func(t *ledger.Template) { t.Block.Header.Bits++ }},
		{"time-too-old", func(t *ledger.Template) { t.Block.Header.Timestamp = t.MinTime.Add(-time.Second) }},
		{"time-too-new", func(t *ledger.Template) { t.Block.Header.Timestamp = s.now.Add(2*time.Hour + time.Second) }},
		{"bad-version(0x00000003)", func(t *ledger.Template) { t.Block.Header.Version = 3 }},
		{"bad-txnmrklroot", func(t *ledger.Template) { t.Block.Header.MerkleRoot[0]++ }},
		{"bad-cb-missing", func(t *ledger.Template) {
			t.Block.Transactions = t.Block.Transactions[1:]
			t.Block.Header.MerkleRoot = t.Block.Transactions[0].TxHash()
		}},
		{"bad-cb-amount", func(t *ledger.Template) {
			t.Block.Transactions[0].TxOut[0].Value++
			setExtra(t.Block, 1)
		}},
		{"bad-witness-merkle-match", func(t *ledger.Template) { t.Block.Transactions[1].TxIn[0].Witness[0][9] ^= 1 }},
	} {
		tmpl := whole()
		tx := tmpl.Block.Transactions[1].Copy()
		tmpl.Block.Transactions[1] = tx
		c.change(tmpl)
		err := s.miner.Check(t.Context(), consensus.NewBlock(tmpl.Block))
		var r interface{ RejectReason() string }
		if !errors.As(err, &r) || r.RejectReason() != c.want {
			t.Fatalf("got %v, want %s", err, c.want)
		}
	}
}

func TestCheckRunsScripts(t *testing.T) {
	s := newStory(t, 1)
	coins := s.chain.node.Mature(s.key)
	msg := s.key.Pay(coins, s.script(), coins[0].Coin.Value-1000, 1000)
	msg.TxOut[0].Value--
	_, err := s.miner.GenerateBlock(t.Context(), s.script(), []*consensus.Tx{consensus.NewTx(msg)}, true)
	if !errors.Is(err, consensus.ErrScript) {
		t.Fatalf("got %v", err)
	}
}

// An operator marks the tip invalid while a block is made on it, and takes that back at once.
func TestBlockOnAMarkedParentIsMadeAgain(t *testing.T) {
	s := newStory(t, 0)
	s.chain.once = consensus.RuleError{Kind: consensus.ErrPrevInvalid}
	if hashes, err := s.miner.Generate(t.Context(), 2, s.script(), anyTries); err != nil || len(hashes) != 2 {
		t.Fatalf("%d blocks, %v", len(hashes), err)
	}
}

func TestAnInvalidBlockIsOurOwnFault(t *testing.T) {
	s := newStory(t, 1)
	msg := s.waits(1000, s.chain.node.Mature(s.key)...)
	msg.TxIn[0].Witness[0][9] ^= 1 // the pool lied
	s.pool.entries[0].Tx = consensus.NewTx(msg)
	_, err := s.miner.Generate(t.Context(), 1, s.script(), anyTries)
	var rule consensus.RuleError
	if err == nil || errors.As(err, &rule) {
		t.Fatalf("got %v, want an error that blames nobody", err)
	}
}

func TestRunMinesABlockASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		if err := s.miner.Run(ctx, MineOptions{Script: s.script(), Threads: 4}); err != nil {
			t.Fatal(err)
		}
		if h := s.chain.Tip().Height; h != 11 {
			t.Fatalf("%d blocks in ten seconds, want one at once and then one each", h)
		}
	})
}

func TestRunFollowsTheTip(t *testing.T) {
	hard := consensus.Regtest()
	hard.PowLimitBits, hard.Genesis.Header.Bits = 0x03000001, 0x03000001 // nothing will be found
	s := newStoryOn(t, hard, 0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.miner.Run(ctx, MineOptions{Script: s.script(), Threads: 2}) }()
	<-s.pool.caught // it works on the first block
	s.chain.mu.Lock()
	s.chain.add(s.chain.tree.Build(chaintest.Root, chaintest.KeepWork))
	s.chain.mu.Unlock()
	<-s.pool.caught // and on the second
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func BenchmarkGrind(b *testing.B) {
	params := consensus.Regtest()
	h := params.Genesis.Header
	search(b.Context(), &h, target{}, uint64(b.N))
}
