package consensus_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

func TestParseGivesTheSameHashes(t *testing.T) {
	g := newStory(t)
	b := g.on(chaintest.Txs(g.pay(btc, 0, g.coin(0)), g.pay(btc, 0, g.coin(1), g.coin(2))))
	raw := b.Raw()
	got, err := consensus.ParseBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got.Hash() != b.Hash() || got.Size() != len(raw) || got.Weight() != b.Weight() || got.StrippedSize() != b.StrippedSize() || !bytes.Equal(got.Raw(), raw) {
		t.Error("the block differs")
	}
	for i, tx := range got.Txs {
		want := b.Txs[i]
		if tx.TxID() != want.TxID() || tx.WTxID() != want.WTxID() || tx.Weight() != want.Weight() || tx.VSize() != want.VSize() {
			t.Errorf("transaction %d differs", i)
		}
		again, err := consensus.ParseTx(tx.Raw())
		if err != nil || again.WTxID() != tx.WTxID() {
			t.Errorf("transaction %d: %v", i, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	g := newStory(t)
	raw := g.on(chaintest.Txs(g.pay(btc, 0, g.coin(0)))).Raw()
	refused := func(name string, raw []byte) {
		t.Helper()
		if _, err := consensus.ParseBlock(raw); !errors.Is(err, consensus.ErrDecode) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range raw {
		refused("cut short", raw[:n])
	}
	refused("a byte too many", append(bytes.Clone(raw), 0))

	empty := bytes.Clone(raw[:81]) // a coinbase whose witness is announced and is none: Core's "Superfluous witness record"
	empty[80] = 1
	empty = append(empty, g.on(chaintest.NoCommitment).Raw()[81:]...)
	if _, err := consensus.ParseBlock(empty); err != nil {
		t.Fatal(err)
	}
	end := len(empty) - 4
	refused("a witness without items", slices.Concat(empty[:85], []byte{0, 1}, empty[85:end], []byte{0}, empty[end:]))
	refused("an unknown flag", slices.Concat(empty[:85], []byte{0, 3}, empty[85:end], []byte{1, 1, 7}, empty[end:]))
	if _, err := consensus.ParseBlock(slices.Concat(empty[:85], []byte{0, 1}, empty[85:end], []byte{1, 1, 7}, empty[end:])); err != nil {
		t.Error("a witness of one item:", err)
	}

	long := bytes.Clone(raw[:80])
	long = append(long, 0xfd, 2, 0) // two transactions, not in the shortest form
	refused("count in a long form", append(long, raw[81:]...))

	huge := append(bytes.Clone(raw[:80]), 0xff)
	refused("more transactions than bytes", binary.LittleEndian.AppendUint64(huge, 1<<63))
}

// FuzzParseBlock holds our walk over the bytes against the library's reading: what we take is what it writes.
func FuzzParseBlock(f *testing.F) {
	for _, p := range []*consensus.Params{consensus.Main(), consensus.Regtest()} {
		f.Add(consensus.NewBlock(p.Genesis).Raw())
	}
	f.Add(witnessBlock(f))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := consensus.ParseBlock(raw)
		if err != nil {
			if !errors.Is(err, consensus.ErrDecode) {
				t.Fatal(err)
			}
			return
		}
		again := consensus.NewBlock(b.Msg())
		if !bytes.Equal(b.Raw(), raw) || !bytes.Equal(again.Raw(), raw) || b.Size() != len(raw) {
			t.Fatal("written differently")
		}
		for i, tx := range again.Txs {
			if tx.TxID() != b.Txs[i].TxID() || tx.WTxID() != b.Txs[i].WTxID() || tx.Weight() != b.Txs[i].Weight() {
				t.Fatal("the library hashes it differently")
			}
		}
		_ = consensus.CheckBlock(consensus.Regtest(), b)
	})
}

func witnessBlock(tb testing.TB) []byte {
	g := chaintest.New(tb, consensus.Regtest())
	g.Grow(chaintest.Root, "b", 100)
	key := chaintest.KeyFor(0)
	tx := key.Pay(g.At("b100").Mature(key), key.Script(chaintest.P2TR), btc, 0)
	return g.Build("b100", chaintest.Txs(tx)).Raw()
}

// FuzzParseTx holds our reading of a transaction against the library's: both take the same bytes and make the same of them.
func FuzzParseTx(f *testing.F) {
	b, err := consensus.ParseBlock(witnessBlock(f))
	if err != nil {
		f.Fatal(err)
	}
	for _, tx := range b.Txs {
		f.Add(tx.Raw())
	}
	for _, shape := range []struct{ inputs, outputs, items int }{{1, 1, 0}, {2, 2, 2}, {3, 1, 1}, {1, 3, 0}, {2, 300, 5}, {300, 1, 1}} {
		f.Add(consensus.NewTx(shaped(shape.inputs, shape.outputs, shape.items)).Raw())
	}
	f.Add([]byte("\x02\x00\x00\x00\x00\x01\x01" + strings.Repeat("\x00", 41) + "\x01" + strings.Repeat("\x00", 9) + "\x00" + "\x00\x00\x00\x00")) // a witness of nothing
	f.Fuzz(func(t *testing.T, raw []byte) {
		var msg wire.MsgTx
		r := bytes.NewReader(raw)
		theirs := msg.Deserialize(r) == nil && r.Len() == 0
		tx, err := consensus.ParseTx(raw)
		if theirs != (err == nil) {
			t.Fatalf("%v, but the library takes it: %v", err, theirs)
		}
		if err != nil {
			return
		}
		if msg.TxHash() != tx.TxID() || msg.WitnessHash() != tx.WTxID() || !reflect.DeepEqual(msg, *tx.Msg) {
			t.Fatal("the library reads it differently")
		}
		again := consensus.NewTx(tx.Msg)
		if !bytes.Equal(tx.Raw(), raw) || !bytes.Equal(again.Raw(), raw) || again.Size() != tx.Size() || again.Weight() != tx.Weight() {
			t.Fatal("written differently")
		}
		_ = consensus.CheckTx(tx)
	})
}

// shaped returns a transaction with so many inputs, outputs, and items in each witness.
func shaped(inputs, outputs, items int) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	for i := range inputs {
		in := &wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: uint32(i)}, SignatureScript: make([]byte, i%3)}
		for k := range items {
			in.Witness = append(in.Witness, bytes.Repeat([]byte{byte(k)}, 100*k))
		}
		msg.AddTxIn(in)
	}
	for i := range outputs {
		msg.AddTxOut(&wire.TxOut{Value: int64(i), PkScript: make([]byte, i)})
	}
	return msg
}

// What is taken off a parsed transaction cannot be written beyond its end.
func TestParsedTxIsClosed(t *testing.T) {
	tx, err := consensus.ParseTx(consensus.NewTx(shaped(2, 2, 2)).Raw())
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(tx.Raw())
	_ = append(tx.Raw(), 1)
	for _, in := range tx.Msg.TxIn {
		_ = append(in.SignatureScript, 1)
		_ = append(in.Witness, []byte{1})
		for _, item := range in.Witness {
			_ = append(item, 1)
		}
	}
	for _, out := range tx.Msg.TxOut {
		_ = append(out.PkScript, 1)
	}
	if !bytes.Equal(tx.Raw(), whole) || !bytes.Equal(consensus.NewTx(tx.Msg).Raw(), whole) {
		t.Error("it was changed")
	}
}

func FuzzParseHeader(f *testing.F) {
	b := consensus.NewBlock(consensus.Bitcoin().Genesis)
	f.Add(b.Raw()[:80])
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := consensus.ParseHeader(raw)
		if err != nil {
			return
		}
		g := consensus.Genesis(consensus.Bitcoin())
		_, _ = consensus.CheckHeader(g, &h, b.Header.Timestamp)
	})
}
