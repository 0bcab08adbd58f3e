package consensus_test

import (
	"errors"
	"math"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

const (
	always = txscript.ScriptBip16 | txscript.ScriptVerifyWitness | txscript.ScriptVerifyTaproot
	der    = txscript.ScriptVerifyDERSignatures
	cltv   = txscript.ScriptVerifyCheckLockTimeVerify
	csv    = txscript.ScriptVerifyCheckSequenceVerify
	dummy  = txscript.ScriptStrictMultiSig
)

// after returns a place at height, with a header like the genesis'.
func after(p *consensus.Params, height int32) consensus.State {
	return consensus.Rebuild(p, height, consensus.Work{}, []wire.BlockHeader{p.Genesis.Header}, 0)
}

func TestScriptFlagsByHeight(t *testing.T) {
	for _, c := range []struct {
		network string
		height  int32 // of the block
		hash    string
		want    txscript.ScriptFlags
	}{
		{"bitcoin", 1, "", always},
		{"bitcoin", 363_724, "", always},
		{"bitcoin", 363_725, "", always | der},
		{"bitcoin", 388_380, "", always | der},
		{"bitcoin", 388_381, "", always | der | cltv},
		{"bitcoin", 419_327, "", always | der | cltv},
		{"bitcoin", 419_328, "", always | der | cltv | csv},
		{"bitcoin", 481_823, "", always | der | cltv | csv},
		{"bitcoin", 481_824, "", always | der | cltv | csv | dummy},
		{"bitcoin", 170_060, "00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22", 0},
		{"bitcoin", 692_261, "0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad", always&^txscript.ScriptVerifyTaproot | der | cltv | csv | dummy},
		{"regtest", 1, "", always | der | cltv | csv | dummy},
		{"main", 1, "", always | der | cltv | csv | dummy},
		{"testnet", 1, "", always | der | cltv | csv | dummy},
	} {
		p, err := consensus.ByName(c.network)
		if err != nil {
			t.Fatal(err)
		}
		var hash chainhash.Hash
		if err := chainhash.Decode(&hash, c.hash); err != nil {
			t.Fatal(err)
		}
		if got := consensus.NextFlags(after(p, c.height-1), hash); got != c.want {
			t.Errorf("%s, block %d: flags %x, want %x", c.network, c.height, got, c.want)
		}
	}
}

func TestActivationHeightsCanBeMoved(t *testing.T) {
	for name, flag := range map[string]txscript.ScriptFlags{"dersig": der, "cltv": cltv, "csv": csv, "segwit": dummy} {
		p := consensus.Regtest()
		if err := p.SetActivation(name, 50); err != nil {
			t.Fatal(err)
		}
		before, from := consensus.NextFlags(after(p, 48), chainhash.Hash{}), consensus.NextFlags(after(p, 49), chainhash.Hash{})
		if before&flag != 0 || from&flag == 0 || before|flag != from {
			t.Errorf("%s: flags %x before and %x from its height on", name, before, from)
		}
	}
	if err := consensus.Regtest().SetActivation("taproot", 50); err == nil {
		t.Error("a rule without a height was moved")
	}
	for _, height := range []int32{-1, math.MaxInt32} {
		if err := consensus.Regtest().SetActivation("csv", height); err == nil {
			t.Errorf("the height %d was taken", height)
		}
	}
	if err := consensus.Main().SetActivation("csv", 50); err == nil {
		t.Error("a rule of the main network was moved")
	}
}

// TestBeforeTheRule builds at the last block before each rule what the rule refuses from the next on.
func TestBeforeTheRule(t *testing.T) {
	for name, c := range map[string]struct {
		broken func(g story) []chaintest.Mod
		want   consensus.Kind
	}{
		"bip34": {func(story) []chaintest.Mod {
			return []chaintest.Mod{chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = []byte{0, 1, 2} })}
		}, consensus.ErrCoinbaseHeight},
		"csv": {func(g story) []chaintest.Mod {
			tx := g.pay(btc, 0, g.coin(0))
			tx.TxIn[0].Sequence = 50_000
			g.key.Sign(tx, []consensus.Entry{g.coin(0)})
			return []chaintest.Mod{chaintest.Txs(tx)}
		}, consensus.ErrSequenceLocks},
		"segwit": {func(story) []chaintest.Mod { // a wrong commitment says nothing yet
			return []chaintest.Mod{chaintest.NoCommitment, chaintest.Coinbase(func(tx *wire.MsgTx) {
				tx.AddTxOut(wire.NewTxOut(0, consensus.CommitmentScript([32]byte{1})))
			})}
		}, consensus.ErrWitnessNonce},
	} {
		for _, height := range []int32{112, 111} {
			p := consensus.Regtest()
			if err := p.SetActivation(name, height); err != nil {
				t.Fatal(err)
			}
			g := story{chaintest.New(t, p), t, chaintest.KeyFor(0)}
			g.Grow(chaintest.Root, "b", 110)
			b := g.on(c.broken(g)...)
			_, err := judge(g.At("b110"), b)
			if height == 112 && err != nil || height == 111 && !errors.Is(err, c.want) {
				t.Errorf("block 111, %s from %d: %v", name, height, err)
			}
		}
	}
}

// TestWitnessBeforeSegwit: before BIP141 no block may have a witness, whatever its coinbase says.
func TestWitnessBeforeSegwit(t *testing.T) {
	for height, want := range map[int32]error{111: nil, 112: consensus.ErrUnexpectedWitness} {
		p := consensus.Regtest()
		p.SegwitHeight = height
		g := story{chaintest.New(t, p), t, chaintest.KeyFor(0)}
		g.Grow(chaintest.Root, "b", 110)
		b := g.on(chaintest.Txs(g.pay(btc, 0, g.coin(0))))
		if height == 112 {
			msg := b.Msg()
			msg.Transactions[0].TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
			b = consensus.NewBlock(msg)
		}
		if _, err := judge(g.At("b110"), b); !errors.Is(err, want) {
			t.Errorf("block 111, segwit from %d: got %v, want %v", height, err, want)
		}
	}
}
