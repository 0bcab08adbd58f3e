package mempool

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

func scriptHash(redeem []byte) []byte {
	return ops(txscript.OP_HASH160, address.Hash160(redeem), txscript.OP_EQUAL)
}

func witnessScriptHash(script []byte) []byte {
	hash := sha256.Sum256(script)
	return ops(txscript.OP_0, hash[:])
}

// sigOps returns a script with n signature operations that leaves true.
func sigOps(n int) []byte {
	parts := []any{txscript.OP_TRUE, txscript.OP_FALSE, txscript.OP_IF}
	for range n {
		parts = append(parts, txscript.OP_CHECKSIG)
	}
	return ops(append(parts, txscript.OP_ENDIF)...)
}

func TestStandardInputs(t *testing.T) {
	redeem := func(n int) ([]byte, []byte) { s := sigOps(n); return scriptHash(s), ops(s) }
	good15, sig15 := redeem(15)
	evil16, sig16 := redeem(16)
	for _, c := range []struct {
		name        string
		script, sig []byte
		want        bool
	}{
		{"known", chaintest.KeyFor(0).Script(chaintest.P2PKH), nil, true},
		{"anyone can spend", []byte{txscript.OP_TRUE}, nil, false},
		{"later witness", ops(txscript.OP_2, make([]byte, 32)), nil, false},
		{"anchor", txscript.PayToAnchorScript, nil, true},
		{"15 sigops", good15, sig15, true},
		{"16 sigops", evil16, sig16, false},
		{"script hash without script", good15, nil, false},
		{"large multisig", bare(20), nil, true},
	} {
		tx := plain(sigScript(c.sig))
		coins := consensus.Coins{tx.Msg.TxIn[0].PreviousOutPoint: {PkScript: c.script}}
		if got := standardInputs(tx, coins); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func TestStandardWitnesses(t *testing.T) {
	wsh, tr := ops(txscript.OP_0, make([]byte, 32)), ops(txscript.OP_1, make([]byte, 32))
	items := func(n, size int, last ...[]byte) wire.TxWitness {
		var w wire.TxWitness
		for range n {
			w = append(w, make([]byte, size))
		}
		return append(w, last...)
	}
	tapscript, other, annex := []byte{0xc1, 1}, []byte{0xc2, 1}, []byte{annexTag}
	for _, c := range []struct {
		name       string
		script     []byte
		sig        []byte
		good, evil wire.TxWitness
	}{
		{"script of P2WSH", wsh, nil, items(0, 0, make([]byte, 3600)), items(0, 0, make([]byte, 3601))},
		{"items of P2WSH", wsh, nil, items(100, 1, []byte{1}), items(101, 1, []byte{1})},
		{"item of P2WSH", wsh, nil, items(1, 80, []byte{1}), items(1, 81, []byte{1})},
		{"P2WSH in P2SH", scriptHash(wsh), ops(wsh), items(1, 80, []byte{1}), items(1, 81, []byte{1})},
		{"item of tapscript", tr, nil, items(1, 80, []byte{1}, tapscript), items(1, 81, []byte{1}, tapscript)},
		{"item of another leaf", tr, nil, items(1, 81, []byte{1}, other), items(1, 81, []byte{1}, tapscript)},
		{"annex", tr, nil, items(1, 64), items(1, 64, annex)},
		{"no control block", tr, nil, items(1, 64), items(1, 64, nil)},
		{"Taproot in P2SH", scriptHash(tr), ops(tr), items(1, 81, []byte{1}, tapscript), nil},
		{"later program", ops(txscript.OP_2, make([]byte, 32)), nil, items(101, 81), nil},
		{"anchor", txscript.PayToAnchorScript, nil, nil, items(1, 1)},
		{"no program", chaintest.KeyFor(0).Script(chaintest.P2PKH), nil, nil, items(1, 1)},
		{"no program in P2SH", scriptHash([]byte{txscript.OP_TRUE}), ops([]byte{txscript.OP_TRUE}), nil, items(1, 1)},
		{"nothing in P2SH", scriptHash(wsh), nil, nil, items(1, 1)},
	} {
		for i, w := range []wire.TxWitness{c.good, c.evil} {
			tx := plain(sigScript(c.sig), func(m *wire.MsgTx) { m.TxIn[0].Witness = w })
			coins := consensus.Coins{tx.Msg.TxIn[0].PreviousOutPoint: {PkScript: c.script}}
			if got := standardWitnesses(tx, coins); w != nil && got != (i == 0) {
				t.Errorf("%s: %d items are standard: %v", c.name, len(w), got)
			}
		}
	}
}

// spend returns an unsigned transaction that spends a coin with the given scripts.
func (s *story) spend(coin consensus.Entry, sig []byte, witness ...[]byte) *wire.MsgTx {
	msg := s.unsigned(1, 10_000, coin)
	msg.TxIn[0].SignatureScript, msg.TxIn[0].Witness = sig, witness
	return msg
}

func TestInputsBeforeThePool(t *testing.T) {
	s := newStory(t)
	anyone := s.split(1, []byte{txscript.OP_TRUE})[0]
	s.refuse("bad-txns-nonstandard-inputs", s.spend(anyone, nil))

	script := []byte{txscript.OP_TRUE}
	wsh := s.split(2, witnessScriptHash(script))
	s.refuse("bad-witness-nonstandard", s.spend(wsh[0], nil, make([]byte, 81), script))
	s.accept(s.spend(wsh[0], nil, script))

	nop := ops(txscript.OP_NOP10, txscript.OP_TRUE) // a later soft fork may give it a meaning
	s.refuse("non-mandatory-script-verify-flag (NOPx reserved for soft-fork upgrades)",
		s.spend(s.split(1, witnessScriptHash(nop))[0], nil, nop))
	no := []byte{txscript.OP_FALSE}
	both := append(s.split(1, witnessScriptHash(nop)), s.split(1, witnessScriptHash(no))...)
	msg := s.unsigned(1, 10_000, both...) // the first input that fails decides
	msg.TxIn[0].Witness, msg.TxIn[1].Witness = wire.TxWitness{nop}, wire.TxWitness{no}
	s.refuse("non-mandatory-script-verify-flag (NOPx reserved for soft-fork upgrades)", msg)
	msg = s.unsigned(1, 10_000, both[1], both[0])
	msg.TxIn[0].Witness, msg.TxIn[1].Witness = wire.TxWitness{no}, wire.TxWitness{nop}
	s.refuse("mandatory-script-verify-flag-failed (Script evaluated without error but finished with a false/empty top stack element)", msg)
	s.refuse("mandatory-script-verify-flag-failed (Script evaluated without error but finished with a false/empty top stack element)",
		s.spend(s.split(1, witnessScriptHash(no))[0], nil, no))
}

// The pool asks for every soft fork before it is in force, as Core does: what it takes stays valid, and miners may have it.
func TestSoftForksHoldInThePoolFirst(t *testing.T) {
	p := consensus.Regtest()
	for _, name := range []string{"csv", "cltv", "dersig"} {
		if err := p.SetActivation(name, 1000); err != nil {
			t.Fatal(err)
		}
	}
	s := newStoryOn(t, p)
	early := s.coin()
	msg := s.unsigned(1, 1000, early)
	msg.TxIn[0].Sequence = matureHeight + 1
	s.key.Sign(msg, []consensus.Entry{early})
	s.refuse("non-BIP68-final", msg)
	s.mine(msg) // but a block may have it
	s.catchUp()

	script := ops(txscript.OP_16, txscript.OP_CHECKLOCKTIMEVERIFY)
	err := s.refuse("mandatory-script-verify-flag-failed (Locktime requirement not satisfied)", s.spend(s.split(1, witnessScriptHash(script))[0], nil, script))
	if !errors.Is(err, consensus.ErrScript) {
		t.Fatalf("got %v", err)
	}
}

func TestSigOpLimit(t *testing.T) {
	s := newStory(t)
	many := func(kind chaintest.Kind, fee btcutil.Amount) *wire.MsgTx {
		coin := s.split(1, s.key.Script(kind))[0]
		msg := wire.NewMsgTx(2)
		msg.AddTxIn(wire.NewTxIn(&coin.OutPoint, nil, nil))
		for range 200 {
			msg.AddTxOut(wire.NewTxOut(1000, bare(1))) // each counts as twenty, four times
		}
		msg.AddTxOut(wire.NewTxOut(int64(coin.Coin.Value-fee)-200_000, s.script()))
		s.key.Sign(msg, []consensus.Entry{coin})
		return msg
	}
	err := s.refuse("bad-txns-too-many-sigops", many(chaintest.P2WPKH, 100_000)) // one more in the witness
	if want := "bad-txns-too-many-sigops, 16001"; err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	s.refuse("min relay fee not met", many(chaintest.P2PKH, 79_999)) // twenty weight units for each
	if e := s.accept(many(chaintest.P2PKH, 80_000)); e.SigOpCost != 16_000 || e.VSize != 80_000 {
		t.Fatalf("cost %d, %d virtual bytes", e.SigOpCost, e.VSize)
	}
}

func TestLockTimes(t *testing.T) {
	s := newStory(t)
	tip := s.chain.Tip()
	lock := func(at uint32) *wire.MsgTx {
		coin := s.coin()
		msg := s.unsigned(1, 1000, coin)
		msg.LockTime, msg.TxIn[0].Sequence = at, wire.MaxTxInSequenceNum-1
		s.key.Sign(msg, []consensus.Entry{coin})
		return msg
	}
	s.accept(lock(uint32(tip.Height)))
	s.refuse("non-final", lock(uint32(tip.Height)+1))
	s.accept(lock(uint32(tip.MedianTime().Unix()) - 1))
	s.refuse("non-final", lock(uint32(tip.MedianTime().Unix())))
}

func TestRelativeLockTimes(t *testing.T) {
	s := newStory(t)
	lock := func(sequence uint32, coin consensus.Entry) *wire.MsgTx {
		msg := s.unsigned(1, 1000, coin)
		msg.TxIn[0].Sequence = sequence
		s.key.Sign(msg, []consensus.Entry{coin})
		return msg
	}
	coins := s.split(2, s.script())
	s.mine()
	s.refuse("non-BIP68-final", lock(3, coins[0]))
	s.accept(lock(2, coins[0])) // in a block two above

	parent := s.pay(1000, coins[1])
	s.accept(parent)
	s.refuse("non-BIP68-final", lock(1, chaintest.Out(parent, 0))) // its parent comes in the same block
	s.accept(lock(0, chaintest.Out(parent, 0)))

	first := s.split(1, s.script())[0]
	since := int64(first.Coin.MedianTime)
	for s.chain.Tip().MedianTime().Unix() < since+2*512 {
		s.mine()
	}
	units := uint32(s.chain.Tip().MedianTime().Unix()-since) / 512
	s.refuse("non-BIP68-final", lock(wire.SequenceLockTimeIsSeconds|(units+1), first))
	s.accept(lock(wire.SequenceLockTimeIsSeconds|units, first))
}
