package mempool

import (
	"bytes"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// ops makes a script of opcodes (byte or int) and pushes ([]byte).
func ops(parts ...any) []byte {
	b := txscript.NewScriptBuilder()
	for _, part := range parts {
		switch v := part.(type) {
		case int:
			b.AddOp(byte(v))
		case []byte:
			b.AddFullData(v)
		}
	}
	script, err := b.Script()
	if err != nil {
		panic(err) // the test is wrong
	}
	return script
}

// bare returns a multisig script that asks for one of n keys.
func bare(n int) []byte {
	key := chaintest.KeyFor(1).Private().PubKey().SerializeCompressed()
	parts := []any{txscript.OP_1}
	for range n {
		parts = append(parts, key)
	}
	count := any(txscript.OP_1 - 1 + n)
	if n > 16 {
		count = []byte{byte(n)}
	}
	return ops(append(parts, count, txscript.OP_CHECKMULTISIG)...)
}

// plain returns a transaction that policy wants, by itself.
func plain(changes ...func(*wire.MsgTx)) *consensus.Tx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, nil, nil))
	msg.AddTxOut(wire.NewTxOut(100_000, chaintest.KeyFor(0).Script(chaintest.P2WPKH)))
	for _, change := range changes {
		change(msg)
	}
	return consensus.NewTx(msg)
}

func sigScript(script []byte) func(*wire.MsgTx) {
	return func(m *wire.MsgTx) { m.TxIn[0].SignatureScript = script }
}

func output(value int64, script []byte) func(*wire.MsgTx) {
	return func(m *wire.MsgTx) { m.TxOut = []*wire.TxOut{wire.NewTxOut(value, script)} }
}

func alsoOutput(script []byte) func(*wire.MsgTx) {
	return func(m *wire.MsgTx) { m.AddTxOut(wire.NewTxOut(100_000, script)) }
}

func version(v int32) func(*wire.MsgTx) { return func(m *wire.MsgTx) { m.Version = v } }

// weight pads the witness until the transaction has the given weight.
func weight(w int) func(*wire.MsgTx) {
	return func(m *wire.MsgTx) {
		m.TxIn[0].Witness = wire.TxWitness{make([]byte, 70_000)} // five bytes for its length
		rest := w - consensus.NewTx(m).Weight()
		m.TxIn[0].Witness[0] = make([]byte, 70_000+rest)
	}
}

func coinbase(m *wire.MsgTx) {
	m.TxIn[0].PreviousOutPoint = wire.OutPoint{Index: 0xffffffff}
	m.TxIn[0].SignatureScript = []byte{1, 2}
}

func TestStandardTransactions(t *testing.T) {
	data := func(n int) []byte { return ops(txscript.OP_RETURN, make([]byte, n)) } // n of 76 to 255: three bytes before it
	pushes := func(n int) []byte {                                                 // n of 1569 + 3 to 255
		long := make([]byte, 520)
		return ops(long, long, long, make([]byte, n-3*523-2))
	}
	for _, c := range []struct {
		reason     string
		good, evil *consensus.Tx
	}{
		{"coinbase", plain(), plain(coinbase)},
		{"version", plain(version(1)), plain(version(0))},
		{"version", plain(version(3)), plain(version(4))},
		{"version", plain(), plain(version(-1))},
		{"tx-size", plain(weight(400_000)), plain(weight(400_001))},
		{"scriptsig-size", plain(sigScript(pushes(1650))), plain(sigScript(pushes(1651)))},
		{"scriptsig-not-pushonly", plain(sigScript([]byte{txscript.OP_16})), plain(sigScript([]byte{txscript.OP_NOP}))},
		{"scriptsig-not-pushonly", plain(sigScript([]byte{1, 0})), plain(sigScript([]byte{1}))},
		{"scriptpubkey", plain(alsoOutput(data(80))), plain(alsoOutput(data(81)))},
		{"scriptpubkey", plain(alsoOutput([]byte{txscript.OP_RETURN})), plain(alsoOutput([]byte{txscript.OP_RETURN, txscript.OP_NOP}))},
		{"scriptpubkey", plain(alsoOutput(bare(3))), plain(alsoOutput(bare(4)))},
		{"scriptpubkey", plain(alsoOutput(ops(txscript.OP_2, make([]byte, 32)))), plain(alsoOutput([]byte{txscript.OP_TRUE}))},
		{"scriptpubkey", plain(alsoOutput(ops(txscript.OP_0, make([]byte, 32)))), plain(alsoOutput(ops(txscript.OP_0, make([]byte, 31))))},
		{"scriptpubkey", plain(alsoOutput(ops(txscript.OP_16, make([]byte, 40)))), plain(alsoOutput(ops(txscript.OP_16, make([]byte, 41))))},
		{"multi-op-return", plain(alsoOutput(data(80))), plain(alsoOutput(data(80)), alsoOutput(data(1)))},
		{"tx-size-small", plain(output(243, []byte{txscript.OP_1, 3, 1, 2, 3})), plain(output(240, txscript.PayToAnchorScript))},
	} {
		if err := DefaultPolicy().checkAlone(c.good); err != nil {
			t.Errorf("%s: the good one is refused: %v", c.reason, err)
		}
		wantReason(t, c.reason, DefaultPolicy().checkAlone(c.evil))
	}
	if n := baseSize(plain(output(240, txscript.PayToAnchorScript))); n != 64 {
		t.Errorf("the small one has %d bytes, want 64", n)
	}
}

func wantReason(t *testing.T, reason string, err error) {
	t.Helper()
	var policy PolicyError
	if !errors.As(err, &policy) || policy.Reason != reason {
		t.Errorf("got %v, want %s", err, reason)
	}
}

func TestPolicyIsAChoice(t *testing.T) {
	tx := plain(alsoOutput(bare(1)))
	p := DefaultPolicy()
	if err := p.checkAlone(tx); err != nil {
		t.Error(err)
	}
	p.BareMultisig = false
	wantReason(t, "bare-multisig", p.checkAlone(tx))

	tx = plain(alsoOutput([]byte{txscript.OP_RETURN}))
	p.DataCarrierBytes = 1
	if err := p.checkAlone(tx); err != nil {
		t.Error(err)
	}
	p.DataCarrierBytes = 0
	wantReason(t, "scriptpubkey", p.checkAlone(tx))
}

func TestDust(t *testing.T) {
	hash20, hash32 := make([]byte, 20), make([]byte, 32)
	for _, c := range []struct {
		name   string
		script []byte
		least  int64
	}{
		{"P2PKH", ops(txscript.OP_DUP, txscript.OP_HASH160, hash20, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG), 546},
		{"P2SH", ops(txscript.OP_HASH160, hash20, txscript.OP_EQUAL), 540},
		{"P2WPKH", ops(txscript.OP_0, hash20), 294},
		{"P2WSH", ops(txscript.OP_0, hash32), 330},
		{"P2TR", ops(txscript.OP_1, hash32), 330},
		{"P2A", txscript.PayToAnchorScript, 240},
		{"P2PK", ops(chaintest.KeyFor(0).Private().PubKey().SerializeCompressed(), txscript.OP_CHECKSIG), 576},
		{"multisig", bare(1), 582},
	} {
		second := func(value int64) *consensus.Tx {
			return plain(func(m *wire.MsgTx) { m.AddTxOut(wire.NewTxOut(value, c.script)) })
		}
		if err := DefaultPolicy().checkAlone(second(c.least)); err != nil {
			t.Errorf("%s of %d: %v", c.name, c.least, err)
		}
		wantReason(t, "dust", DefaultPolicy().checkAlone(second(c.least-1)))
	}
	if err := DefaultPolicy().checkAlone(plain(func(m *wire.MsgTx) { m.AddTxOut(wire.NewTxOut(0, ops(txscript.OP_RETURN, hash32))) })); err != nil {
		t.Errorf("data is never dust: %v", err)
	}
}

func TestForms(t *testing.T) {
	key := chaintest.KeyFor(1).Private().PubKey()
	short, long := key.SerializeCompressed(), key.SerializeUncompressed()
	for _, c := range []struct {
		script []byte
		want   form
	}{
		{nil, formOther},
		{ops(short, txscript.OP_CHECKSIG), formSimple},
		{ops(long, txscript.OP_CHECKSIG), formSimple},
		{ops(short[:32], txscript.OP_CHECKSIG), formOther},
		{bare(1), formMultisig},
		{bare(16), formMultisig},
		{bare(17), formMultisig},
		{bare(20), formMultisig},
		{bare(21), formOther},
		{ops(txscript.OP_2, short, txscript.OP_1, txscript.OP_CHECKMULTISIG), formOther},
		{ops(txscript.OP_0, short, txscript.OP_1, txscript.OP_CHECKMULTISIG), formOther},
		{ops(txscript.OP_1, short, txscript.OP_2, txscript.OP_CHECKMULTISIG), formOther},
		{ops(txscript.OP_1, short, txscript.OP_1, txscript.OP_CHECKMULTISIG, txscript.OP_NOP), formOther},
		{ops(txscript.OP_1, short, txscript.OP_1, txscript.OP_NOP, txscript.OP_CHECKMULTISIG), formOther},
		{ops(txscript.OP_1, bytes.Repeat([]byte{9}, 33), txscript.OP_1, txscript.OP_CHECKMULTISIG), formOther},
		{[]byte{txscript.OP_CHECKMULTISIG}, formOther},
		{ops(txscript.OP_RETURN, txscript.OP_1, short), formData},
		{[]byte{txscript.OP_RETURN, 5, 1}, formOther},
		{ops(txscript.OP_HASH160, short[:20], txscript.OP_EQUAL), formScriptHash},
		{ops(txscript.OP_1, short[:2]), formFuture},
		{txscript.PayToAnchorScript, formSimple},
	} {
		if got := formOf(c.script); got != c.want {
			t.Errorf("%x has form %d, want %d", c.script, got, c.want)
		}
	}
}

func TestLastPush(t *testing.T) {
	for _, c := range []struct {
		script, want []byte
		ok           bool
	}{
		{nil, nil, false},
		{[]byte{txscript.OP_0}, nil, true},
		{[]byte{txscript.OP_1NEGATE}, []byte{0x81}, true},
		{[]byte{txscript.OP_3}, []byte{3}, true},
		{[]byte{txscript.OP_3, 2, 7, 8}, []byte{7, 8}, true},
		{[]byte{2, 7, 8, txscript.OP_RESERVED}, nil, false},
		{[]byte{txscript.OP_RESERVED, 2, 7, 8}, nil, false},
		{ops(make([]byte, 520)), make([]byte, 520), true},
		{ops(make([]byte, 521)), nil, false},
		{ops(make([]byte, 521), txscript.OP_1), nil, false},
		{bytes.Repeat([]byte{txscript.OP_2}, 1000), []byte{2}, true},
		{bytes.Repeat([]byte{txscript.OP_2}, 1001), nil, false},
		{[]byte{txscript.OP_DUP}, nil, false},
		{[]byte{2, 7}, nil, false},
	} {
		got, ok := lastPush(c.script)
		if ok != c.ok || !bytes.Equal(got, c.want) {
			t.Errorf("%x leaves %x, %v, want %x, %v", c.script, got, ok, c.want, c.ok)
		}
	}
}

func TestPolicyCheck(t *testing.T) {
	if err := DefaultPolicy().Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Policy){
		"memory": func(p *Policy) { p.MaxBytes = minMaxBytes - 1 },
		"fees":   func(p *Policy) { p.MinRelayFee = -1 },
		"expiry": func(p *Policy) { p.Expiry = 0 },
		"counts": func(p *Policy) { p.AncestorCount = 0 },
	} {
		p := DefaultPolicy()
		change(&p)
		if p.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzScripts feeds scripts to what reads them before anything else has.
func FuzzScripts(f *testing.F) {
	for _, seed := range [][]byte{bare(3), txscript.PayToAnchorScript, {txscript.OP_RETURN, 1}, {0x4e, 0xff, 0xff, 0xff, 0xff}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		form := formOf(script)
		if form == formData && !consensus.Unspendable(script) {
			t.Fatal("data that can be spent")
		}
		tx := plain(sigScript(script), alsoOutput(script), func(m *wire.MsgTx) { m.TxIn[0].Witness = wire.TxWitness{script, script} })
		_ = DefaultPolicy().checkAlone(tx)
		coins := consensus.Coins{tx.Msg.TxIn[0].PreviousOutPoint: {PkScript: script}}
		standardInputs(tx, coins)
		standardWitnesses(tx, coins)
	})
}
