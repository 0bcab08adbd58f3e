package mempool

import (
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

func TestPackages(t *testing.T) {
	s := newStory(t)
	parent := s.fan(2, 1000, s.coin())
	first, second := s.pay(1000, chaintest.Out(parent, 0)), s.pay(1000, chaintest.Out(parent, 1))
	rival := s.pay(2000, chaintest.Out(parent, 1))
	again := first.Copy() // the same id with another witness
	again.TxIn[0].Witness = wire.TxWitness{{1}}
	twice := s.pay(1000, chaintest.Out(parent, 1), chaintest.Out(parent, 1))
	heavy := func(w int) *wire.MsgTx { return plain(weight(w), func(m *wire.MsgTx) { m.LockTime = uint32(w) }).Msg }
	apart := func(w int) *wire.MsgTx {
		m := heavy(w)
		m.TxIn[0].PreviousOutPoint.Index = 2
		return m
	}
	for _, c := range []struct {
		want string
		txs  []*wire.MsgTx
	}{
		{"", []*wire.MsgTx{parent, first, second}},
		{"", []*wire.MsgTx{parent, second, first}},
		{"", []*wire.MsgTx{first, second}}, // whose parent is somewhere else
		{"package-not-sorted", []*wire.MsgTx{first, parent}},
		{"package-contains-duplicates", []*wire.MsgTx{parent, first, first}},
		{"package-contains-duplicates", []*wire.MsgTx{parent, first, again}},
		{"conflict-in-package", []*wire.MsgTx{parent, second, rival}},
		{"", []*wire.MsgTx{parent, twice}}, // a rule of transactions
		{"conflict-in-package", []*wire.MsgTx{parent, wire.NewMsgTx(2)}},
		{"", []*wire.MsgTx{heavy(202_000), apart(202_000)}},
		{"package-too-large", []*wire.MsgTx{heavy(202_000), apart(202_001)}},
	} {
		txs := make([]*consensus.Tx, len(c.txs))
		for i, msg := range c.txs {
			txs[i] = consensus.NewTx(msg)
		}
		got, err := s.pool.Test(t.Context(), txs)
		if err != nil || len(got) != len(txs) {
			t.Fatalf("%d verdicts, %v", len(got), err)
		}
		for i, verdict := range got {
			if verdict.TxID != txs[i].TxID() || c.want == "" && verdict.PackageErr != nil || c.want != "" && (verdict.PackageErr == nil || verdict.PackageErr.Error() != c.want || verdict.Err != nil) {
				t.Errorf("%d of %d is %+v, want %q", i, len(txs), verdict, c.want)
			}
		}
	}
}
