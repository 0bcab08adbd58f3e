package chaintest

import (
	"math"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Spend pays coins of key 0 to key 1.
func Spend(coins ...consensus.Entry) Mod { return Txs(pay(coins...)) }

func pay(coins ...consensus.Entry) *wire.MsgTx {
	var sum btcutil.Amount
	for _, c := range coins {
		sum += c.Coin.Value
	}
	return KeyFor(0).Pay(coins, KeyFor(1).Script(P2TR), sum, 0)
}

// At stamps the block.
func At(at time.Time) Mod { return Edit(func(m *wire.MsgBlock) { m.Header.Timestamp = at }) }

// After stamps the block this long after its parent.
func After(d time.Duration) Mod {
	return func(dr *Draft) { dr.Msg.Header.Timestamp = dr.Parent.State.Header.Timestamp.Add(d) }
}

// Claim sets what the coinbase pays.
func Claim(value btcutil.Amount) Mod {
	return Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value = int64(value) })
}

// Barren makes the coinbase pay nobody, so that long chains have few coins.
func Barren(d *Draft) { d.Msg.Transactions[0].TxOut[0].PkScript = []byte{txscript.OP_RETURN} }

// Flaw is a way to break a block on purpose.
type Flaw struct {
	Kind consensus.Kind // the rule that it breaks
	Mod  Mod            // for a block of regtest whose parent has a mature coin of key 0
}

// Flaws are ways to break a block that show at different steps: in its header, by itself, at its place, with its coins, in its scripts.
func Flaws() []Flaw {
	with := func(f func(d *Draft) *wire.MsgTx) Mod {
		return func(d *Draft) { d.Msg.Transactions = append(d.Msg.Transactions, f(d)) }
	}
	coin := func(d *Draft) consensus.Entry { return d.Parent.Mature(KeyFor(0))[0] }
	return []Flaw{
		{consensus.ErrTimeTooOld, func(d *Draft) { d.Msg.Header.Timestamp = d.Parent.State.MedianTime() }},
		{consensus.ErrVersion, Edit(func(m *wire.MsgBlock) { m.Header.Version = 3 })},
		{consensus.ErrManyCoinbases, with(func(d *Draft) *wire.MsgTx { return d.Msg.Transactions[0].Copy() })},
		{consensus.ErrDuplicateInputs, with(func(d *Draft) *wire.MsgTx { c := coin(d); return pay(c, c) })},
		{consensus.ErrNegativeOutput, Claim(-1)},
		{consensus.ErrCoinbaseHeight, Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = consensus.HeightPush(math.MaxInt32) })},
		{consensus.ErrNotFinal, with(func(d *Draft) *wire.MsgTx {
			tx, c := pay(coin(d)), coin(d)
			tx.LockTime, tx.TxIn[0].Sequence = uint32(d.Parent.State.Height+1), 0
			KeyFor(0).Sign(tx, []consensus.Entry{c})
			return tx
		})},
		{consensus.ErrCoinbaseValue, Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value++ })},
		{consensus.ErrMissingInput, with(func(d *Draft) *wire.MsgTx {
			c := coin(d)
			c.OutPoint.Index += 7
			return pay(c)
		})},
		{consensus.ErrOverspend, with(func(d *Draft) *wire.MsgTx {
			tx, c := pay(coin(d)), coin(d)
			tx.TxOut[0].Value++
			KeyFor(0).Sign(tx, []consensus.Entry{c})
			return tx
		})},
		{consensus.ErrScript, with(func(d *Draft) *wire.MsgTx {
			tx := pay(coin(d))
			tx.TxIn[0].Witness[0][10] ^= 1
			return tx
		})},
	}
}

// InHeader says whether the flaw shows in the header, so that the block never gets a place in the chain.
func (f Flaw) InHeader() bool {
	return f.Kind == consensus.ErrTimeTooOld || f.Kind == consensus.ErrVersion
}

// ByItself says whether the flaw shows as soon as the block is known, whether it is to be connected or not.
func (f Flaw) ByItself() bool {
	switch f.Kind {
	case consensus.ErrCoinbaseValue, consensus.ErrMissingInput, consensus.ErrOverspend, consensus.ErrScript:
		return false
	}
	return true
}

// Mutant returns a changed copy of b with the same header.
func Mutant(b *consensus.Block, change func(*wire.MsgBlock)) *consensus.Block {
	msg := wire.MsgBlock{Header: b.Header}
	for _, tx := range b.Txs {
		msg.Transactions = append(msg.Transactions, tx.Msg.Copy())
	}
	change(&msg)
	return consensus.NewBlock(&msg)
}

// Mutation is a change to a block that keeps its header, so that its hash is a good block's.
type Mutation struct {
	Name   string
	Kind   consensus.Kind // why the copy is refused
	Change func(*wire.MsgBlock)
}

// Mutations are what somebody can do to a good block without work, for one with a coinbase and two transactions that have witnesses of
// one signature and one key.
func Mutations() []Mutation {
	txs := func(f func(txs []*wire.MsgTx) []*wire.MsgTx) func(*wire.MsgBlock) {
		return func(m *wire.MsgBlock) { m.Transactions = f(m.Transactions) }
	}
	reserved := func(items ...[]byte) func(*wire.MsgBlock) {
		return func(m *wire.MsgBlock) { m.Transactions[0].TxIn[0].Witness = items }
	}
	return []Mutation{
		{"no transactions", consensus.ErrMerkleRoot, txs(func([]*wire.MsgTx) []*wire.MsgTx { return nil })},
		{"one less", consensus.ErrMerkleRoot, txs(func(t []*wire.MsgTx) []*wire.MsgTx { return t[:2] })},
		{"last one again", consensus.ErrDuplicateTxs, txs(func(t []*wire.MsgTx) []*wire.MsgTx { return append(t, t[2]) })},
		{"another order", consensus.ErrMerkleRoot, txs(func(t []*wire.MsgTx) []*wire.MsgTx { t[1], t[2] = t[2], t[1]; return t })},
		{"another output", consensus.ErrMerkleRoot, func(m *wire.MsgBlock) { m.Transactions[1].TxOut[0].Value-- }},
		{"another signature", consensus.ErrWitnessCommitment, func(m *wire.MsgBlock) { m.Transactions[1].TxIn[0].Witness[0][8] ^= 1 }},
		{"witnesses swapped", consensus.ErrWitnessCommitment, func(m *wire.MsgBlock) {
			a, b := m.Transactions[1].TxIn[0], m.Transactions[2].TxIn[0]
			a.Witness, b.Witness = b.Witness, a.Witness
		}},
		{"a witness item more", consensus.ErrWitnessCommitment, func(m *wire.MsgBlock) {
			w := &m.Transactions[1].TxIn[0].Witness
			*w = append(*w, []byte{1})
		}},
		{"no witness", consensus.ErrWitnessCommitment, func(m *wire.MsgBlock) { m.Transactions[1].TxIn[0].Witness = nil }},
		{"another reserved value", consensus.ErrWitnessCommitment, reserved(append(make([]byte, 31), 1))},
		{"no reserved value", consensus.ErrWitnessNonce, reserved()},
		{"reserved value of 31 bytes", consensus.ErrWitnessNonce, reserved(make([]byte, 31))},
		{"reserved value of 33 bytes", consensus.ErrWitnessNonce, reserved(make([]byte, 33))},
		{"two reserved values", consensus.ErrWitnessNonce, reserved(make([]byte, 32), make([]byte, 32))},
		{"reserved value of a block's size", consensus.ErrWitnessNonce, reserved(make([]byte, 4_000_000))},
	}
}
