package consensus_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// reparse reads b from its bytes, as a node does.
func reparse(t *testing.T, b *consensus.Block) *consensus.Block {
	t.Helper()
	parsed, err := consensus.ParseBlock(b.Raw())
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Hash() != b.Hash() || parsed.Weight() != b.Weight() {
		t.Fatal("read differently than written")
	}
	return parsed
}

// TestCVE202239389LargeWitness: btcd and lnd stopped at a valid block, because they took a witness item, and a tapscript, to be at most 11,000
// bytes. An item may fill the block.
func TestCVE202239389LargeWitness(t *testing.T) {
	g := newStory(t)
	const filler = 3_990_000
	fund, spend := g.free(0, make([]byte, filler))
	rest := consensus.MaxBlockWeight - g.on(chaintest.Txs(fund, spend)).Weight()
	with := func(n int) *consensus.Block {
		fund, spend := g.free(0, make([]byte, n))
		return reparse(t, g.on(chaintest.Txs(fund, spend)))
	}
	at := with(filler + rest)
	if at.Weight() != consensus.MaxBlockWeight {
		t.Fatalf("weight %d", at.Weight())
	}
	g.accept(at)
	g.refuse(with(filler+rest+1), consensus.ErrBlockWeight)

	for _, size := range []int{10_000, 11_000, 100_000} {
		script := append(bytes.Repeat([]byte{txscript.OP_NOP}, size-1), txscript.OP_TRUE)
		out, control := tapLeaf(t, script)
		fund := g.key.Pay([]consensus.Entry{g.coin(0)}, out, btc, 0)
		op := chaintest.Out(fund, 0).OutPoint
		spend := wire.NewMsgTx(2)
		spend.AddTxIn(wire.NewTxIn(&op, nil, [][]byte{script, control}))
		spend.AddTxOut(wire.NewTxOut(btc, anyone))
		g.accept(reparse(t, g.on(chaintest.Txs(fund, spend))))
	}
}

// tapLeaf returns an output that commits to one script, and the control block that proves it.
func tapLeaf(t *testing.T, script []byte) (out, control []byte) {
	t.Helper()
	internal := chaintest.KeyFor(9).Private().PubKey()
	tree := txscript.AssembleTaprootScriptTree(txscript.NewBaseTapLeaf(script))
	root := tree.RootNode.TapHash()
	block := tree.LeafMerkleProofs[0].ToControlBlock(internal)
	control, err := block.ToBytes()
	if err != nil {
		t.Fatal(err)
	}
	out, err = txscript.PayToTaprootScript(txscript.ComputeTaprootOutputKey(internal, root[:]))
	if err != nil {
		t.Fatal(err)
	}
	return out, control
}

// TestCVE202244797ManyWitnessItems: btcd's decoder refused an input with more than 500,000 witness items; a block of 1 November 2022 has one.
func TestCVE202244797ManyWitnessItems(t *testing.T) {
	g := newStory(t)
	for _, n := range []int{500_000, 500_001, 1_000_000} {
		fund, spend := g.free(0, make([][]byte, n)...)
		g.accept(reparse(t, g.on(chaintest.Txs(fund, spend))))
	}
}

// TestCVE202434478VersionIsUnsigned: btcd read the version of a transaction as signed and so skipped the relative lock times of those
// from 2^31 on.
func TestCVE202434478VersionIsUnsigned(t *testing.T) {
	g := newStory(t)
	s := g.At("b110").State
	script := []byte{txscript.OP_5, txscript.OP_CHECKSEQUENCEVERIFY} // BIP112
	for _, c := range []struct {
		version  uint32
		relative bool // has relative lock times
	}{{0, false}, {1, false}, {2, true}, {3, true}, {math.MaxInt32, true}, {1 << 31, true}, {1<<31 + 1, true}, {math.MaxUint32, true}} {
		m := wire.NewMsgTx(int32(c.version))
		m.AddTxIn(&wire.TxIn{Sequence: 5})
		m.AddTxOut(wire.NewTxOut(0, anyone))
		tx := consensus.NewTx(m)
		young := consensus.Coin{Value: btc, PkScript: script, Height: s.Height + 1 - 4}
		if err := consensus.CheckSequence(s, tx, consensus.Coins{{}: young}); errors.Is(err, consensus.ErrSequenceLocks) != c.relative {
			t.Errorf("BIP68, version %d: %v", c.version, err)
		}
		check := consensus.ScriptCheck{Tx: tx, Spent: []consensus.Coin{young}, Flags: consensus.NextFlags(s, chainhash.Hash{})}
		if err := check.Verify(); errors.Is(err, consensus.ErrScript) == c.relative {
			t.Errorf("BIP112, version %d: %v", c.version, err)
		}
	}
}

// TestCVE202438365FindAndDelete: a signature is removed from the script that it signs, but only where it is pushed exactly and whole. btcd
// removed every push that contained it.
func TestCVE202438365FindAndDelete(t *testing.T) {
	key := chaintest.KeyFor(0).Private()
	rest := slices.Concat([]byte{txscript.OP_DROP}, push(key.PubKey().SerializeCompressed()), []byte{txscript.OP_CHECKSIG})
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(0, anyone))
	hash, err := txscript.CalcSignatureHash(rest, txscript.SigHashAll, tx, 0) // of the script without what stands before it
	if err != nil {
		t.Fatal(err)
	}
	sig := append(ecdsa.Sign(key, hash).Serialize(), byte(txscript.SigHashAll))
	tx.TxIn[0].SignatureScript = push(sig)

	for _, c := range []struct {
		name   string
		before []byte // the rest of the script
		valid  bool
	}{
		{"pushed exactly", push(sig), true},
		{"pushed twice", slices.Concat(push(sig), []byte{txscript.OP_DROP}, push(sig)), false}, // both go, but not the OP_DROP between
		{"two bytes before it", push(append([]byte{0xaa, 0xaa}, sig...)), false},
		{"a byte behind it", push(append(slices.Clone(sig), 0xaa)), false},
		{"bytes around it", push(slices.Concat([]byte{1}, sig, []byte{2})), false},
		{"its first part", push(sig[:len(sig)-1]), false},
		{"another type of hash", push(append(slices.Clone(sig[:len(sig)-1]), byte(txscript.SigHashNone))), false},
		{"pushed by OP_PUSHDATA1", slices.Concat([]byte{txscript.OP_PUSHDATA1, byte(len(sig))}, sig), false},
		{"pushed by OP_PUSHDATA2", slices.Concat([]byte{txscript.OP_PUSHDATA2, byte(len(sig)), 0}, sig), false},
		{"pushed in another push", push(push(sig)), false},
		{"nothing", []byte{txscript.OP_TRUE}, false},
	} {
		check := consensus.ScriptCheck{
			Tx: consensus.NewTx(tx.Copy()), Spent: []consensus.Coin{{PkScript: append(slices.Clone(c.before), rest...)}},
			Flags: consensus.NextFlags(consensus.Genesis(consensus.Regtest()), chainhash.Hash{}),
		}
		if err := check.Verify(); (err == nil) != c.valid {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// push returns the push of up to 75 bytes.
func push(data []byte) []byte {
	if len(data) > 75 {
		return append([]byte{txscript.OP_PUSHDATA1, byte(len(data))}, data...)
	}
	return append([]byte{byte(len(data))}, data...)
}

// TestScriptLimits is the pair of each limit of a script: largest that passes, smallest that does not.
func TestScriptLimits(t *testing.T) {
	repeat := func(n int, ops ...byte) []byte { return bytes.Repeat(ops, n) }
	data := func(n int) []byte {
		return slices.Concat([]byte{txscript.OP_PUSHDATA2, byte(n), byte(n >> 8)}, make([]byte, n), []byte{txscript.OP_DROP})
	}
	sized := func(n int) []byte { // n bytes that leave true on the stack, within the limit of operations
		script := repeat(19, data(500)...)
		return slices.Concat(script, data(n-len(script)-5), []byte{txscript.OP_TRUE})
	}
	p2wsh := func(script []byte) []byte { return append([]byte{0, 32}, chainhash.HashB(script)...) }
	bare := func(script []byte) error { return verifyOne(script, nil) }
	witness := func(script []byte, items ...[]byte) error {
		return verifyOne(p2wsh(script), nil, append(items, script)...)
	}
	tap := func(script []byte, items ...[]byte) error {
		out, control := tapLeaf(t, script)
		return verifyOne(out, nil, append(items, script, control)...)
	}
	ops := func(n int) []byte { return append(repeat(n, txscript.OP_NOP), txscript.OP_TRUE) }
	stack := func(n int) []byte {
		return slices.Concat(repeat(n, txscript.OP_TRUE), repeat(n/2, txscript.OP_2DROP), repeat(n%2, txscript.OP_DROP), []byte{txscript.OP_TRUE})
	}
	for _, c := range []struct {
		name          string
		passes, fails error
		text          string
	}{
		{"10,000 bytes", bare(sized(10_000)), bare(sized(10_001)), "Script is too big"},
		{"10,000 bytes in a witness", witness(sized(10_000)), witness(sized(10_001)), "Script is too big"},
		{"201 operations", bare(ops(201)), bare(ops(202)), "Operation limit exceeded"},
		{"201 operations in a witness", witness(ops(201)), witness(ops(202)), "Operation limit exceeded"},
		{"520 bytes pushed", bare(append(data(520), txscript.OP_TRUE)), bare(append(data(521), txscript.OP_TRUE)), "Push value size limit exceeded"},
		{"520 bytes in a witness", witness([]byte{txscript.OP_DROP, txscript.OP_TRUE}, make([]byte, 520)), witness([]byte{txscript.OP_DROP, txscript.OP_TRUE}, make([]byte, 521)), "Push value size limit exceeded"},
		{"520 bytes in a tapscript's witness", tap([]byte{txscript.OP_DROP, txscript.OP_TRUE}, make([]byte, 520)), tap([]byte{txscript.OP_DROP, txscript.OP_TRUE}, make([]byte, 521)), "Push value size limit exceeded"},
		{"1,000 items", tap(stack(1000)), tap(stack(1001)), "Stack size limit exceeded"},
		{"1,000 items at the start of a tapscript", tap(append(repeat(500, txscript.OP_2DROP), txscript.OP_TRUE), make([][]byte, 1000)...), tap(append(repeat(500, txscript.OP_2DROP), txscript.OP_DROP, txscript.OP_TRUE), make([][]byte, 1001)...), "Stack size limit exceeded"},
		{"one item left in a witness", witness([]byte{txscript.OP_TRUE}), witness([]byte{txscript.OP_TRUE, txscript.OP_TRUE}), "Stack size must be exactly one after execution"},
		{"20 keys", bare(multisig(20)), bare(multisig(21)), "Pubkey count negative or limit exceeded"},
	} {
		if c.passes != nil {
			t.Errorf("%s: %v", c.name, c.passes)
		}
		var rule consensus.RuleError
		if !errors.As(c.fails, &rule) || rule.ScriptText() != c.text {
			t.Errorf("more than %s: %v", c.name, c.fails)
		}
	}
	if err := tap(ops(100_000)); err != nil {
		t.Errorf("a tapscript has no limit of size or operations: %v", err)
	}
}

// multisig asks for no signature of n keys.
func multisig(n byte) []byte {
	return slices.Concat([]byte{0, 0}, make([]byte, n), []byte{1, n, txscript.OP_CHECKMULTISIG})
}

// TestSigOpCosts counts in each form of script. The values are Core's (sigopcount_tests.cpp).
func TestSigOpCosts(t *testing.T) {
	two := slices.Concat([]byte{txscript.OP_1}, push(make([]byte, 33)), push(make([]byte, 33)), []byte{txscript.OP_2, txscript.OP_CHECKMULTISIGVERIFY})
	p2sh := func(redeem []byte) []byte {
		return slices.Concat([]byte{txscript.OP_HASH160, 20}, address.Hash160(redeem), []byte{txscript.OP_EQUAL})
	}
	wpkh := append([]byte{0, 20}, make([]byte, 20)...)
	wsh := append([]byte{0, 32}, chainhash.HashB(two)...)
	all := consensus.NextFlags(consensus.Genesis(consensus.Regtest()), chainhash.Hash{})
	for _, c := range []struct {
		name              string
		script, scriptSig []byte
		witness           wire.TxWitness
		out               []byte
		flags             txscript.ScriptFlags
		want              int
	}{
		{"bare multisig is counted where it is created", nil, nil, nil, two, all, 20 * 4},
		{"and not where it is spent", two, []byte{0, 0}, nil, nil, all, 0},
		{"in the signature script", two, two, nil, nil, all, 20 * 4},
		{"script hash", p2sh(two), push(two), nil, nil, all, 2 * 4},
		{"script hash before BIP16", p2sh(two), push(two), nil, nil, 0, 0},
		{"script hash without a push", p2sh(two), append(push(two), txscript.OP_NOP), nil, nil, all, 0},
		{"witness key hash", wpkh, nil, [][]byte{{}, {}}, nil, all, 1},
		{"witness key hash before BIP141", wpkh, nil, [][]byte{{}, {}}, nil, txscript.ScriptBip16, 0},
		{"another witness version", append([]byte{txscript.OP_1}, wpkh[1:]...), nil, [][]byte{{}, {}}, nil, all, 0},
		{"witness key hash in a script hash", p2sh(wpkh), push(wpkh), [][]byte{{}, {}}, nil, all, 1},
		{"witness script hash", wsh, nil, [][]byte{{}, {}, two}, nil, all, 2},
		{"witness script hash in a script hash", p2sh(wsh), push(wsh), [][]byte{{}, {}, two}, nil, all, 2},
		{"the last push is the script", p2sh(two), slices.Concat(push(wpkh), push(two)), nil, nil, all, 2 * 4},
		{"the last push is the program", p2sh(wpkh), slices.Concat(push(two), push(wpkh)), [][]byte{{}, {}}, nil, all, 1},
		{"no program, though the bytes behind the first are one", p2sh(wpkh[2:]), slices.Concat([]byte{txscript.OP_0}, wpkh), nil, nil, all, 0},
		{"a number is no script", p2sh(two), slices.Concat(push(two), []byte{txscript.OP_16}), nil, nil, all, 0},
		{"keys are counted by the number before", nil, nil, nil, []byte{txscript.OP_16, txscript.OP_CHECKMULTISIG}, all, 20 * 4},
		{"if a script hash has it", p2sh([]byte{txscript.OP_16, txscript.OP_CHECKMULTISIG}), push([]byte{txscript.OP_16, txscript.OP_CHECKMULTISIG}), nil, nil, all, 16 * 4},
		{"and it is an opcode", p2sh([]byte{1, 16, txscript.OP_CHECKMULTISIG}), push([]byte{1, 16, txscript.OP_CHECKMULTISIG}), nil, nil, all, 20 * 4},
		{"nothing counts behind a push that runs over the end", nil, nil, nil, []byte{txscript.OP_CHECKSIG, txscript.OP_PUSHDATA4, 0xff, 0xff, 0xff, 0xff, txscript.OP_CHECKSIG}, all, 4},
		{"nor in it", nil, nil, nil, []byte{txscript.OP_CHECKSIG, txscript.OP_PUSHDATA4, txscript.OP_CHECKSIG, txscript.OP_CHECKSIG}, all, 4},
		{"what is never run counts", nil, nil, nil, []byte{txscript.OP_RETURN, txscript.OP_CHECKSIG, 0xff, txscript.OP_CHECKSIGVERIFY}, all, 2 * 4},
	} {
		m := wire.NewMsgTx(2)
		op := wire.OutPoint{Index: 3}
		m.AddTxIn(wire.NewTxIn(&op, c.scriptSig, c.witness))
		m.AddTxOut(wire.NewTxOut(0, c.out))
		if got := consensus.SigOpCost(consensus.NewTx(m), consensus.Coins{op: {PkScript: c.script}}, c.flags); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	if got := consensus.SigOpCost(coinbase(2), nil, all); got != 0 {
		t.Errorf("coinbase: %d", got)
	}
}
