package mempool

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

func TestAncestorLimit(t *testing.T) {
	s := newStory(t)
	last := s.pay(1000, s.coin())
	s.accept(last)
	for range 24 {
		last = s.pay(1000, chaintest.Out(last, 0))
		s.accept(last)
	}
	err := s.refuse("too-long-mempool-chain", s.pay(1000, chaintest.Out(last, 0)))
	if want := "too-long-mempool-chain, too many unconfirmed ancestors [limit: 25]"; err.Error() != want { // and not: too many descendants of the first
		t.Fatalf("got %v, want %s", err, want)
	}
	if e, _ := s.pool.Entry(last.TxHash()); e.AncestorCount != 25 {
		t.Fatalf("%d ancestors", e.AncestorCount)
	}
}

func TestParentLimit(t *testing.T) {
	s := newStory(t)
	coins := s.split(25, s.script())
	var outs []consensus.Entry
	for _, coin := range coins {
		parent := s.pay(1000, coin)
		s.accept(parent)
		outs = append(outs, chaintest.Out(parent, 0))
	}
	err := s.refuse("too-long-mempool-chain", s.pay(5000, outs...))
	if want := "too-long-mempool-chain, too many unconfirmed parents [limit: 25]"; err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	s.accept(s.pay(5000, outs[:24]...))
}

func TestDescendantLimit(t *testing.T) {
	s := newStory(t)
	parent := s.fan(30, 10_000, s.coin())
	s.accept(parent)
	for i := range 24 {
		s.accept(s.pay(1000, chaintest.Out(parent, i)))
	}
	// One more small child is carved out, if it has no other relatives.
	other := s.pay(1000, s.coin())
	s.accept(other)
	s.refuse("too-long-mempool-chain", s.pay(1000, chaintest.Out(parent, 24), chaintest.Out(other, 0)))
	s.refuse("too-long-mempool-chain", s.fan(400, 20_000, chaintest.Out(parent, 24)))
	s.accept(s.pay(1000, chaintest.Out(parent, 24)))
	err := s.refuse("too-long-mempool-chain", s.pay(1000, chaintest.Out(parent, 25)))
	if want := "too-long-mempool-chain, too many descendants for tx " + parent.TxHash().String() + " [limit: 25]"; err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

func TestSizeLimits(t *testing.T) {
	s := newStory(t)
	a := s.fan(1600, 60_000, s.coin())
	s.accept(a)
	b := s.fan(1600, 60_000, chaintest.Out(a, 0))
	e, _ := s.pool.Entry(a.TxHash())
	room := DefaultPolicy().AncestorSize - e.VSize
	size := consensus.NewTx(b).VSize()

	s.pool.policy.AncestorSize -= room - size + 1
	s.refuse("too-long-mempool-chain", b)
	s.pool.policy.AncestorSize++
	s.pool.policy.DescendantSize = s.pool.policy.AncestorSize - 1
	err := s.refuse("too-long-mempool-chain", b)
	if !strings.Contains(err.Error(), "exceeds descendant size limit") {
		t.Fatalf("got %v", err)
	}
	s.pool.policy.DescendantSize++
	s.accept(b)
}

func TestTRUC(t *testing.T) {
	s := newStory(t)
	truc := func(outs int, fee btcutil.Amount, coins ...consensus.Entry) *wire.MsgTx {
		msg := s.unsigned(outs, fee, coins...)
		msg.Version = versionTRUC
		s.key.Sign(msg, coins)
		return msg
	}
	s.refuse("TRUC-violation", truc(330, 20_000, s.coin())) // above 10,000 virtual bytes
	parent := truc(2, 1000, s.coin())
	s.accept(parent)
	plain := s.pay(1000, s.coin())
	s.accept(plain)

	s.refuse("TRUC-violation", s.pay(1000, chaintest.Out(parent, 0)))
	s.refuse("TRUC-violation", truc(1, 1000, chaintest.Out(plain, 0)))
	s.refuse("TRUC-violation", truc(31, 5000, chaintest.Out(parent, 0))) // above 1,000
	child := truc(29, 5000, chaintest.Out(parent, 0))
	s.accept(child)
	s.refuse("TRUC-violation", truc(1, 1000, chaintest.Out(parent, 1))) // a second child
	s.refuse("TRUC-violation", truc(1, 1000, chaintest.Out(child, 0)))  // a grandchild
}

// Transactions that are tested together count as each other's relatives, and as those of what is in the pool.
func TestRelativesThatAreOnlyTested(t *testing.T) {
	s := newStory(t)
	parent := s.fan(30, 10_000, s.coin())
	s.accept(parent)
	for i := range 20 {
		s.accept(s.pay(1000, chaintest.Out(parent, i)))
	}
	var txs []*consensus.Tx
	for i := range 6 {
		txs = append(txs, consensus.NewTx(s.pay(1000, chaintest.Out(parent, 20+i))))
	}
	s.tests("too many descendants", 5, txs...) // 25 with the carve-out's

	truc := func(coin consensus.Entry, outs int) *wire.MsgTx {
		msg := s.unsigned(outs, 1000, coin)
		msg.Version = versionTRUC
		s.key.Sign(msg, []consensus.Entry{coin})
		return msg
	}
	alone := truc(s.coin(), 2)
	s.tests("would exceed descendant count limit", 2, consensus.NewTx(alone), consensus.NewTx(truc(chaintest.Out(alone, 0), 1)), consensus.NewTx(truc(chaintest.Out(alone, 1), 1)))

	txs = []*consensus.Tx{consensus.NewTx(s.pay(1000, s.coin()))}
	for range 25 {
		txs = append(txs, consensus.NewTx(s.pay(1000, chaintest.Out(txs[len(txs)-1].Msg, 0))))
	}
	s.tests("too many unconfirmed ancestors", 25, txs...)
}

// tests wants the first n of txs to be found good together, and the next one to be refused in these words.
func (s *story) tests(words string, n int, txs ...*consensus.Tx) {
	s.Helper()
	before := s.pool.Info()
	got, err := s.pool.Test(s.Context(), txs)
	if err != nil {
		s.Fatal(err)
	}
	for i, verdict := range got[:n+1] {
		if i < n && verdict.Err != nil || i == n && (verdict.Err == nil || !strings.Contains(verdict.Err.Error(), words)) {
			s.Fatalf("verdict %d is %v", i, verdict.Err)
		}
	}
	if s.pool.Info() != before {
		s.Fatal("the pool changed")
	}
}
