package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
)

func TestFirstSeenWinsEqualWork(t *testing.T) {
	//   genesis - a1 - a2
	//          \- b1 - b2 - b3
	s := newStory(t)
	s.grow("genesis", "a", 2).grow("genesis", "b", 3)
	s.add("a1", "a2").tip("a2")
	s.add("b1", "b2").tip("a2") // equal work: first seen stays
	s.reopen().tip("a2")        // and is remembered
	s.kill().tip("a2")
	s.add("b3").tip("b3")
	if got, _ := s.c.AtHeight(2); got != s.At("b2").State.Hash {
		t.Errorf("block 2 is %v", got)
	}
}

// What counts is when all of a chain was here, not its last block.
func TestFirstCompleteWinsEqualWork(t *testing.T) {
	s := newStory(t)
	s.grow("genesis", "a", 2).grow("genesis", "b", 2)
	s.headers("a1", "a2").add("a2", "b1", "b2").tip("b2")
	s.add("a1").tip("b2")
	s.kill().tip("b2")
}

func TestOutOfOrder(t *testing.T) {
	s := newStory(t)
	s.grow("genesis", "a", 6)
	s.refused(s.At("a2").Block, consensus.ErrPrevUnknown)
	s.headers("a1", "a2", "a3", "a4", "a5", "a6")
	if got := s.c.BestHeader(); got != s.At("a6").State {
		t.Fatalf("best header at %d", got.Height)
	}
	s.add("a5", "a3", "a2").tip("genesis")
	var wanted []int32
	for _, ref := range s.c.Wanted(10) {
		wanted = append(wanted, ref.Height)
	}
	if !slices.Equal(wanted, []int32{1, 4, 6}) {
		t.Fatalf("wanted: %v", wanted)
	}
	if got := s.c.Wanted(1); len(got) != 1 || got[0].Height != 1 {
		t.Fatalf("wanted, at most one: %v", got)
	}
	s.add("a1").tip("a3")
	s.add("a6").tip("a3").add("a4").tip("a6")
}

// Blocks that were stored before their parents are found again after a kill, with the headers that went with it.
func TestOutOfOrderKilled(t *testing.T) {
	s := newStory(t)
	s.grow("genesis", "a", 6)
	s.headers("a1", "a2", "a3", "a4", "a5", "a6")
	s.add("a5", "a3", "a2", "a1", "a4").tip("a5")
	s.kill().tip("a5")
	s.add("a6").tip("a6")
}

func TestDuplicates(t *testing.T) {
	s := newStory(t)
	s.grow("genesis", "a", 1).add("a1")
	added, err := s.c.AddBlock(context.Background(), s.At("a1").Block)
	if err != nil || !added.Known || !added.Active {
		t.Fatalf("again: %+v, %v", added, err)
	}
	added, err = s.c.AddBlock(context.Background(), s.At("genesis").Block)
	if err != nil || !added.Known {
		t.Fatalf("genesis: %+v, %v", added, err)
	}
}

// spend returns a payment of a coin that key 0 has at the named block, back to itself.
func spend(s *story, at string, k int) *wire.MsgTx {
	s.t.Helper()
	key := chaintest.KeyFor(0)
	coins := s.Tree.At(at).Mature(key)
	if len(coins) <= k {
		s.t.Fatalf("%s has %d mature coins", at, len(coins))
	}
	return key.Pay(coins[k:k+1], key.Script(chaintest.P2TR), 1_0000_0000, 1000)
}

func TestDoubleSpendAcrossReorg(t *testing.T) {
	//   … - base - a1(spend x)
	//          \ - b1 - b2(spend x) - b3(spend x): refused
	s := newStory(t).chain("genesis", "base", 101)
	x, again := spend(s, "base101", 0), spend(s, "base101", 0)
	again.TxOut[0].Value--
	chaintest.KeyFor(0).Sign(again, s.Tree.At("base101").Mature(chaintest.KeyFor(0))[:1])
	s.Block("base101", "a1", chaintest.Txs(x))
	s.Block("base101", "b1")
	s.Block("b1", "b2", chaintest.Txs(again))
	s.add("a1").tip("a1").add("b1").tip("a1").add("b2").tip("b2")
	s.refused(s.Build("b2", chaintest.Txs(x)), consensus.ErrMissingInput).tip("b2")
}

// A block that repeats a transaction spends what is spent, but while something is left of what the transaction made, repeating it is what is
// wrong (BIP30), whatever else is.
func TestRepeatedTransaction(t *testing.T) {
	//   … - base - a1(x) - a2 - a3(spends all of x)
	s := newStory(t).chain("genesis", "base", 101)
	x := spend(s, "base101", 0)
	again, greedy := chaintest.Txs(x), chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value++ })
	s.Block("base101", "a1", again)
	s.Block("a1", "a2")
	s.Block("a2", "a3", chaintest.Spend(chaintest.Out(x, 0), chaintest.Out(x, 1)))
	s.add("a1", "a2").refused(s.Build("a2", again), consensus.ErrDuplicateTx)
	s.refused(s.Build("a2", again, greedy), consensus.ErrDuplicateTx).refused(s.Build("a2", greedy), consensus.ErrCoinbaseValue)
	s.add("a3").refused(s.Build("a3", again), consensus.ErrMissingInput).tip("a3")
}

func TestInvalidBlocksChangeNothing(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	good := spend(s, "base101", 0)
	badSig := good.Copy()
	badSig.TxIn[0].Witness[0][10] ^= 1
	immature := spend(s, "base101", 0)
	immature.TxIn[0].PreviousOutPoint = wire.OutPoint{Hash: s.At("base50").Block.Txs[0].TxID()}
	overspend := good.Copy()
	overspend.TxOut[0].Value = 51_0000_0000

	for name, c := range map[string]struct {
		mod  chaintest.Mod
		kind consensus.Kind
	}{
		"bad signature": {chaintest.Txs(badSig), consensus.ErrScript},
		"immature":      {chaintest.Txs(immature), consensus.ErrImmature},
		"overspend":     {chaintest.Txs(overspend), consensus.ErrOverspend},
		"twice":         {chaintest.Txs(good, good.Copy()), consensus.ErrMissingInput},
	} {
		b := s.Build("base101", c.mod)
		if name == "twice" {
			other := good.Copy()
			other.TxOut[0].Value--
			chaintest.KeyFor(0).Sign(other, s.Tree.At("base101").Mature(chaintest.KeyFor(0))[:1])
			b = s.Build("base101", chaintest.Txs(good, other))
		}
		s.refused(b, c.kind).tip("base101")
		s.refused(b, consensus.ErrKnownInvalid)
		s.reopen().tip("base101")
		s.refused(b, consensus.ErrKnownInvalid)
		child := wire.NewMsgBlock(&wire.BlockHeader{PrevBlock: b.Hash(), Bits: b.Header.Bits, Version: 4, Timestamp: b.Header.Timestamp})
		for consensus.CheckWork(s.Params, &child.Header) != nil {
			child.Header.Nonce++
		}
		_, err := s.c.AddHeaders(context.Background(), []wire.BlockHeader{child.Header})
		if !errors.Is(err, consensus.ErrPrevInvalid) {
			t.Errorf("%s: a header on it: %v", name, err)
		}
	}
}

// A mutated copy must not condemn the block (CVE-2012-2459 and its like).
func TestMutatedCopyDoesNotPoison(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	good := s.Block("base101", "good", chaintest.Txs(spend(s, "base101", 0), spend(s, "base101", 1))).Block
	msg := func() *wire.MsgBlock { return good.Msg() }

	twice := msg()
	twice.Transactions = append(twice.Transactions, twice.Transactions[2])
	other := msg()
	tx := other.Transactions[1].Copy()
	tx.TxIn[0].Witness[0][10] ^= 1
	other.Transactions[1] = tx
	none := msg()
	cb := none.Transactions[0].Copy()
	cb.TxIn[0].Witness = nil
	none.Transactions[0] = cb

	for _, headerFirst := range []bool{false, true} {
		if headerFirst {
			s.headers("good")
		}
		s.refused(consensus.NewBlock(twice), consensus.ErrDuplicateTxs)
		s.refused(consensus.NewBlock(other), consensus.ErrWitnessCommitment)
		s.refused(consensus.NewBlock(none), consensus.ErrWitnessNonce)
	}
	s.add("good").tip("good")
}

func TestDeepReorg(t *testing.T) {
	s := newStory(t)
	s.o.FlushEvery = 50
	s.reopen()
	s.chain("genesis", "base", 101)
	s.Block("base101", "a1", chaintest.Txs(spend(s, "base101", 0)))
	s.add("a1").chain("a1", "x", 199).tip("x199")
	before := s.hash()
	s.grow("base101", "b", 201)
	for i := 1; i <= 200; i++ {
		s.addBlock(s.Path("b201")[100+i])
	}
	s.tip("x199").add("b201").tip("b201")
	s.kill().tip("b201")
	if s.hash() == before {
		t.Fatal("the coin set has not changed")
	}
	s.do(s.c.Invalidate, "b1").tip("x199")
	if s.hash() != before {
		t.Fatal("the coin set is not what it was")
	}
}

func TestReorgFailsHalfWay(t *testing.T) {
	//   … - base - a1 - a2 - a3
	//          \ - b1 - b2 - bad - b4 - b5
	s := newStory(t).chain("genesis", "base", 101)
	s.chain("base101", "a", 3)
	want := s.hash()
	s.Block("base101", "b1", chaintest.Txs(spend(s, "base101", 0)))
	s.Block("b1", "b2")
	// Its own tree does not judge: it takes the block for valid and builds on.
	bad := s.Block("b2", "bad", chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value++ })).Block
	s.Block("bad", "b4")
	s.Block("b4", "b5")
	s.add("b1", "b2").tip("a3")
	s.headers("bad", "b4", "b5").add("bad", "b5").tip("a3") // bad is equal in work: nobody looks yet
	s.refused(s.At("b4").Block, consensus.ErrPrevInvalid)
	s.tip("a3")
	if got := s.hash(); got != want {
		t.Fatalf("the coin set is %v, was %v", got, want)
	}
	s.refused(bad, consensus.ErrKnownInvalid)
	for name, status := range map[string]ledger.Status{
		"a3": ledger.Active, "b2": ledger.ValidFork, "bad": ledger.Invalid, "b4": ledger.Invalid, "b5": ledger.Invalid,
	} {
		if info, err := s.c.Info(s.At(name).State.Hash); err != nil || info.Status != status {
			t.Errorf("%s is %v, %v; want %v", name, info.Status, err, status)
		}
	}
	if got := s.c.BestHeader(); got.Hash != s.At("a3").State.Hash {
		t.Errorf("the best header is at %d", got.Height)
	}
	s.kill().tip("a3")
	s.chain("b2", "c", 2).tip("c2") // the good part of the branch can be built upon
}

func TestInvalidateAndReconsider(t *testing.T) {
	//   … - a1 - a2 - a3
	//     \ - b1 - b2
	s := newStory(t)
	s.chain("genesis", "a", 3).chain("genesis", "b", 2).tip("a3")
	s.do(s.c.Invalidate, "a2").tip("b2")
	s.refused(s.At("a2").Block, consensus.ErrMarkedInvalid)
	s.kill().tip("b2") // the mark lasts
	s.refused(s.At("a3").Block, consensus.ErrPrevInvalid)
	s.do(s.c.Invalidate, "b1").tip("a1")
	s.do(s.c.Reconsider, "a3").tip("a3") // frees its ancestors too
	s.do(s.c.Reconsider, "b1").tip("a3")
	s.chain("b2", "d", 2).tip("d2")
	if err := s.c.Invalidate(context.Background(), s.Params.GenesisHash); !errors.Is(err, ErrGenesis) {
		t.Errorf("genesis: %v", err)
	}
	if err := s.c.Reconsider(context.Background(), [32]byte{1}); !errors.Is(err, ledger.ErrUnknownBlock) {
		t.Errorf("unknown: %v", err)
	}
}

// A block that is invalid by itself is found so again.
func TestReconsiderDoesNotMakeValid(t *testing.T) {
	s := newStory(t).chain("genesis", "a", 1)
	bad := s.Block("a1", "bad", chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value++ })).Block
	s.refused(bad, consensus.ErrCoinbaseValue).tip("a1")
	s.do(s.c.Reconsider, "bad").tip("a1")
	s.refused(bad, consensus.ErrKnownInvalid)
}

func TestPrecious(t *testing.T) {
	s := newStory(t)
	s.chain("genesis", "a", 2).chain("genesis", "b", 2).chain("genesis", "c", 1).tip("a2")
	s.do(s.c.Precious, "b2").tip("b2")
	s.do(s.c.Precious, "a2").tip("a2")
	s.do(s.c.Precious, "c1").tip("a2") // less work
	s.do(s.c.Precious, "b2").tip("b2").kill().tip("b2")
}

func TestHeaderTimeIsNotHeldAgainstIt(t *testing.T) {
	s := newStory(t)
	s.grow("genesis", "a", 1)
	late := s.Block("a1", "late", chaintest.Edit(func(b *wire.MsgBlock) { b.Header.Timestamp = s.Now.Add(3 * 3600e9).Truncate(1e9) })).Block
	s.add("a1").refused(late, consensus.ErrTimeTooNew)
	s.Now = s.Now.Add(2 * 3600e9)
	s.add("late").tip("late")
}

func TestContextEndsConnecting(t *testing.T) {
	s := newStory(t)
	s.grow("genesis", "a", 2)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.c.AddBlock(ctx, s.At("a1").Block); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	s.add("a2").tip("a2") // it was stored, and is connected with the next
}

// Headers without blocks on one side; the blocks of the other side are still wanted.
func TestWantedAside(t *testing.T) {
	//   genesis - a1 - a2 - b3 - b4 - b5 - b6   headers only
	//                    \- c3 - c4 - c5
	s := newStory(t)
	s.grow("genesis", "a", 2)
	s.add("a1", "a2").tip("a2")
	for _, side := range []string{"b", "c"} {
		parent := "a2"
		for i := 3; i <= 6; i++ {
			name := fmt.Sprint(side, i)
			s.Block(parent, name)
			parent = name
		}
	}
	s.headers("b3", "b4", "b5", "b6", "c3", "c4", "c5")
	want := func(name string, fork int32, heights ...int32) {
		t.Helper()
		got, refs := s.c.WantedAside(s.At(name).State.Hash, 10)
		var at []int32
		for _, ref := range refs {
			at = append(at, ref.Height)
		}
		if got != fork || !slices.Equal(at, heights) {
			t.Errorf("%s: fork at %d, wants %v", name, got, at)
		}
	}
	want("c5", 2, 3, 4, 5)
	want("b5", -1) // on the way to the best header
	want("a2", -1)
	want("c6", -1) // unknown
	s.add("c4")
	want("c5", 2, 3, 5)
	s.add("c3").tip("c4")
	want("c5", 2, 5)
	want("c4", -1)
}
