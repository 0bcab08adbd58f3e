package consensus_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
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
		if !bytes.Equal(b.Raw(), raw) || b.Size() != len(raw) {
			t.Fatal("written differently")
		}
		again := consensus.NewBlock(b.Msg())
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

func FuzzParseTx(f *testing.F) {
	b, err := consensus.ParseBlock(witnessBlock(f))
	if err != nil {
		f.Fatal(err)
	}
	for _, tx := range b.Txs {
		f.Add(tx.Raw())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := consensus.ParseTx(raw)
		if err != nil {
			return
		}
		var msg wire.MsgTx
		if err := msg.Deserialize(bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
		if msg.TxHash() != tx.TxID() || !bytes.Equal(tx.Raw(), raw) {
			t.Fatal("the library reads it differently")
		}
		_ = consensus.CheckTx(tx)
	})
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
