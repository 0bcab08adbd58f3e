package consensus_test

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// TestCVE201817144DuplicateInput: Bitcoin Core 0.14 to 0.16 let a block through whose transaction spends one output twice.
func TestCVE201817144DuplicateInput(t *testing.T) {
	g := newStory(t)
	a := g.coin(0)
	twice := g.pay(btc, 0, a)
	twice.AddTxIn(twice.TxIn[0])
	if err := consensus.CheckTx(consensus.NewTx(twice)); !errors.Is(err, consensus.ErrDuplicateInputs) {
		t.Errorf("alone: %v", err)
	}
	g.refuse(g.on(chaintest.Txs(twice)), consensus.ErrDuplicateInputs)
	g.refuse(g.on(chaintest.Txs(g.pay(btc, 0, a), g.pay(2*btc, 0, a))), consensus.ErrMissingInput)

	own := g.pay(btc, 0, a) // the same of an output of the block itself
	x := chaintest.Out(own, 1)
	g.accept(g.on(chaintest.Txs(own, g.pay(btc, 0, x))))
	g.refuse(g.on(chaintest.Txs(own, g.pay(btc, 0, x), g.pay(2*btc, 0, x))), consensus.ErrMissingInput)
}

// TestCVE20122459RepeatedTransactions: a list of transactions with its end repeated can have the same merkle root. The copy must be
// refused without condemning the hash, so that the block itself is still accepted.
func TestCVE20122459RepeatedTransactions(t *testing.T) {
	g := newStory(t)
	for _, c := range []struct{ txs, repeat int }{{3, 1}, {5, 1}, {6, 2}} { // with the coinbase
		var txs []*wire.MsgTx
		for i := range c.txs - 1 {
			txs = append(txs, g.pay(btc, 0, g.coin(i)))
		}
		good := g.on(chaintest.Txs(txs...))
		msg := good.Msg()
		msg.Transactions = append(msg.Transactions, msg.Transactions[c.txs-c.repeat:]...)
		copied := consensus.NewBlock(msg)
		if copied.Hash() != good.Hash() {
			t.Fatal("the copy has another hash")
		}
		g.refuse(copied, consensus.ErrDuplicateTxs)
		g.accept(good)
	}
	if !consensus.ErrDuplicateTxs.Mutation() {
		t.Error("the copy condemns the hash")
	}
}

// TestMerkleRootTellsEveryRepetition looks for lists of up to 20 hashes that have the same root as one with its end repeated.
func TestMerkleRootTellsEveryRepetition(t *testing.T) {
	for n := 1; n <= 20; n++ {
		list := make([]chainhash.Hash, n)
		for i := range list {
			list[i][0] = byte(i + 1)
		}
		root, mutated := consensus.MerkleRoot(list)
		if mutated {
			t.Errorf("%d different hashes are called repeated", n)
		}
		for k := 1; k <= n; k++ {
			longer := append(append([]chainhash.Hash(nil), list...), list[n-k:]...)
			if again, mutated := consensus.MerkleRoot(longer); again == root && !mutated {
				t.Errorf("the last %d of %d repeated go unnoticed", k, n)
			}
		}
	}
}

// anyone is a script that everybody may spend with every witness: a witness version that has no rules yet.
var anyone = []byte{txscript.OP_2, txscript.OP_DATA_2, 0xab, 0xcd}

// free returns a transaction that pays a coin to anyone, and one that spends it with the given witness.
func (g story) free(coin int, witness ...[]byte) (fund, spend *wire.MsgTx) {
	fund = g.key.Pay([]consensus.Entry{g.coin(coin)}, anyone, btc, 0)
	spend = wire.NewMsgTx(2)
	op := chaintest.Out(fund, 0).OutPoint
	spend.AddTxIn(wire.NewTxIn(&op, nil, witness))
	spend.AddTxOut(wire.NewTxOut(btc, anyone))
	return fund, spend
}

// TestCVE201712842SixtyFourBytes: a transaction of 64 bytes looks like an inner node of the merkle tree, and the other way round. It is valid, but
// a block without a coinbase that has one may be a copy of an honest block with a part of its tree cut off.
func TestCVE201712842SixtyFourBytes(t *testing.T) {
	g := newStory(t)
	fund, spend := g.free(0)
	if n := spend.SerializeSize(); n != 64 {
		t.Fatalf("%d bytes", n)
	}
	g.accept(g.on(chaintest.Txs(fund, spend)))
	only := func(tx *wire.MsgTx) *consensus.Block {
		return g.on(edit(func(m *wire.MsgBlock) { m.Transactions = []*wire.MsgTx{tx} }), chaintest.NoCommitment)
	}
	g.refuse(only(spend), consensus.ErrMerkleRoot)
	g.refuse(only(fund), consensus.ErrNoCoinbase)
	if !consensus.ErrMerkleRoot.Mutation() || consensus.ErrNoCoinbase.Mutation() {
		t.Error("only the copy with an inner node may be a mutation")
	}
}

// TestMutatedCopiesNeverCondemnTheHash changes a good block in the ways that keep its hash.
func TestMutatedCopiesNeverCondemnTheHash(t *testing.T) {
	g := newStory(t)
	good := g.on(chaintest.Txs(g.pay(btc, 0, g.coin(0)), g.pay(btc, 0, g.coin(1))))
	for name, f := range map[string]func(m *wire.MsgBlock){
		"no transactions":           func(m *wire.MsgBlock) { m.Transactions = nil },
		"one less":                  func(m *wire.MsgBlock) { m.Transactions = m.Transactions[:2] },
		"last one again":            func(m *wire.MsgBlock) { m.Transactions = append(m.Transactions, m.Transactions[2]) },
		"another order":             func(m *wire.MsgBlock) { m.Transactions[1], m.Transactions[2] = m.Transactions[2], m.Transactions[1] },
		"another output":            func(m *wire.MsgBlock) { m.Transactions[1].TxOut[0].Value-- },
		"another signature":         func(m *wire.MsgBlock) { m.Transactions[1].TxIn[0].Witness[0][8] ^= 1 },
		"a witness item more":       func(m *wire.MsgBlock) { w := &m.Transactions[1].TxIn[0].Witness; *w = append(*w, []byte{1}) },
		"no witness":                func(m *wire.MsgBlock) { m.Transactions[1].TxIn[0].Witness = nil },
		"another reserved value":    func(m *wire.MsgBlock) { m.Transactions[0].TxIn[0].Witness[0][0]++ },
		"no reserved value":         func(m *wire.MsgBlock) { m.Transactions[0].TxIn[0].Witness = nil },
		"reserved value of 31":      func(m *wire.MsgBlock) { w := m.Transactions[0].TxIn[0].Witness; w[0] = w[0][1:] },
		"reserved value of 33":      func(m *wire.MsgBlock) { w := m.Transactions[0].TxIn[0].Witness; w[0] = append(w[0], 0) },
		"reserved value of 4000000": func(m *wire.MsgBlock) { m.Transactions[0].TxIn[0].Witness[0] = make([]byte, 4_000_000) },
	} {
		msg := wire.MsgBlock{Header: good.Header}
		for _, tx := range good.Txs {
			msg.Transactions = append(msg.Transactions, tx.Msg.Copy())
		}
		f(&msg)
		copied := consensus.NewBlock(&msg)
		_, err := judge(g.At("b110"), copied)
		var rule consensus.RuleError
		if !errors.As(err, &rule) || !rule.Kind.Mutation() || !rule.Kind.BeforeRelay() || copied.Hash() != good.Hash() {
			t.Errorf("%s: %v", name, err)
		}
		g.accept(good)
	}
}

// TestCVE20105139ValueOverflow: in August 2010 a block paid 184 billion bitcoins, because a sum of outputs overflowed.
func TestCVE20105139ValueOverflow(t *testing.T) {
	g := newStory(t)
	pay := func(values ...int64) *wire.MsgTx {
		tx := g.pay(btc, 0, g.coin(0))
		tx.TxOut = nil
		for _, v := range values {
			tx.AddTxOut(wire.NewTxOut(v, anyone))
		}
		return tx
	}
	const most = int64(consensus.MaxMoney)
	g.refuse(g.on(chaintest.Txs(pay(math.MaxInt64, math.MaxInt64))), consensus.ErrLargeOutput)
	g.refuse(g.on(chaintest.Txs(pay(9223372036854277039, 9223372036854277039))), consensus.ErrLargeOutput) // the outputs of block 74,638
	g.refuse(g.on(chaintest.Txs(pay(most, 1))), consensus.ErrLargeOutputs)
	g.refuse(g.on(chaintest.Txs(pay(most/2, most/2, most))), consensus.ErrLargeOutputs)
	g.refuse(g.on(chaintest.Txs(pay(-1, 1))), consensus.ErrNegativeOutput)
	g.refuse(g.on(chaintest.Txs(pay(most))), consensus.ErrOverspend)
	claim := func(values ...int64) chaintest.Mod {
		return chaintest.Coinbase(func(tx *wire.MsgTx) {
			for _, v := range values {
				tx.AddTxOut(wire.NewTxOut(v, anyone))
			}
		})
	}
	g.refuse(g.on(claim(math.MaxInt64, math.MaxInt64)), consensus.ErrLargeOutput)
	g.refuse(g.on(claim(most, most)), consensus.ErrLargeOutputs)
	g.refuse(g.on(claim(1)), consensus.ErrCoinbaseValue)
}

// verifyOne spends a coin of the given script with a signature script and a witness, under the flags of a new block on regtest.
func verifyOne(script, scriptSig []byte, witness ...[]byte) error {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, scriptSig, witness))
	tx.AddTxOut(wire.NewTxOut(0, anyone))
	flags := consensus.NextFlags(consensus.Genesis(consensus.Regtest()), chainhash.Hash{})
	return consensus.ScriptCheck{Tx: consensus.NewTx(tx), Spent: []consensus.Coin{{Value: btc, PkScript: script}}, Flags: flags}.Verify()
}

// TestCVE20105141ReturnInTheSignatureScript: OP_RETURN once ended the joined scripts with success, so that everybody could spend every coin.
func TestCVE20105141ReturnInTheSignatureScript(t *testing.T) {
	pay := chaintest.KeyFor(0).Script(chaintest.P2PKH)
	if err := verifyOne([]byte{txscript.OP_TRUE}, []byte{txscript.OP_TRUE}); err != nil {
		t.Error(err)
	}
	for _, scriptSig := range [][]byte{{txscript.OP_TRUE, txscript.OP_RETURN}, {txscript.OP_RETURN}, {txscript.OP_TRUE, txscript.OP_PUSHDATA1}, {txscript.OP_TRUE, txscript.OP_IF}} {
		for _, script := range [][]byte{pay, {txscript.OP_TRUE}} {
			if err := verifyOne(script, scriptSig); !errors.Is(err, consensus.ErrScript) {
				t.Errorf("%x spends %x: %v", scriptSig, script, err)
			}
		}
	}
}

// TestCVE20105137DisabledOpcodes: OP_LSHIFT could crash the node. It and fourteen others fail a script wherever they stand in it.
func TestCVE20105137DisabledOpcodes(t *testing.T) {
	disabled := []byte{
		txscript.OP_LSHIFT, txscript.OP_RSHIFT, txscript.OP_CAT, txscript.OP_SUBSTR, txscript.OP_LEFT, txscript.OP_RIGHT, txscript.OP_INVERT, txscript.OP_AND,
		txscript.OP_OR, txscript.OP_XOR, txscript.OP_2MUL, txscript.OP_2DIV, txscript.OP_MUL, txscript.OP_DIV, txscript.OP_MOD,
	}
	for op := 0; op <= 255; op++ {
		script := []byte{txscript.OP_TRUE, txscript.OP_FALSE, txscript.OP_IF, byte(op), txscript.OP_ENDIF} // never executed
		err := verifyOne(script, nil)
		var rule consensus.RuleError
		if errors.As(err, &rule) != (err != nil) {
			t.Fatalf("opcode %x: %v", op, err)
		}
		want := bytes.IndexByte(disabled, byte(op)) >= 0
		if got := rule.ScriptText() == "Attempted to use a disabled opcode"; got != want {
			t.Errorf("opcode %x: %v", op, err)
		}
	}
}

// TestCVE20121909DuplicateCoinbase: a coinbase that repeats an older one's id replaces its coin. It is refused (BIP30), except in the two
// blocks of 2010 that did it, and undoing those brings the older coin back.
func TestCVE20121909DuplicateCoinbase(t *testing.T) {
	p := consensus.Regtest()
	p.BIP34Height, p.SegwitHeight = 1000, 1000
	g := chaintest.New(t, p)
	same := chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = []byte{1, 2, 3} })
	first := g.Block(chaintest.Root, "a1", same)
	between := g.Block("a1", "a2")
	repeat := g.Build("a2", same)
	if _, err := judge(between, repeat); !errors.Is(err, consensus.ErrDuplicateTx) {
		t.Fatalf("got %v", err)
	}
	p.RepeatedCoinbases = map[chainhash.Hash]int32{repeat.Hash(): 3}
	d, err := judge(between, repeat)
	if err != nil {
		t.Fatal(err)
	}
	coins := consensus.Coins{}
	for op, c := range between.Coins {
		coins[op] = c
	}
	before := len(coins)
	apply(coins, d)
	op := wire.OutPoint{Hash: repeat.Txs[0].TxID()}
	if coins[op].Height != 3 || len(coins) != before {
		t.Errorf("the new coin has height %d, %d coins in all", coins[op].Height, len(coins))
	}
	revert(coins, consensus.Undo(repeat, d.Spent))
	if coins[op].Height != first.State.Height {
		t.Errorf("after the reorganisation the coin has height %d", coins[op].Height)
	}
	equalCoins(t, coins, between.Coins)

	if pairs := consensus.Bitcoin().RepeatedCoinbases; len(pairs) != 2 {
		t.Errorf("%d blocks may repeat a coinbase", len(pairs))
	}
}

// TestCVE20133220ManyCoins: a block that touched more coins than a database lock had room for was refused by some nodes. A block that
// creates 100,000 and one that spends 20,000 are valid.
func TestCVE20133220ManyCoins(t *testing.T) {
	g := newStory(t)
	fan := g.key.Pay([]consensus.Entry{g.coin(0)}, anyone, btc, 0)
	for range 100_000 {
		fan.AddTxOut(wire.NewTxOut(1, nil))
	}
	fan.TxOut[1].Value -= 100_000
	g.key.Sign(fan, []consensus.Entry{g.coin(0)})
	n := g.Block("b110", "fan", chaintest.Txs(fan))
	if d, err := judge(g.At("b110"), n.Block); err != nil || len(d.Created) != 100_003 {
		t.Fatalf("%v, %d created", err, len(d.Created))
	}
	sweep, id := wire.NewMsgTx(2), fan.TxHash()
	for i := range uint32(20_000) {
		sweep.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: id, Index: i + 2}, []byte{txscript.OP_TRUE}, nil))
	}
	sweep.AddTxOut(wire.NewTxOut(20_000, anyone))
	if d, err := judge(n, g.Build("fan", chaintest.Txs(sweep))); err != nil || len(d.Spent) != 20_000 {
		t.Fatalf("%v, %d spent", err, len(d.Spent))
	}
}

// TestCVE202452912ExtremeTimes: clocks and timestamps at the ends of their ranges neither overflow nor panic.
func TestCVE202452912ExtremeTimes(t *testing.T) {
	for _, name := range consensus.Names() {
		p, err := consensus.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, stamp := range []uint32{0, 1, uint32(p.Genesis.Header.Timestamp.Unix()) + 1, math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32} {
			h := p.Genesis.Header
			h.PrevBlock, h.Timestamp = p.GenesisHash, time.Unix(int64(stamp), 0)
			s := consensus.Genesis(p).Next(&h)
			if bits := s.NextBits(); consensus.WorkOf(bits) == (consensus.Work{}) {
				t.Errorf("%s, time %d: next bits %08x are no target", name, stamp, bits)
			}
			for _, now := range []time.Time{{}, time.Unix(0, 0), time.Unix(math.MaxUint32, 0), time.Unix(math.MaxInt32*1000, 0)} {
				if _, err := consensus.CheckHeader(s, &h, now); err == nil {
					t.Errorf("%s, time %d: a header follows itself", name, stamp)
				}
			}
		}
	}
}

// TestHeaderTimeOfTheLastSecond: the largest timestamp there is passes when the clock has come that far.
func TestHeaderTimeOfTheLastSecond(t *testing.T) {
	g := chaintest.New(t, consensus.Regtest())
	last := time.Unix(math.MaxUint32, 0)
	b := g.Build(chaintest.Root, edit(func(m *wire.MsgBlock) { m.Header.Timestamp = last }))
	s := g.At(chaintest.Root).State
	if next, err := consensus.CheckHeader(s, &b.Header, last.Add(-2*time.Hour)); err != nil || next.MedianTime().IsZero() {
		t.Error(err)
	}
	if _, err := consensus.CheckHeader(s, &b.Header, last.Add(-2*time.Hour-time.Second)); !errors.Is(err, consensus.ErrTimeTooNew) {
		t.Error(err)
	}
}

// TestSupplyIsOnlyWhatBlocksClaim: what a coinbase does not claim is gone for good.
func TestSupplyIsOnlyWhatBlocksClaim(t *testing.T) {
	g := newStory(t)
	b := g.on(chaintest.Txs(g.pay(btc, 777, g.coin(0))), chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value = 5 }))
	d, err := judge(g.At("b110"), b)
	if err != nil {
		t.Fatal(err)
	}
	var change btcutil.Amount
	for _, e := range d.Created {
		change += e.Coin.Value
	}
	for _, e := range d.Spent {
		change -= e.Coin.Value
	}
	if change != 5-777 {
		t.Errorf("the supply changes by %v", change)
	}
}
