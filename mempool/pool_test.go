package mempool

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

func TestPaymentsOfEveryKindAreTaken(t *testing.T) {
	s := newStory(t)
	for _, kind := range []chaintest.Kind{chaintest.P2WPKH, chaintest.P2TR, chaintest.P2PKH} {
		coins := s.split(2, s.key.Script(kind))
		tx := s.pay(1000, coins...)
		e := s.accept(tx)
		if e.Fee != 1000 || e.VSize != e.Tx.VSize() || e.Height != s.chain.Tip().Height || !e.Time.Equal(s.now) {
			t.Fatalf("the entry is %+v", e)
		}
		got, ok := s.pool.GetWitness(tx.WitnessHash())
		if !ok || got.TxID() != tx.TxHash() {
			t.Fatal("not found by its id with witness")
		}
	}
}

func TestABlockFindsItsTransactionsVerified(t *testing.T) {
	s := newStory(t)
	parent := s.pay(1000, s.coin())
	child := s.pay(1000, chaintest.Out(parent, 0))
	s.accept(parent)
	s.accept(child)
	n := s.mine(parent, child)
	checks := consensus.ScriptChecks(n.Parent.State, n.Block, n.Parent.Coins)
	before, _ := s.verifier.Stats()
	if err := s.verifier.Verify(t.Context(), checks); err != nil {
		t.Fatal(err)
	}
	if hits, _ := s.verifier.Stats(); len(checks) != 2 || hits != before+2 {
		t.Fatalf("%d of %d checks had passed in the pool", hits-before, len(checks))
	}
}

// TestCVE_2018_17144 spends one output twice in a transaction: the pool's own path to the check that the block's has.
func TestCVE_2018_17144(t *testing.T) {
	s := newStory(t)
	coin := s.coin()
	err := s.refuse("bad-txns-inputs-duplicate", s.pay(1000, coin, coin))
	if !errors.Is(err, consensus.ErrDuplicateInputs) {
		t.Fatalf("got %v", err)
	}
}

func TestKnownTransactions(t *testing.T) {
	s := newStory(t)
	tx := s.pay(1000, s.coin())
	s.accept(tx)
	s.refuse("txn-already-in-mempool", tx)

	other := tx.Copy()
	other.TxIn[0].Witness[0] = append([]byte{}, other.TxIn[0].Witness[0]...)
	other.TxIn[0].Witness[0][10] ^= 1
	s.refuse("txn-same-nonwitness-data-in-mempool", other)

	s.mine(tx)
	s.catchUp()
	s.holds()
	s.refuse("txn-already-known", tx)
	s.mine(s.pay(1000, chaintest.Out(tx, 0)))
	s.refuse("bad-txns-inputs-missingorspent", tx) // no trace of it is left in the coins
}

func TestDoubleSpend(t *testing.T) {
	s := newStory(t)
	coin := s.coin()
	first := s.pay(1000, coin)
	s.accept(first)
	second := s.pay(50_000, coin)
	s.refuse("txn-mempool-conflict", second)
	s.holds(first)

	s.mine(first)
	s.catchUp()
	err := s.refuse("bad-txns-inputs-missingorspent", second)
	var rule consensus.RuleError
	if errors.As(err, &rule) || !errors.Is(err, consensus.ErrMissingInput) {
		t.Fatalf("an input that is not here is nobody's fault, but %v is", err)
	}
}

func TestUnknownInput(t *testing.T) {
	s := newStory(t)
	parent := s.pay(1000, s.coin())
	child := s.pay(1000, chaintest.Out(parent, 0))
	s.refuse("bad-txns-inputs-missingorspent", child)
	s.accept(parent)
	s.accept(child)

	wrong := s.pay(1000, chaintest.Out(child, 0))
	wrong.TxIn[0].PreviousOutPoint.Index = 7
	s.refuse("bad-txns-inputs-missingorspent", wrong)
}

func TestOverspend(t *testing.T) {
	s := newStory(t)
	coin := s.coin()
	err := s.refuse("bad-txns-in-belowout", s.pay(-1, coin))
	var rule consensus.RuleError
	if !errors.As(err, &rule) || rule.Kind != consensus.ErrOverspend {
		t.Fatalf("got %v, want a rule error", err)
	}
}

func TestRelayFee(t *testing.T) {
	s := newStory(t)
	coin := s.coin()
	size := btcutil.Amount(consensus.NewTx(s.pay(0, coin)).VSize())
	if size != 110 {
		t.Fatalf("a payment has %d virtual bytes, want 110", size)
	}
	err := s.refuse("min relay fee not met", s.pay(0, coin))
	if want := "min relay fee not met, 0 < 110"; err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	s.refuse("min relay fee not met", s.pay(size-1, coin))
	s.accept(s.pay(size, coin))
}

func TestImmatureCoinbase(t *testing.T) {
	s := newStory(t)
	tip := s.chain.Tip().Height
	for _, n := range []struct {
		height int32
		ok     bool
	}{{tip + 1 - consensus.Maturity, true}, {tip + 2 - consensus.Maturity, false}} {
		var coin consensus.Entry
		for op, c := range s.chain.node.Coins {
			if c.Height == n.height {
				coin = consensus.Entry{OutPoint: op, Coin: c}
			}
		}
		tx := s.pay(1000, coin)
		if n.ok {
			s.accept(tx)
			continue
		}
		err := s.refuse("bad-txns-premature-spend-of-coinbase", tx)
		if want := "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 99"; err.Error() != want || !errors.Is(err, consensus.ErrImmature) {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
}

func TestBadSignature(t *testing.T) {
	s := newStory(t)
	for _, kind := range []chaintest.Kind{chaintest.P2WPKH, chaintest.P2TR} {
		tx := s.pay(1000, s.split(1, s.key.Script(kind))...)
		tx.TxOut[0].Value-- // after the signature
		_, err := s.pool.Add(t.Context(), consensus.NewTx(tx))
		var rule consensus.RuleError
		if !errors.As(err, &rule) || rule.Kind != consensus.ErrScript {
			t.Fatalf("got %v, want %v", err, consensus.ErrScript)
		}
		s.holds()
	}
}

func TestFailuresOfOurOwnBlameNobody(t *testing.T) {
	s := newStory(t)
	tx := consensus.NewTx(s.pay(1000, s.coin()))
	s.chain.broken = errors.New("the disk is gone")
	if _, err := s.pool.Add(t.Context(), tx); !errors.Is(err, s.chain.broken) || isRefusal(err) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.pool.Test(t.Context(), []*consensus.Tx{tx}); !errors.Is(err, s.chain.broken) {
		t.Fatalf("got %v", err)
	}
	if err := s.pool.CatchUp(t.Context()); !errors.Is(err, s.chain.broken) {
		t.Fatalf("got %v", err)
	}
	s.chain.broken = nil
	s.holds()
}

func TestTestChangesNothing(t *testing.T) {
	s := newStory(t)
	parent := s.pay(1000, s.coin())
	child := s.pay(2000, chaintest.Out(parent, 0))
	broken := s.pay(0, s.coin())
	orphan := s.pay(1000, chaintest.Out(broken, 0))
	var txs []*consensus.Tx
	for _, msg := range []*wire.MsgTx{parent, child, broken, orphan} {
		txs = append(txs, consensus.NewTx(msg))
	}
	before := s.pool.Info()
	got, err := s.pool.Test(t.Context(), txs)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "min relay fee not met, 0 < 110", "bad-txns-inputs-missingorspent"} {
		if got[i].TxID != txs[i].TxID() || (got[i].Err == nil) != (want == "") || want != "" && got[i].Err.Error() != want {
			t.Fatalf("verdict %d is %+v, want %q", i, got[i], want)
		}
	}
	if got[1].Fee != 2000 || got[1].VSize != 110 {
		t.Fatalf("the child is %+v", got[1])
	}
	if s.pool.Info() != before {
		t.Fatal("the pool changed")
	}
}

func TestCoinsAndSpenders(t *testing.T) {
	s := newStory(t)
	parent := s.fan(2, 1000, s.coin())
	child := s.pay(1000, chaintest.Out(parent, 1))
	s.accept(parent)
	s.accept(child)
	op := wire.OutPoint{Hash: parent.TxHash(), Index: 1}
	if coin, ok := s.pool.Coin(op); !ok || coin.Height != PoolHeight || int64(coin.Value) != parent.TxOut[1].Value {
		t.Fatalf("the coin is %+v, %v", coin, ok)
	}
	if id, ok := s.pool.Spender(op); !ok || id != child.TxHash() {
		t.Fatalf("the spender is %v, %v", id, ok)
	}
	if _, ok := s.pool.Coin(wire.OutPoint{Hash: parent.TxHash(), Index: 2}); ok {
		t.Fatal("there is no such output")
	}
	if _, ok := s.pool.Spender(wire.OutPoint{Hash: parent.TxHash()}); ok {
		t.Fatal("nobody spends it")
	}
	p, _ := s.pool.Entry(parent.TxHash())
	c, _ := s.pool.Entry(child.TxHash())
	if p.DescendantCount != 2 || p.SpentBy[0] != child.TxHash() || c.AncestorFees != 2000 || c.Depends[0] != parent.TxHash() {
		t.Fatalf("relations are %+v and %+v", p, c)
	}
}

func TestFeedAndWatch(t *testing.T) {
	s := newStory(t)
	wake, stop := s.pool.Watch()
	defer stop()
	txs, seq := s.pool.Since(0, 10)
	if len(txs) != 0 || seq != 0 {
		t.Fatal("an empty pool has arrivals")
	}
	a, b, c := s.pay(1000, s.coin()), s.pay(1000, s.coin()), s.pay(1000, s.coin())
	for _, tx := range []*wire.MsgTx{a, b, c} {
		s.accept(tx)
	}
	<-wake
	select {
	case <-wake:
		t.Fatal("more than one token")
	default:
	}
	txs, seq = s.pool.Since(0, 2)
	if len(txs) != 2 || txs[0].TxID() != a.TxHash() || txs[1].TxID() != b.TxHash() {
		t.Fatalf("the first two are %v", txs)
	}
	s.mine(c)
	s.catchUp()
	if txs, seq = s.pool.Since(seq, 2); len(txs) != 0 || seq != 3 {
		t.Fatalf("%v came after, up to %d", txs, seq)
	}
	<-wake
	stop()
	stop()
	s.accept(s.pay(1000, s.coin()))
	select {
	case <-wake:
		t.Fatal("a token after the end")
	default:
	}
}

func TestTransactionsAreThoseOfEntries(t *testing.T) {
	s := newStory(t)
	parent := s.pay(1000, s.coin())
	s.accept(parent)
	s.accept(s.pay(1000, chaintest.Out(parent, 0)))
	s.accept(s.pay(1000, s.coin()))
	s.mine(parent)
	s.catchUp()
	txs, entries := s.pool.Transactions(), s.pool.Entries()
	if len(txs) != 2 || len(txs) != len(entries) {
		t.Fatalf("%d transactions, %d entries", len(txs), len(entries))
	}
	for i, e := range entries {
		if txs[i] != e.Tx {
			t.Errorf("%d differs", i)
		}
	}
}
