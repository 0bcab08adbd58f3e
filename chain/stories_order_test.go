package chain_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// inOrder are flaws in the order in which Bitcoin Core looks for them, from ProcessNewBlock to the scripts, each in another part of the block, so
// that any two of them fit into one.
func inOrder() []chaintest.Flaw {
	spend := func(k int, change func(d *chaintest.Draft, tx *wire.MsgTx, coins []consensus.Entry)) chaintest.Mod {
		return func(d *chaintest.Draft) {
			coins := d.Parent.Mature(chaintest.KeyFor(0))[k : k+1]
			tx := chaintest.KeyFor(0).Pay(coins, chaintest.KeyFor(1).Script(chaintest.P2TR), coins[0].Coin.Value, 0)
			change(d, tx, coins)
			chaintest.Txs(tx)(d)
		}
	}
	sign := func(tx *wire.MsgTx, coins []consensus.Entry) { chaintest.KeyFor(0).Sign(tx, coins) }
	pays := func(value int64, script []byte) chaintest.Mod {
		return chaintest.Coinbase(func(tx *wire.MsgTx) { tx.AddTxOut(wire.NewTxOut(value, script)) })
	}
	return []chaintest.Flaw{
		{Kind: consensus.ErrMerkleRoot, Mod: func(d *chaintest.Draft) { d.Msg.Header.MerkleRoot[0] = 1; chaintest.KeepRoot(d) }},
		{Kind: consensus.ErrBlockSize, Mod: pays(0, make([]byte, 1_000_000))},
		{Kind: consensus.ErrManyCoinbases, Mod: func(d *chaintest.Draft) { chaintest.Txs(d.Parent.Block.Txs[0].Msg)(d) }},
		{Kind: consensus.ErrNegativeOutput, Mod: pays(-1, nil)},
		{Kind: consensus.ErrBlockSigOps, Mod: pays(0, bytes.Repeat([]byte{txscript.OP_CHECKSIG}, 20_001))},
		{Kind: consensus.ErrPrevUnknown, Mod: chaintest.Edit(func(m *wire.MsgBlock) { m.Header.PrevBlock[0] ^= 1 })},
		{Kind: consensus.ErrTimeTooOld, Mod: func(d *chaintest.Draft) { d.Msg.Header.Timestamp = d.Parent.State.MedianTime() }},
		{Kind: consensus.ErrVersion, Mod: chaintest.Edit(func(m *wire.MsgBlock) { m.Header.Version = 1 })},
		{Kind: consensus.ErrNotFinal, Mod: spend(0, func(d *chaintest.Draft, tx *wire.MsgTx, coins []consensus.Entry) {
			tx.LockTime, tx.TxIn[0].Sequence = uint32(d.Parent.State.Height+1), 0
			sign(tx, coins)
		})},
		{Kind: consensus.ErrCoinbaseHeight, Mod: chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = []byte{1, 1} })},
		{Kind: consensus.ErrUnexpectedWitness, Mod: func(d *chaintest.Draft) {
			chaintest.NoCommitment(d)
			spend(1, func(*chaintest.Draft, *wire.MsgTx, []consensus.Entry) {})(d)
		}},
		{Kind: consensus.ErrBlockWeight, Mod: func(d *chaintest.Draft) { // a witness in the coinbase would be against the commitment
			heavy(d.Parent.Mature(chaintest.KeyFor(0))[2], consensus.MaxBlockWeight+1)(d)
		}},
		{Kind: consensus.ErrOverspend, Mod: spend(3, func(_ *chaintest.Draft, tx *wire.MsgTx, coins []consensus.Entry) {
			tx.TxOut[0].Value++
			sign(tx, coins)
		})},
		{Kind: consensus.ErrSequenceLocks, Mod: spend(4, func(_ *chaintest.Draft, tx *wire.MsgTx, coins []consensus.Entry) {
			tx.TxIn[0].Sequence = 0xffff
			sign(tx, coins)
		})},
		{Kind: consensus.ErrCoinbaseValue, Mod: pays(1, []byte{txscript.OP_TRUE})},
		{Kind: consensus.ErrScript, Mod: spend(5, func(_ *chaintest.Draft, tx *wire.MsgTx, _ []consensus.Entry) { tx.TxIn[0].Witness[0][9] ^= 1 })},
	}
}

// Of two rules that a block breaks, the one that Core looks at first is told.
func TestStoryOfTwoFlaws(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Blocks("base", 110)
	flaws := inOrder()
	for i, first := range flaws {
		s.Give(s.Tree.Build("base110", first.Mod)).Refused(first.Kind)
		for _, second := range flaws[i+1:] {
			if first.Kind == consensus.ErrBlockSize && second.Kind == consensus.ErrBlockWeight {
				continue // the one has no room for the other
			}
			s.Give(s.Tree.Build("base110", first.Mod, second.Mod)).Refused(first.Kind)
		}
	}
	s.Block("good").Tip("good")
}

// A block whose hash is above its target is refused for that, whatever else is wrong with it, and nothing of it is remembered.
func TestStoryOfFlawsWithoutWork(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Blocks("base", 110)
	for _, flaw := range inOrder() {
		b := s.Tree.Build("base110", flaw.Mod)
		for consensus.CheckWork(s.Tree.Params, &b.Header) == nil {
			b.Header.Nonce++
		}
		lazy := consensus.AssembleBlock(b.Header, b.Txs)
		s.Give(lazy).Refused(consensus.ErrHighHash)
		if _, err := s.c.Info(lazy.Hash()); err == nil {
			t.Errorf("%v without work: the header is known", flaw.Kind)
		}
	}
}

// Coins are those of the branch: what was created or became old enough on another one, or in a block that was refused, is not there.
func TestStoryOfCoinsOfOtherBranches(t *testing.T) {
	t.Parallel()
	//   … - base109 - a1(x creates y) - a2
	//              \- b1 - b2(spends y)
	s := newStory(t)
	s.Blocks("base", 109)
	x := s.Coin(0)
	pay := chaintest.KeyFor(0).Pay([]consensus.Entry{x}, chaintest.KeyFor(0).Script(chaintest.P2WPKH), x.Coin.Value, 0)
	y := chaintest.Out(pay, 0)
	s.Block("a1", chaintest.Txs(pay)).Tip("a1")
	s.On("base109").Block("b1").Hidden("b2", chaintest.Spend(y)).Arrive("b2").Refused(consensus.ErrMissingInput).Tip("a1")
	s.On("a1").Block("a2", chaintest.Spend(y)).Tip("a2")

	// a coin of a block that is refused, in the same block's child
	s.On("a2").Hidden("bad", chaintest.Txs(pay)).Hidden("heir", chaintest.Spend(y)).Headers("bad", "heir")
	s.Arrive("heir").Arrive("bad").Refused(consensus.ErrMissingInput).Status("invalid", "heir").Tip("a2")

	// a coinbase is as old as it is on this branch
	young := chaintest.Out(s.Tree.At("base12").Block.Txs[0].Msg, 0)
	s.On("base109").Hidden("c1").Hidden("c2").Hidden("c3", chaintest.Spend(young)).Hidden("c4")
	s.Arrive("c1", "c2", "c3", "c4").Tip("c4")
	s.On("c1").Hidden("d2", chaintest.Spend(chaintest.Out(s.Tree.At("base12").Block.Txs[0].Msg, 0)))
	s.Arrive("d2").On("d2").Hidden("d3").Arrive("d3").Hidden("d4").Arrive("d4").Tip("c4")
	s.On("c1").Hidden("e2", chaintest.Spend(chaintest.Out(s.Tree.At("base13").Block.Txs[0].Msg, 0)))
	s.Hidden("e3").Hidden("e4").Hidden("e5").Headers("e2", "e3", "e4", "e5").Arrive("e3", "e4", "e5").Arrive("e2").Refused(consensus.ErrImmature).Tip("c4")
}

// Nobody can spend what is no coin: an output that says so, and one behind the last of a transaction.
func TestStoryOfOutputsThatAreNoCoins(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Blocks("base", 110)
	coin := s.Coin(0)
	pay := chaintest.KeyFor(0).Pay([]consensus.Entry{coin}, []byte{txscript.OP_RETURN}, btcutil.Amount(1000), 0)
	s.Block("a1", chaintest.Txs(pay)).Tip("a1")
	for _, index := range []uint32{0, 2} {
		none := chaintest.Out(pay, 1)
		none.OutPoint.Index = index
		s.Give(s.Tree.Build("a1", chaintest.Spend(none))).Refused(consensus.ErrMissingInput).Tip("a1")
	}
	s.On("a1").Block("a2", chaintest.Spend(chaintest.Out(pay, 1))).Tip("a2")
}

// A coinbase may be locked like any other transaction.
func TestStoryOfALockedCoinbase(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	lock := func(at uint32) chaintest.Mod {
		return chaintest.Coinbase(func(tx *wire.MsgTx) { tx.LockTime, tx.TxIn[0].Sequence = at, 0 })
	}
	s.Blocks("base", 10)
	s.Give(s.Tree.Build("base10", lock(11))).Refused(consensus.ErrNotFinal)
	s.Block("good", lock(10)).Tip("good")
}
