package consensus_test

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// judge runs every step that a block goes through on its way into the chain after parent.
func judge(parent *chaintest.Node, b *consensus.Block) (consensus.Delta, error) {
	s := parent.State
	if _, err := consensus.CheckHeader(s, &b.Header, b.Header.Timestamp); err != nil {
		return consensus.Delta{}, err
	}
	if err := consensus.CheckBlock(s.Params(), b); err != nil {
		return consensus.Delta{}, err
	}
	if err := consensus.CheckBlockPlace(s, b); err != nil {
		return consensus.Delta{}, err
	}
	coins := consensus.Coins{}
	for _, op := range consensus.Needs(s, b) {
		if c, ok := parent.Coins[op]; ok {
			coins[op] = c
		}
	}
	d, err := consensus.Connect(s, b, coins)
	if err != nil {
		return d, err
	}
	for _, check := range consensus.ScriptChecks(s, b, coins) {
		if err := check.Verify(); err != nil {
			return d, err
		}
	}
	return d, nil
}

// story is a tree with 110 blocks on it, so that ten coinbases can be spent.
type story struct {
	*chaintest.Tree
	t   *testing.T
	key chaintest.Key
}

func newStory(t *testing.T) story {
	g := story{chaintest.New(t, consensus.Regtest()), t, chaintest.KeyFor(0)}
	g.Grow(chaintest.Root, "b", 110)
	return g
}

func (g story) accept(b *consensus.Block) {
	g.t.Helper()
	if _, err := judge(g.At("b110"), b); err != nil {
		g.t.Fatalf("refused: %v", err)
	}
}

func (g story) refuse(b *consensus.Block, kind consensus.Kind) {
	g.t.Helper()
	_, err := judge(g.At("b110"), b)
	if !errors.Is(err, kind) {
		g.t.Fatalf("got %v, want %v", err, kind)
	}
	var rule consensus.RuleError
	if !errors.As(err, &rule) {
		g.t.Fatalf("%v is no RuleError", err)
	}
}

func (g story) coin(n int) consensus.Entry {
	g.t.Helper()
	return g.At("b110").Mature(g.key)[n]
}

func (g story) pay(value, fee btcutil.Amount, coins ...consensus.Entry) *wire.MsgTx {
	return g.key.Pay(coins, chaintest.KeyFor(1).Script(chaintest.P2TR), value, fee)
}

func (g story) on(mods ...chaintest.Mod) *consensus.Block { return g.Build("b110", mods...) }

func edit(f func(*wire.MsgBlock)) chaintest.Mod { return chaintest.Edit(f) }

const btc = btcutil.SatoshiPerBitcoin

func TestSpendsOfEveryForm(t *testing.T) {
	g := newStory(t)
	two := chaintest.KeyFor(2)
	first := g.key.Pay([]consensus.Entry{g.coin(0)}, two.Script(chaintest.P2TR), btc, 1000)
	second := two.Pay([]consensus.Entry{chaintest.Out(first, 0)}, two.Script(chaintest.P2PKH), btc-1000, 1000)
	third := two.Pay([]consensus.Entry{chaintest.Out(second, 0)}, g.key.Script(chaintest.P2WPKH), btc-2000, 1000)
	g.accept(g.on(chaintest.Txs(first, second, third)))
}

func TestSpendRules(t *testing.T) {
	g := newStory(t)
	a, b := g.coin(0), g.coin(1)
	immature := func(n string) consensus.Entry { return chaintest.Out(g.At(n).Block.Txs[0].Msg, 0) }

	g.accept(g.on(chaintest.Txs(g.pay(50*btc, 0, a))))
	g.refuse(g.on(chaintest.Txs(g.pay(50*btc+1, 0, a))), consensus.ErrOverspend)

	g.accept(g.on(chaintest.Txs(g.pay(btc, 0, a), g.pay(btc, 0, b))))
	g.refuse(g.on(chaintest.Txs(g.pay(btc, 0, a), g.pay(2*btc, 0, a))), consensus.ErrMissingInput)
	g.refuse(g.on(chaintest.Txs(g.pay(btc, 0, consensus.Entry{OutPoint: wire.OutPoint{Index: 7}, Coin: a.Coin}))), consensus.ErrMissingInput)

	child := g.key.Pay([]consensus.Entry{chaintest.Out(g.pay(btc, 0, a), 1)}, g.key.Script(chaintest.P2TR), btc, 0)
	g.accept(g.on(chaintest.Txs(g.pay(btc, 0, a), child)))
	g.refuse(g.on(chaintest.Txs(child, g.pay(btc, 0, a))), consensus.ErrMissingInput)

	g.accept(g.on(chaintest.Txs(g.pay(btc, 0, immature("b11")))))
	g.refuse(g.on(chaintest.Txs(g.pay(btc, 0, immature("b12")))), consensus.ErrImmature)

	bad := g.pay(btc, 0, a)
	bad.TxIn[0].Witness[0][10] ^= 1
	g.refuse(g.on(chaintest.Txs(bad)), consensus.ErrScript)
}

// Within a block a transaction spends what those before it created: by its name, once, and if it is a coin at all.
func TestSpendsWithinABlock(t *testing.T) {
	g := newStory(t)
	parent := g.pay(btc, 0, g.coin(0)) // the payment, then the change
	parent.AddTxOut(&wire.TxOut{PkScript: []byte{txscript.OP_RETURN}})
	parent.TxOut[1].Value -= 1000
	g.key.Sign(parent, []consensus.Entry{g.coin(0)})
	spend := func(index uint32, value btcutil.Amount) *wire.MsgTx {
		e := chaintest.Out(parent, 1)
		e.OutPoint.Index = index
		return g.pay(value, 0, e)
	}
	other := g.pay(btc, 0, g.coin(1)) // its outputs come next
	g.accept(g.on(chaintest.Txs(parent, other, spend(1, btc))))
	g.refuse(g.on(chaintest.Txs(parent, other, spend(1, btc), spend(1, 2*btc))), consensus.ErrMissingInput)
	for index := uint32(2); index < 6; index++ {
		g.refuse(g.on(chaintest.Txs(parent, other, spend(index, btc))), consensus.ErrMissingInput)
	}
	g.refuse(g.on(chaintest.Txs(parent, other, spend(math.MaxUint32, btc))), consensus.ErrMissingInput)
}

// Coins of few inputs are kept where those of the transaction before were: none is taken for another's.
func TestTransactionsOfManyAndFewInputs(t *testing.T) {
	g := newStory(t)
	split := g.pay(btc, 0, g.coin(0))
	split.TxOut = split.TxOut[:0]
	for range 40 {
		split.AddTxOut(&wire.TxOut{Value: btc / 10, PkScript: g.key.Script(chaintest.P2TR)})
	}
	g.key.Sign(split, []consensus.Entry{g.coin(0)})
	var coins []consensus.Entry
	for i := range split.TxOut {
		coins = append(coins, chaintest.Out(split, i))
	}
	txs, from := []*wire.MsgTx{split}, 0
	for _, n := range []int{1, 8, 9, 1, 20} {
		txs = append(txs, g.pay(btcutil.Amount(n)*btc/10, 0, coins[from:from+n]...))
		from += n
	}
	g.accept(g.on(chaintest.Txs(txs...)))
	for i := 1; i < len(txs); i++ { // each may spend its own coins and no more
		more := slices.Clone(txs)
		more[i] = more[i].Copy()
		more[i].TxOut[0].Value++
		g.refuse(g.on(chaintest.Txs(more...)), consensus.ErrOverspend)
	}
}

func TestTransactionRules(t *testing.T) {
	g := newStory(t)
	good := func(f func(*wire.MsgTx)) *consensus.Tx {
		tx := g.pay(btc, 0, g.coin(0))
		f(tx)
		return consensus.NewTx(tx)
	}
	cases := []struct {
		name string
		tx   *consensus.Tx
		want error
	}{
		{"plain", good(func(tx *wire.MsgTx) {}), nil},
		{"no inputs", good(func(tx *wire.MsgTx) { tx.TxIn = nil }), consensus.ErrNoInputs},
		{"no outputs", good(func(tx *wire.MsgTx) { tx.TxOut = nil }), consensus.ErrNoOutputs},
		{"zero output", good(func(tx *wire.MsgTx) { tx.TxOut[0].Value = 0 }), nil},
		{"negative output", good(func(tx *wire.MsgTx) { tx.TxOut[0].Value = -1 }), consensus.ErrNegativeOutput},
		{"all money", good(func(tx *wire.MsgTx) { tx.TxOut = tx.TxOut[:1]; tx.TxOut[0].Value = 21e6 * btc }), nil},
		{"more than all money", good(func(tx *wire.MsgTx) { tx.TxOut[0].Value = 21e6*btc + 1 }), consensus.ErrLargeOutput},
		{"CVE-2010-5139: sum overflows", good(func(tx *wire.MsgTx) { tx.TxOut[0].Value, tx.TxOut[1].Value = math.MaxInt64, math.MaxInt64 }), consensus.ErrLargeOutput},
		{"sum above all money", good(func(tx *wire.MsgTx) { tx.TxOut[0].Value, tx.TxOut[1].Value = 21e6*btc, 1 }), consensus.ErrLargeOutputs},
		{"CVE-2018-17144: one input twice", good(func(tx *wire.MsgTx) { tx.TxIn = append(tx.TxIn, tx.TxIn[0]) }), consensus.ErrDuplicateInputs},
		{"null input beside another", good(func(tx *wire.MsgTx) {
			tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: math.MaxUint32}, nil, nil))
		}), consensus.ErrNullInput},
		{"coinbase of 2 bytes", coinbase(2), nil},
		{"coinbase of 1 byte", coinbase(1), consensus.ErrCoinbaseScript},
		{"coinbase of 100 bytes", coinbase(100), nil},
		{"coinbase of 101 bytes", coinbase(101), consensus.ErrCoinbaseScript},
		{"1,000,000 bytes", sized(1_000_000), nil},
		{"1,000,001 bytes", sized(1_000_001), consensus.ErrTxSize},
	}
	for _, c := range cases {
		if err := consensus.CheckTx(c.tx); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func coinbase(script int) *consensus.Tx {
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: math.MaxUint32}, make([]byte, script), nil))
	tx.AddTxOut(wire.NewTxOut(0, nil))
	return consensus.NewTx(tx)
}

// sized returns a transaction of so many bytes.
func sized(n int) *consensus.Tx {
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(0, make([]byte, n-64)))
	tx.TxOut[0].PkScript = make([]byte, n-64-(tx.SerializeSize()-n))
	return consensus.NewTx(tx)
}

func TestBlockRules(t *testing.T) {
	g := newStory(t)
	a, b := g.pay(btc, 0, g.coin(0)), g.pay(btc, 0, g.coin(1))
	other := g.At("b50").Block.Txs[0].Msg

	g.accept(g.on(chaintest.Txs(a, b)))
	g.refuse(g.on(edit(func(m *wire.MsgBlock) { m.Transactions = nil })), consensus.ErrBlockSize)
	g.refuse(g.on(edit(func(m *wire.MsgBlock) { m.Transactions[0] = a }), chaintest.NoCommitment), consensus.ErrNoCoinbase)
	g.refuse(g.on(chaintest.Txs(other)), consensus.ErrManyCoinbases)
	g.refuse(g.on(edit(func(m *wire.MsgBlock) { m.Header.MerkleRoot[0] ^= 1 }), chaintest.KeepRoot), consensus.ErrMerkleRoot)

	// CVE-2012-2459: the same root over a list with its end repeated
	good := g.on(chaintest.Txs(a, b))
	twice := good.Msg()
	twice.Transactions = append(twice.Transactions, b)
	g.refuse(consensus.NewBlock(twice), consensus.ErrDuplicateTxs)
	if !consensus.ErrDuplicateTxs.Mutation() || twice.BlockHash() != good.Hash() {
		t.Error("the copy must share the hash and must not condemn it")
	}

	height := func(h int32) chaintest.Mod {
		return chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = append(consensus.HeightPush(h), 0, 0) })
	}
	g.accept(g.on(height(111)))
	g.refuse(g.on(height(112)), consensus.ErrCoinbaseHeight)

	claim := func(v int64) chaintest.Mod {
		return chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value = v })
	}
	fee := g.pay(btc, 777, g.coin(2))
	g.accept(g.on(chaintest.Txs(fee), claim(50*btc+777)))
	g.refuse(g.on(chaintest.Txs(fee), claim(50*btc+778)), consensus.ErrCoinbaseValue)
}

func TestWitnessRules(t *testing.T) {
	g := newStory(t)
	a := g.pay(btc, 0, g.coin(0))
	g.accept(g.on(chaintest.NoCommitment)) // no witness, no commitment
	g.refuse(g.on(chaintest.Txs(a), chaintest.NoCommitment), consensus.ErrUnexpectedWitness)

	good := g.on(chaintest.Txs(a))
	change := func(f func(*wire.MsgBlock)) *consensus.Block {
		msg := good.Msg()
		msg.Transactions = slices.Clone(msg.Transactions)
		for i, tx := range msg.Transactions {
			msg.Transactions[i] = tx.Copy()
		}
		f(msg)
		return consensus.NewBlock(msg)
	}
	nonce := change(func(m *wire.MsgBlock) { m.Transactions[0].TxIn[0].Witness[0] = make([]byte, 31) })
	none := change(func(m *wire.MsgBlock) { m.Transactions[0].TxIn[0].Witness = nil })
	swapped := change(func(m *wire.MsgBlock) { m.Transactions[1].TxIn[0].Witness[0][9] ^= 1 })
	for b, want := range map[*consensus.Block]consensus.Kind{
		nonce: consensus.ErrWitnessNonce, none: consensus.ErrWitnessNonce, swapped: consensus.ErrWitnessCommitment,
	} {
		g.refuse(b, want)
		if !want.Mutation() || b.Hash() != good.Hash() {
			t.Errorf("%v must not condemn the hash", want)
		}
	}
}

func TestBlockWeightLimit(t *testing.T) {
	g := newStory(t)
	fill := func(extra int) *consensus.Block {
		return g.on(chaintest.Coinbase(func(tx *wire.MsgTx) {
			tx.AddTxOut(wire.NewTxOut(0, append([]byte{txscript.OP_RETURN}, make([]byte, extra)...)))
		}))
	}
	// Each byte of the script weighs four; the reserved value weighs one a byte, so 4,000,000 itself is met by a spend's witness.
	base := fill(900_000)
	room := (consensus.MaxBlockWeight - base.Weight()) / 4
	at := fill(900_000 + room)
	if w := at.Weight(); w > consensus.MaxBlockWeight || w+4 <= consensus.MaxBlockWeight {
		t.Fatalf("weight %d", w)
	}
	g.accept(at)
	g.refuse(fill(900_000+room+1), consensus.ErrBlockWeight)
	g.refuse(fill(1_000_000), consensus.ErrBlockSize)
}

func TestSigOpLimit(t *testing.T) {
	g := newStory(t)
	with := func(n int) *consensus.Block {
		return g.on(chaintest.Coinbase(func(tx *wire.MsgTx) {
			tx.AddTxOut(wire.NewTxOut(0, bytes.Repeat([]byte{txscript.OP_CHECKSIG}, n)))
		}))
	}
	g.accept(with(20_000))
	g.refuse(with(20_001), consensus.ErrBlockSigOps)

	// 20 for each OP_CHECKMULTISIG; the witness' own operation counts one, not four
	spend := g.pay(btc, 0, g.coin(0))
	both := func(n int) *consensus.Block {
		return g.on(chaintest.Txs(spend), chaintest.Coinbase(func(tx *wire.MsgTx) {
			tx.AddTxOut(wire.NewTxOut(0, bytes.Repeat([]byte{txscript.OP_CHECKSIG}, n)))
		}))
	}
	g.accept(both(19_999))
	g.refuse(both(20_000), consensus.ErrBlockSigOps)
}

func TestBIP30(t *testing.T) {
	p := consensus.Regtest()
	p.BIP34Height, p.SegwitHeight = 1000, 1000
	g := story{chaintest.New(t, p), t, chaintest.KeyFor(0)}
	same := chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = []byte{1, 2, 3} })
	g.Block(chaintest.Root, "a1", same)
	repeat := g.Build("a1", same)
	if _, err := judge(g.At("a1"), repeat); !errors.Is(err, consensus.ErrDuplicateTx) {
		t.Fatalf("got %v", err)
	}

	// The two blocks that are known to repeat replace the coin, and undoing them brings it back.
	p.RepeatedCoinbases = map[chainhash.Hash]int32{repeat.Hash(): 2}
	d, err := judge(g.At("a1"), repeat)
	if err != nil || len(d.Spent) != 1 || len(d.Created) != 1 || d.Spent[0].OutPoint != d.Created[0].OutPoint {
		t.Fatalf("%v, %+v", err, d)
	}
	p.RepeatedCoinbases = map[chainhash.Hash]int32{repeat.Hash(): 3}
	if _, err := judge(g.At("a1"), repeat); !errors.Is(err, consensus.ErrDuplicateTx) {
		t.Fatalf("at another height: got %v", err)
	}
}

func TestConnectThenUndo(t *testing.T) {
	g := newStory(t)
	first := g.pay(btc, 500, g.coin(0), g.coin(1))
	second := g.key.Pay([]consensus.Entry{chaintest.Out(first, 1)}, g.key.Script(chaintest.P2TR), btc, 0)
	n := g.Block("b110", "c", chaintest.Txs(first, second))

	d, err := judge(g.At("b110"), n.Block)
	if err != nil {
		t.Fatal(err)
	}
	if d.Fees != 500 {
		t.Errorf("fees %d", d.Fees)
	}
	coins := maps.Clone(g.At("b110").Coins)
	for _, e := range d.Spent {
		delete(coins, e.OutPoint)
	}
	for _, e := range d.Created {
		coins[e.OutPoint] = e.Coin
	}
	equalCoins(t, coins, n.Coins)

	u := consensus.Undo(n.Block, d.Spent)
	for _, e := range u.Created {
		delete(coins, e.OutPoint)
	}
	for _, e := range u.Spent {
		coins[e.OutPoint] = e.Coin
	}
	equalCoins(t, coins, g.At("b110").Coins)
}

func equalCoins(t *testing.T, got, want consensus.Coins) {
	t.Helper()
	same := func(a, b consensus.Coin) bool {
		script := bytes.Equal(a.PkScript, b.PkScript)
		a.PkScript, b.PkScript = nil, nil
		return script && a.Value == b.Value && a.Height == b.Height && a.Coinbase == b.Coinbase && a.MedianTime == b.MedianTime
	}
	if !maps.EqualFunc(got, want, same) {
		t.Fatalf("%d coins, want %d, or some differ", len(got), len(want))
	}
}
