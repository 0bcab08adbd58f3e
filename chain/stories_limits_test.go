package chain_test

import (
	"math"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// anyone is a script that everybody may spend with every witness: a witness version that has no rules yet.
var anyone = []byte{txscript.OP_2, txscript.OP_DATA_2, 0xab, 0xcd}

// heavy adds a transaction that pays a coin to anyone, and one that spends it with a witness that makes the block as heavy as that.
func heavy(coin consensus.Entry, weight int) chaintest.Mod {
	return func(d *chaintest.Draft) {
		fund := chaintest.KeyFor(0).Pay([]consensus.Entry{coin}, anyone, coin.Coin.Value, 0)
		spend := wire.NewMsgTx(2)
		op := chaintest.Out(fund, 0).OutPoint
		spend.AddTxIn(wire.NewTxIn(&op, nil, wire.TxWitness{make([]byte, 1<<17)})) // a length that takes five bytes
		spend.AddTxOut(wire.NewTxOut(int64(coin.Coin.Value), anyone))
		chaintest.Txs(fund, spend)(d)
		const commitment = 4*(8+1+38) + 2 + 1 + 1 + 32 // is not there yet: an output, and a witness of one item
		missing := weight - commitment - consensus.NewBlock(d.Msg).Weight()
		spend.TxIn[0].Witness[0] = make([]byte, 1<<17+missing)
	}
}

// sigOps adds outputs to the coinbase with this many signature operations, each of which costs four.
func sigOps(n int) chaintest.Mod {
	return chaintest.Coinbase(func(tx *wire.MsgTx) {
		for ; n > 0; n -= 5_000 {
			script := make([]byte, min(n, 5_000))
			for i := range script {
				script[i] = txscript.OP_CHECKSIG
			}
			tx.AddTxOut(wire.NewTxOut(0, script))
		}
	})
}

func TestStoryOfTheLargestBlocks(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Blocks("base", 110).Tip("base110")
	s.Give(s.Tree.Build("base110", heavy(s.Coin(0), consensus.MaxBlockWeight+1))).Refused(consensus.ErrBlockWeight)
	s.Block("heaviest", heavy(s.Coin(0), consensus.MaxBlockWeight)).Tip("heaviest")
	if w := s.Tree.At("heaviest").Block.Weight(); w != consensus.MaxBlockWeight {
		t.Errorf("weight %d", w)
	}

	s.Give(s.Tree.Build("heaviest", sigOps(20_001))).Refused(consensus.ErrBlockSigOps)
	s.Block("most sigops", sigOps(20_000)).Tip("most sigops")
	// a key's signature in a witness costs one: together with the others it is one too many, which shows only with the coins
	s.Give(s.Tree.Build("most sigops", sigOps(20_000), chaintest.Spend(s.Coin(0)))).Refused(consensus.ErrBlockSigOps).Tip("most sigops")
	four := chaintest.Spend(s.Coin(0), s.Coin(1), s.Coin(2), s.Coin(3))
	five := chaintest.Spend(s.Coin(0), s.Coin(1), s.Coin(2), s.Coin(3), s.Coin(4))
	s.Give(s.Tree.Build("most sigops", sigOps(19_999), five)).Refused(consensus.ErrBlockSigOps).Tip("most sigops")
	s.Block("of both kinds", sigOps(19_999), four).Tip("of both kinds")

	s.restart().Tip("of both kinds") // and back again, from what was stored
	s.Invalidate("heaviest").Tip("base110").Reconsider("heaviest").Tip("of both kinds")
}

func TestStoryOfTimestamps(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.Blocks("a", 20)
	median := s.Tree.At("a20").State.MedianTime()
	s.Give(s.Tree.Build("a20", chaintest.At(median))).Refused(consensus.ErrTimeTooOld)
	s.Block("least", chaintest.At(median.Add(time.Second))).Tip("least")

	s.Tree.Now = time.Unix(s.Tree.At("least").State.Header.Timestamp.Unix()+10_000_000, 0) // by the clock of this node
	s.Block("ahead", chaintest.At(s.Tree.Now.Add(2*time.Hour))).Tip("ahead")
	s.Hidden("too far", chaintest.At(s.Tree.Now.Add(2*time.Hour+time.Second))).Arrive("too far").Refused(consensus.ErrTimeTooNew)
	s.Headers("too far").Refused(consensus.ErrTimeTooNew).Tip("ahead")
	s.Tree.Now = s.Tree.Now.Add(time.Second) // it is not held against the block
	s.Arrive("too far").Tip("too far")

	// blocks that each go back as far as they may: the median comes along, one second a block
	last := "too far"
	for range 11 {
		floor := s.Tree.At(last).State.MedianTime()
		s.Give(s.Tree.Build(last, chaintest.At(floor))).Refused(consensus.ErrTimeTooOld)
		s.Block(last+"'", chaintest.At(floor.Add(time.Second)))
		last += "'"
	}
	s.Tip(last)
	s.On(last).Block("at the end of time", chaintest.At(time.Unix(math.MaxUint32, 0))).Refused(consensus.ErrTimeTooNew)
	s.Tree.Now = time.Unix(math.MaxUint32-7200, 0)
	s.Arrive("at the end of time").Tip("at the end of time")
}

// Coinbases that repeat an older one's id: refused while the older one has a coin left, allowed once it is spent, allowed in the blocks that are known for
// it, from which a reorganisation brings the older coin back. BIP34 ends it: its heights differ.
func TestStoryOfDuplicateCoinbases(t *testing.T) {
	t.Parallel()
	p := consensus.Regtest()
	p.BIP34Height, p.SegwitHeight = 1000, 1000
	p.RepeatedCoinbases = map[chainhash.Hash]int32{}
	s := storyOn(t, p)
	same := chaintest.Coinbase(func(tx *wire.MsgTx) {
		tx.TxIn[0].SignatureScript, tx.TxOut[0].PkScript = []byte{1, 2, 3}, chaintest.KeyFor(0).Script(chaintest.P2PKH)
	})
	s.Block("first", same).Block("a2").Tip("a2")
	s.Hidden("again", same).Arrive("again").Refused(consensus.ErrDuplicateTx).Tip("a2")
	s.Arrive("again").Refused(consensus.ErrKnownInvalid)

	s.On("a2").Hidden("known", chaintest.After(time.Second), same)
	p.RepeatedCoinbases[s.Tree.At("known").State.Hash] = 3
	s.Arrive("known").Tip("known").Block("a4").Tip("a4")
	s.restart().Tip("a4")
	s.On("a2").Block("b3").Block("b4").Tip("a4").Block("b5").Tip("b5") // the older coin is there again, with its own height
	op := wire.OutPoint{Hash: s.Tree.At("first").Block.Txs[0].TxID()}
	if coins, _, err := s.c.Coins([]wire.OutPoint{op}); err != nil || coins[op].Height != 1 {
		t.Errorf("after the reorganisation the coin is %+v, %v", coins[op], err)
	}
	s.restart().Tip("b5").Invalidate("b3").Tip("a4").Reconsider("b3").Tip("b5")

	s.On("b5").Blocks("c", 95).Tip("c95") // 100 blocks after the first
	s.Block("spent", chaintest.Spend(s.Coin(0)))
	if s.Tree.At("spent").Block.Txs[1].Msg.TxIn[0].PreviousOutPoint != op {
		t.Fatal("another coin was spent")
	}
	s.Block("once more", same).Tip("once more").Give(s.Tree.Build("once more", same)).Refused(consensus.ErrDuplicateTx)
	s.Invalidate("spent").Tip("c95").Reconsider("spent").Tip("once more")
}

// With BIP34 a coinbase that claims another height is refused. One that claimed a later height before the rule is still looked for.
func TestStoryOfHeightsInCoinbases(t *testing.T) {
	t.Parallel()
	p := consensus.Regtest()
	if err := p.SetActivation("bip34", 3); err != nil {
		t.Fatal(err)
	}
	s := storyOn(t, p)
	height := func(h int32) chaintest.Mod {
		return chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = append(consensus.HeightPush(h), 0) })
	}
	s.Block("a1", height(5)).Block("a2", height(3)).Tip("a2") // before the rule
	s.Give(s.Tree.Build("a2", height(2))).Refused(consensus.ErrCoinbaseHeight)
	s.Give(s.Tree.Build("a2", height(3))).Refused(consensus.ErrDuplicateTx) // the right height, which a2 has used already
	s.Give(s.Tree.Build("a2", height(4))).Refused(consensus.ErrCoinbaseHeight)
	s.Block("a3").Block("a4", height(4)).Tip("a4")
	s.Give(s.Tree.Build("a4", height(5))).Refused(consensus.ErrDuplicateTx) // a1's, behind the height of BIP34
	s.Block("a5").Tip("a5")
}
