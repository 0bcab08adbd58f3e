package chain_test

import (
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// rule is a soft fork and what it forbids.
type rule struct {
	name    string // as in Bitcoin Core's -testactivationheight
	height  int32
	version int32 // of blocks that it retires, if any
	kind    consensus.Kind
	flaw    func(coin consensus.Entry) chaintest.Mod // spends a coin of script as the rule forbids, or breaks the block otherwise
	script  []byte
}

func rules() []rule {
	spend := func(change func(tx *wire.MsgTx)) func(consensus.Entry) chaintest.Mod {
		return func(coin consensus.Entry) chaintest.Mod {
			tx := wire.NewMsgTx(1)
			tx.AddTxIn(wire.NewTxIn(&coin.OutPoint, nil, nil))
			tx.AddTxOut(wire.NewTxOut(int64(coin.Coin.Value), anyone))
			change(tx)
			return chaintest.Txs(tx)
		}
	}
	nothing := func(*wire.MsgTx) {}
	pays := chaintest.KeyFor(0).Script(chaintest.P2PKH)
	return []rule{
		{"bip34", 112, 1, consensus.ErrCoinbaseHeight, func(consensus.Entry) chaintest.Mod {
			return chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = []byte{0, 1, 2} })
		}, pays},
		{"dersig", 114, 2, consensus.ErrScript, func(coin consensus.Entry) chaintest.Mod {
			return spend(func(tx *wire.MsgTx) { signLax(tx, coin) })(coin)
		}, pays},
		{"cltv", 116, 3, consensus.ErrScript, spend(nothing), []byte{txscript.OP_2, txscript.OP_CHECKLOCKTIMEVERIFY, txscript.OP_DROP, txscript.OP_1}},
		{"csv", 118, 0, consensus.ErrScript, spend(nothing), []byte{txscript.OP_2, txscript.OP_CHECKSEQUENCEVERIFY, txscript.OP_DROP, txscript.OP_1}},
		{"segwit", 120, 0, consensus.ErrScript, spend(func(tx *wire.MsgTx) { // a dummy that is not empty (BIP147)
			tx.TxIn[0].SignatureScript = []byte{txscript.OP_1}
		}), []byte{txscript.OP_0, txscript.OP_0, txscript.OP_CHECKMULTISIG}},
	}
}

// signLax signs with bytes behind the signature, which BIP66 forbids.
func signLax(tx *wire.MsgTx, coin consensus.Entry) {
	key := chaintest.KeyFor(0)
	key.Sign(tx, []consensus.Entry{coin})
	script := tx.TxIn[0].SignatureScript
	sig, rest := script[1:1+script[0]], script[1+script[0]:]
	lax := append(append([]byte{}, sig[:len(sig)-1]...), 1, 2, 3, byte(txscript.SigHashAll))
	tx.TxIn[0].SignatureScript = append(append([]byte{byte(len(lax))}, lax...), rest...)
}

// Each soft fork at a height of its own: what it forbids is valid in the last block before, and in no block from its height on.
func TestStoryOfActivationHeights(t *testing.T) {
	t.Parallel()
	p := consensus.Regtest()
	for _, r := range rules() {
		if err := p.SetActivation(r.name, r.height); err != nil {
			t.Fatal(err)
		}
	}
	s := storyOn(t, p)
	for _, r := range rules() { // a coin for the block that passes and one for that which does not
		s.Block(r.name, chaintest.Coinbase(func(tx *wire.MsgTx) {
			half := btcutil.Amount(tx.TxOut[0].Value / 2)
			tx.TxOut = []*wire.TxOut{wire.NewTxOut(int64(half), r.script), wire.NewTxOut(int64(half), r.script)}
		}))
	}
	s.Blocks("base", 105).Tip("base105")
	version := func(v int32) chaintest.Mod { return chaintest.Edit(func(m *wire.MsgBlock) { m.Header.Version = v }) }
	last := "base105"
	for _, r := range rules() {
		coins := s.Tree.At(r.name).Block.Txs[0].Msg
		for s.Tree.At(last).State.Height < r.height-2 {
			s.Block(last + "+")
			last += "+"
		}
		before := version(4)
		if r.version > 0 {
			before = version(r.version)
		}
		s.Block("before "+r.name, r.flaw(chaintest.Out(coins, 0)), before).Tip("before " + r.name)
		last = "before " + r.name
		s.Give(s.Tree.Build(last, r.flaw(chaintest.Out(coins, 1)))).Refused(r.kind).Tip(last)
		if r.version > 0 {
			s.Give(s.Tree.Build(last, version(r.version))).Refused(consensus.ErrVersion)
			s.Block("from "+r.name, version(r.version+1))
		} else {
			s.Block("from " + r.name)
		}
		last = "from " + r.name
		s.Tip(last)
	}
	if n := len(s.Tree.At("before segwit").Block.Txs[0].Msg.TxOut) + len(s.Tree.At(last).Block.Txs[0].Msg.TxOut); n != 3 {
		t.Errorf("%d outputs in the last coinbase without a commitment and the first with one", n)
	}
	s.Invalidate("before bip34").Tip("base105").Reconsider("before bip34").Tip(last)
	s.restart().Tip(last)
}
