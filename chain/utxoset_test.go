package chain

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/address"
	"groat/internal/chaintest"
	"groat/internal/ledger"
	"groat/internal/muhash"
)

// plainMuHash hashes the coins in whatever order they come.
func plainMuHash(coins consensus.Coins) chainhash.Hash {
	h := muhash.New()
	for op, c := range coins {
		h.Add(chaintest.CoinBytes(op, c))
	}
	return h.Hash()
}

// The coin set's sums and hashes, worked out in the plain way from the tree's own coins.
func TestUTXOSet(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 102)
	two := spend(s, "base102", 0)
	s.Block("base102", "a1", chaintest.Txs(two, spend(s, "base102", 1)))
	s.add("a1")
	coins := s.At("a1").Coins
	want := ledger.SetInfo{Tip: ledger.Ref{Hash: s.At("a1").State.Hash, Height: 103}, Coins: int64(len(coins)), Total: chaintest.SetSum(coins)}
	txs := make(map[chainhash.Hash]bool)
	for op, c := range coins {
		txs[op.Hash] = true
		want.BogoSize += int64(50 + len(c.PkScript))
	}
	want.Txs = int64(len(txs))
	for kind, hash := range map[ledger.SetHash]chainhash.Hash{
		ledger.NoHash: {}, ledger.HashSerialized: chaintest.SetHash(coins), ledger.MuHash: plainMuHash(coins),
	} {
		got, err := s.c.UTXOSet(context.Background(), kind)
		want.Hash, want.DiskBytes = hash, got.DiskBytes
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v\nwant %+v", kind, got, err, want)
		}
	}
	if _, err := s.c.UTXOSet(context.Background(), "md5"); err == nil {
		t.Error("there is a hash of no known kind")
	}
}

// A block changes the MuHash by its Delta, and undoing it changes it back: no coin set has to be read for that.
func TestMuHashFollowsTheBlocks(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	set := muhash.New()
	for op, c := range s.At("base101").Coins {
		set.Add(chaintest.CoinBytes(op, c))
	}
	r := rand.New(rand.NewPCG(1, 1))
	for k, name := range []string{"a1", "a2", "a3", "a4"} {
		parent := []string{"base101", "a1", "a2", "a3"}[k]
		s.Block(parent, name, chaintest.Txs(spend(s, parent, 0), spend(s, parent, 1+r.IntN(k+1))))
		s.add(name)
		spent, err := s.c.UndoOf(s.At(name).State.Hash)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range spent {
			set.Remove(chaintest.CoinBytes(e.OutPoint, e.Coin))
		}
		for op, c := range s.At(name).Coins {
			if c.Height == s.At(name).State.Height {
				set.Add(chaintest.CoinBytes(op, c))
			}
		}
		if got := s.muHash(); got != set.Hash() {
			t.Fatalf("%s: the MuHash is %v, followed block by block it is %v", name, got, set.Hash())
		}
	}
}

func (s *story) muHash() chainhash.Hash {
	s.t.Helper()
	info, err := s.c.UTXOSet(context.Background(), ledger.MuHash)
	if err != nil {
		s.t.Fatalf("coin set: %v", err)
	}
	return info.Hash
}

// TestCoresSetHashes rebuilds the chain of Bitcoin Core 28's test/functional/feature_utxo_set_hash.py, byte for byte where it counts, and wants the
// hashes that Core has for it.
func TestCoresSetHashes(t *testing.T) {
	const (
		hashSerialized = "d1c7fec1c0623f6793839878cbe2a531eb968b50b27edd6e2a57077a5aed6094"
		muHash         = "d1725b2fe3ef43e55aa4907480aea98d406fc9e0bf8f60169e2305f1fbf5961b"

		miniWallet = "bcrt1p9yfmy5h72durp7zrhlw9lf7jpwjgvwdg0jr0lqmmjtgg83266lqsekaqka"
		nodesKey   = "mjTkW3DjgyZck4KbiRusZsqTgaYTxdSz6z"
	)
	s := newStory(t)
	pays := func(to string) chaintest.Mod {
		script, err := address.Decode(s.Params, to)
		if err != nil {
			t.Fatal(err)
		}
		return chaintest.Coinbase(func(tx *wire.MsgTx) {
			height := tx.TxIn[0].SignatureScript[:len(tx.TxIn[0].SignatureScript)-5] // without chaintest's extra nonce
			tx.TxIn[0].SignatureScript = append(height, txscript.OP_0)
			tx.TxOut[0].PkScript = script
		})
	}
	first := s.Block("genesis", "1", pays(miniWallet))
	name := "1"
	for range 99 {
		next := name + "'"
		s.Block(name, next, pays(nodesKey))
		name = next
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: first.Block.Txs[0].TxID()}, nil, opTrue(t)))
	tx.TxIn[0].Sequence = 0
	fee := btcutil.Amount(math.Round(300_000 * 0.104)) // 0.003 per 1,000 vbytes
	tx.AddTxOut(wire.NewTxOut(int64(50*btcutil.SatoshiPerBitcoin-fee), first.Block.Txs[0].Msg.TxOut[0].PkScript))
	s.Block(name, "101", pays(miniWallet), chaintest.Txs(tx))
	for _, b := range s.Path("101") {
		s.addBlock(b)
	}
	s.tip("101")
	if got := s.hash().String(); got != hashSerialized {
		t.Errorf("hash_serialized_3 is %s", got)
	}
	if got := s.muHash().String(); got != muHash {
		t.Errorf("muhash is %s", got)
	}
}

// opTrue returns the witness of Core's MiniWallet: the script OP_TRUE as the only leaf below the internal key 1.
func opTrue(t *testing.T) wire.TxWitness {
	t.Helper()
	internal, err := schnorr.ParsePubKey(append(make([]byte, btcec.PrivKeyBytesLen-1), 1))
	if err != nil {
		t.Fatal(err)
	}
	leaf := txscript.NewBaseTapLeaf([]byte{txscript.OP_TRUE})
	root := leaf.TapHash()
	parity := txscript.ComputeTaprootOutputKey(internal, root[:]).SerializeCompressed()[0] & 1
	control := append([]byte{byte(leaf.LeafVersion) | parity}, schnorr.SerializePubKey(internal)...)
	return wire.TxWitness{leaf.Script, control}
}
