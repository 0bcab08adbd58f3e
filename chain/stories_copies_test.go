package chain_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
)

// Copies of a good block that anybody can make without work come before it. Each is refused, and none keeps the block out, whether the
// header is known or not and whether the block is connected at once or in a reorganisation.
func TestStoryOfMutatedCopies(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Blocks("base", 101).Block("a1").Tip("a1")
	s.On("base101").Hidden("good", chaintest.Spend(s.Coin(0)), chaintest.Spend(s.Coin(1))).Hidden("next")
	for range 2 {
		for _, m := range chaintest.Mutations() {
			s.Mutant("good", m.Change).Refused(m.Kind).Tip("a1")
		}
		s.Headers("good", "next").Tip("a1") // once more, with the header known
	}
	s.Status(ledger.HeadersOnly, "good")
	s.restart().Tip("a1")
	s.Mutant("good", chaintest.Mutations()[2].Change).Refused(consensus.ErrDuplicateTxs)
	s.Arrive("next").Tip("a1").Arrive("good").Tip("next")
	for _, m := range chaintest.Mutations() { // nor do they harm what is here already
		s.Mutant("good", m.Change)
	}
	s.restart().Tip("next")
}

// A copy whose form is good but whose witness is wrong cannot be told by the merkle root. The commitment tells it before it is stored, so it does not
// take the place of the block.
func TestStoryOfACopyOnTheWayToTheTip(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Blocks("base", 104)
	s.Hidden("a1", chaintest.Spend(s.Coin(0)), chaintest.Spend(s.Coin(1))).Hidden("a2", chaintest.Spend(s.Coin(0)), chaintest.Spend(s.Coin(1))).Hidden("a3")
	s.Headers("a1", "a2", "a3").Arrive("a3")
	for _, m := range chaintest.Mutations() {
		s.Mutant("a2", m.Change).Refused(m.Kind)
	}
	s.Arrive("a2").Tip("base104")
	for _, m := range chaintest.Mutations() {
		s.Mutant("a1", m.Change).Refused(m.Kind)
	}
	s.Arrive("a1").Tip("a3")
}

// The two ids below a merkle root can be read as a transaction of 64 bytes (CVE-2017-12842). A copy of the block that holds only that has the root, the
// hash and the work of the block.
func TestStoryOfTheSixtyFourByteTrick(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Blocks("base", 101)
	pay := halfATransaction(t, s.Coin(0))
	good := s.Tree.Build("base101", chaintest.Txs(pay))
	for good.Txs[0].TxID()[4] != 1 { // the count of inputs in the other half
		good = s.Tree.Build("base101", chaintest.Txs(pay))
	}
	s.Tree.Add("base101", "good", good)
	s.On("good").Hidden("next")
	copied := func(m *wire.MsgBlock) {
		first, second := good.Txs[0].TxID(), good.Txs[1].TxID()
		tx := wire.NewMsgTx(2)
		if err := tx.DeserializeNoWitness(bytes.NewReader(append(first[:], second[:]...))); err != nil || tx.SerializeSize() != 64 {
			t.Fatalf("the ids are no transaction: %v", err)
		}
		m.Transactions = []*wire.MsgTx{tx}
	}
	if root, mutated := consensus.TxIDRoot(chaintest.Mutant(good, copied).Txs); root != good.Header.MerkleRoot || mutated {
		t.Fatal("the copy has another root")
	}
	s.Mutant("good", copied).Refused(consensus.ErrMerkleRoot).Headers("good", "next")
	s.Mutant("good", copied).Refused(consensus.ErrMerkleRoot).Status(ledger.HeadersOnly, "good")
	s.Arrive("next", "good").Tip("next")
}

// halfATransaction returns a payment whose id can be the second half of a transaction of 64 bytes: a script of up to four bytes, a count of one, a
// value, and a script of what is left of the four.
func halfATransaction(t *testing.T, coin consensus.Entry) *wire.MsgTx {
	t.Helper()
	const found = 1_938_529 // by trying millions; the search goes on from here if chaintest makes other coins one day
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&coin.OutPoint, nil, nil))
	tx.AddTxOut(wire.NewTxOut(int64(coin.Coin.Value)-found, chaintest.KeyFor(1).Script(chaintest.P2WPKH)))
	for ; ; tx.TxOut[0].Value-- {
		id := tx.TxHash()
		if n := id[9]; n <= 4 && id[14+n] == 1 && id[23+n] == 4-n {
			break
		}
	}
	if n := int64(coin.Coin.Value) - tx.TxOut[0].Value; n != found {
		t.Logf("found at %d", n)
	}
	chaintest.KeyFor(0).Sign(tx, []consensus.Entry{coin})
	return tx
}
