package consensus_test

import (
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

func TestBlockSizeLimit(t *testing.T) {
	g := newStory(t)
	with := func(extra int) *consensus.Block { // no witness anywhere
		return g.on(chaintest.NoCommitment, chaintest.Coinbase(func(tx *wire.MsgTx) {
			tx.AddTxOut(wire.NewTxOut(0, append([]byte{txscript.OP_RETURN}, make([]byte, extra)...)))
		}))
	}
	room := 1_000_000 - with(900_000).StrippedSize()
	at := with(900_000 + room)
	if at.StrippedSize() != 1_000_000 || at.Weight() != consensus.MaxBlockWeight {
		t.Fatalf("%d bytes, weight %d", at.StrippedSize(), at.Weight())
	}
	g.accept(at)
	g.refuse(with(900_000+room+1), consensus.ErrBlockSize)
}

func TestHighestTarget(t *testing.T) {
	g := chaintest.New(t, consensus.Regtest())
	root := g.At(chaintest.Root)
	meets := g.Build(chaintest.Root)
	if err := consensus.CheckWork(g.Params, &meets.Header); err != nil {
		t.Fatal(err)
	}
	misses := meets.Header
	for consensus.CheckWork(g.Params, &misses) == nil {
		misses.Nonce++
	}
	if _, err := consensus.CheckHeader(root.State, &misses, g.Now); !errors.Is(err, consensus.ErrHighHash) {
		t.Errorf("a hash above the target: %v", err)
	}
	above := meets.Header
	above.Bits = 0x21008000 // the next that can be written above 0x207fffff: every hash meets it
	for range 100 {
		above.Nonce++
		if err := consensus.CheckWork(g.Params, &above); !errors.Is(err, consensus.ErrHighHash) {
			t.Fatalf("a target above the highest: %v", err)
		}
	}
}

func TestLockTimeInABlock(t *testing.T) {
	g := newStory(t)
	s := g.At("b110").State
	median := uint32(s.MedianTime().Unix())
	locked := func(lock, sequence uint32) *consensus.Block {
		coins := []consensus.Entry{g.coin(0)}
		tx := g.pay(btc, 0, coins...)
		tx.LockTime, tx.TxIn[0].Sequence = lock, sequence
		g.key.Sign(tx, coins)
		return g.on(chaintest.Txs(tx))
	}
	g.accept(locked(110, 0))
	g.refuse(locked(111, 0), consensus.ErrNotFinal)
	g.accept(locked(111, wire.MaxTxInSequenceNum))
	g.accept(locked(median-1, 0))
	g.refuse(locked(median, 0), consensus.ErrNotFinal) // BIP113: not the block's own time, which is later

	// in the last block before it is the block's own
	at := func(csv int32) uint32 {
		p := consensus.Regtest()
		p.CSVHeight = csv
		g = story{chaintest.New(t, p), t, g.key}
		g.Grow(chaintest.Root, "b", 110)
		return uint32(g.on().Header.Timestamp.Unix())
	}
	stamp := at(112)
	g.accept(locked(stamp-1, 0))
	g.refuse(locked(stamp, 0), consensus.ErrNotFinal)
	stamp = at(111)
	g.refuse(locked(stamp-1, 0), consensus.ErrNotFinal)
}

func TestRelativeLockTimeInABlock(t *testing.T) {
	g := newStory(t)
	s := g.At("b110").State
	coin := g.coin(4) // of b5: 106 blocks before the next
	after := func(sequence uint32) *consensus.Block {
		tx := g.pay(btc, 0, coin)
		tx.TxIn[0].Sequence = sequence
		g.key.Sign(tx, []consensus.Entry{coin})
		return g.on(chaintest.Txs(tx))
	}
	age := uint32(s.Height + 1 - coin.Coin.Height)
	g.accept(after(age))
	g.refuse(after(age+1), consensus.ErrSequenceLocks)
	steps := uint32(s.MedianTime().Unix()-int64(coin.Coin.MedianTime)) / 512
	g.accept(after(wire.SequenceLockTimeIsSeconds | steps))
	g.refuse(after(wire.SequenceLockTimeIsSeconds|(steps+1)), consensus.ErrSequenceLocks)
	g.accept(after(wire.SequenceLockTimeDisabled | age + 1))

	// an output of the same block is zero blocks old
	own := g.pay(btc, 0, g.coin(0))
	child := func(sequence uint32) *consensus.Block {
		coins := []consensus.Entry{chaintest.Out(own, 1)}
		tx := g.pay(btc, 0, coins...)
		tx.TxIn[0].Sequence = sequence
		g.key.Sign(tx, coins)
		return g.on(chaintest.Txs(own, tx))
	}
	g.accept(child(0))
	g.refuse(child(1), consensus.ErrSequenceLocks)
}

func TestWitnessReservedValue(t *testing.T) {
	g := newStory(t)
	with := func(items ...[]byte) *consensus.Block {
		msg := g.on().Msg()
		msg.Transactions[0].TxIn[0].Witness = items
		return consensus.NewBlock(msg)
	}
	g.accept(with(make([]byte, 32)))
	g.refuse(with(make([]byte, 31)), consensus.ErrWitnessNonce)
	g.refuse(with(make([]byte, 33)), consensus.ErrWitnessNonce)
	g.refuse(with(make([]byte, 32), nil), consensus.ErrWitnessNonce)
	g.refuse(with(), consensus.ErrWitnessNonce)
}

// TestLastCommitmentCounts: of several outputs that look like a commitment, the last is it (BIP141).
func TestLastCommitmentCounts(t *testing.T) {
	g := newStory(t)
	wrong := wire.NewTxOut(0, consensus.CommitmentScript([32]byte{1}))
	g.accept(g.on(chaintest.Coinbase(func(tx *wire.MsgTx) { tx.AddTxOut(wrong) }))) // the right one comes behind it
	good := g.on()
	after := good.Txs[0].Msg.Copy()
	after.AddTxOut(wrong)
	b := g.on(edit(func(m *wire.MsgBlock) { m.Transactions[0] = after }), chaintest.NoCommitment)
	g.refuse(b, consensus.ErrWitnessCommitment)
	short := wire.NewTxOut(0, wrong.PkScript[:37]) // one byte too short to be one
	after.TxOut[len(after.TxOut)-1] = short
	g.accept(g.on(edit(func(m *wire.MsgBlock) { m.Transactions[0] = after }), chaintest.NoCommitment))
}

// TestWhatIsNoCoin: an output that begins with OP_RETURN, or whose script is too long to be run.
func TestWhatIsNoCoin(t *testing.T) {
	for _, c := range []struct {
		script []byte
		coin   bool
	}{
		{nil, true}, {[]byte{txscript.OP_RETURN}, false}, {[]byte{txscript.OP_NOP, txscript.OP_RETURN}, true},
		{make([]byte, 10_000), true}, {make([]byte, 10_001), false},
	} {
		if consensus.Unspendable(c.script) == c.coin {
			t.Errorf("%d bytes: a coin %v", len(c.script), !c.coin)
		}
	}
}

// TestFeesInTheMoneyRange needs more money than there can be: coins that no chain has.
func TestFeesInTheMoneyRange(t *testing.T) {
	g := newStory(t)
	s := g.At("b110").State
	coins := consensus.Coins{}
	var txs []*wire.MsgTx
	spend := func(n uint32, value, out btcutil.Amount) {
		op := wire.OutPoint{Index: n}
		coins[op] = consensus.Coin{Value: value, PkScript: anyone}
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&op, nil, nil))
		tx.AddTxOut(wire.NewTxOut(int64(out), anyone))
		txs = append(txs, tx)
	}
	spend(1, consensus.MaxMoney, 0)
	spend(2, 7, 7)
	if d, err := consensus.Connect(s, g.on(chaintest.Txs(txs...)), coins); err != nil || d.Fees != consensus.MaxMoney {
		t.Errorf("fees %v, %v", d.Fees, err)
	}
	spend(3, 7, 6)
	if _, err := consensus.Connect(s, g.on(chaintest.Txs(txs...)), coins); !errors.Is(err, consensus.ErrAccumulatedFee) {
		t.Errorf("a sat more: %v", err)
	}
}

func TestInputsInTheMoneyRange(t *testing.T) {
	s := consensus.Genesis(consensus.Regtest())
	for _, c := range []struct {
		values []btcutil.Amount
		want   error
	}{
		{[]btcutil.Amount{consensus.MaxMoney}, nil},
		{[]btcutil.Amount{consensus.MaxMoney + 1}, consensus.ErrInputRange},
		{[]btcutil.Amount{-1}, consensus.ErrInputRange},
		{[]btcutil.Amount{consensus.MaxMoney - 1, 1}, nil},
		{[]btcutil.Amount{consensus.MaxMoney, 1}, consensus.ErrInputRange},
	} {
		m, coins := wire.NewMsgTx(2), consensus.Coins{}
		for i, v := range c.values {
			op := wire.OutPoint{Index: uint32(i)}
			m.AddTxIn(wire.NewTxIn(&op, nil, nil))
			coins[op] = consensus.Coin{Value: v}
		}
		m.AddTxOut(wire.NewTxOut(0, anyone))
		if _, err := consensus.CheckInputs(s, consensus.NewTx(m), coins); !errors.Is(err, c.want) {
			t.Errorf("%v: got %v, want %v", c.values, err, c.want)
		}
	}
}

// TestMissingInputComesFirst: a transaction that lacks one coin is not judged by its others, as in Core.
func TestMissingInputComesFirst(t *testing.T) {
	s := consensus.Genesis(consensus.Regtest())
	m := wire.NewMsgTx(2)
	m.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, nil, nil))
	m.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 2}, nil, nil))
	m.AddTxOut(wire.NewTxOut(0, anyone))
	immature := consensus.Coins{{Index: 1}: {Value: btc, Height: 1, Coinbase: true}}
	if _, err := consensus.CheckInputs(s, consensus.NewTx(m), immature); !errors.Is(err, consensus.ErrMissingInput) {
		t.Error(err)
	}
}

// TestBIP30EndsWithBIP34 repeats a coinbase at the height at which BIP34 comes into force, the last that is searched, and at the next.
func TestBIP30EndsWithBIP34(t *testing.T) {
	for _, c := range []struct {
		bip34, unique int32
		want          error
	}{{2, 1000, consensus.ErrDuplicateTx}, {1, 1000, nil}, {1, 2, consensus.ErrDuplicateTx}} {
		p := consensus.Regtest()
		p.BIP34Height, p.BIP34Unique, p.SegwitHeight = c.bip34, c.unique, 1000
		g := chaintest.New(t, p)
		same := chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = append(consensus.HeightPush(2), 1) })
		g.Block(chaintest.Root, "a1", same)
		s, b := g.At("a1").State, g.Build("a1", same)
		if _, err := consensus.Connect(s, b, g.At("a1").Coins); !errors.Is(err, c.want) {
			t.Errorf("BIP34 from %d, ids unique up to %d: got %v, want %v", c.bip34, c.unique, err, c.want)
		}
	}
}

func TestCoinbaseHeights(t *testing.T) {
	g := chaintest.New(t, consensus.Regtest())
	up := g.At(chaintest.Root)
	for _, script := range [][]byte{{txscript.OP_1, 0}, {1, 1}, {txscript.OP_2, 0}, {0, 1}} { // the second is not the shortest way
		b := g.Build(up.Name, chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = script }))
		_, err := judge(up, b)
		if ok := script[0] == txscript.OP_1; ok != (err == nil) || !ok && !errors.Is(err, consensus.ErrCoinbaseHeight) {
			t.Errorf("height 1 as %x: %v", script, err)
		}
	}
	for h, want := range map[int32]string{
		0: "\x00", 1: "\x51", 16: "\x60", 17: "\x01\x11", 127: "\x01\x7f", 128: "\x02\x80\x00", 32767: "\x02\xff\x7f", 32768: "\x03\x00\x80\x00",
		8388607: "\x03\xff\xff\x7f", 8388608: "\x04\x00\x00\x80\x00",
	} {
		if got := string(consensus.HeightPush(h)); got != want {
			t.Errorf("height %d: %x, want %x", h, got, want)
		}
	}
}

// TestSubsidyAtTheHalving claims what the last block before a halving and the first of it may.
func TestSubsidyAtTheHalving(t *testing.T) {
	g := chaintest.New(t, consensus.Regtest())
	g.Now = g.Params.Genesis.Header.Timestamp.Add(365 * 24 * time.Hour)
	claim := func(v int64) chaintest.Mod { return chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value = v }) }
	g.Grow(chaintest.Root, "b", 148)
	try := func(up string, v int64, want error) {
		t.Helper()
		if _, err := judge(g.At(up), g.Build(up, claim(v))); !errors.Is(err, want) {
			t.Errorf("%d after %s: got %v, want %v", v, up, err, want)
		}
	}
	try("b148", 50*btc, nil)
	try("b148", 50*btc+1, consensus.ErrCoinbaseValue)
	g.Block("b148", "b149")
	try("b149", 25*btc, nil)
	try("b149", 25*btc+1, consensus.ErrCoinbaseValue)
}
