package consensus

import (
	"bytes"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// witnessScale is the weight of a byte outside the witness (BIP141).
const witnessScale = 4

// Tx is a transaction with what is asked of it again and again: its hashes and sizes.
// It must not be changed.
type Tx struct {
	Msg *wire.MsgTx

	id, wid chainhash.Hash
	raw     []byte // with witness; nil if it did not come serialized
	size    int    // bytes with witness
	base    int    // bytes without witness
}

// NewTx wraps msg, which must not change afterwards.
func NewTx(msg *wire.MsgTx) *Tx {
	t := &Tx{Msg: msg, id: msg.TxHash(), size: msg.SerializeSize(), base: msg.SerializeSizeStripped()}
	t.wid = t.id
	if msg.HasWitness() {
		t.wid = msg.WitnessHash()
	}
	return t
}

// TxID returns the hash of the transaction without its witness.
func (t *Tx) TxID() chainhash.Hash { return t.id }

// WTxID returns the hash of the transaction with its witness (BIP141). A coinbase has its real hash here,
// not the zero hash that the commitment takes for it.
func (t *Tx) WTxID() chainhash.Hash { return t.wid }

// Size returns the serialized size with witness, in bytes.
func (t *Tx) Size() int { return t.size }

// Weight returns the size in weight units (BIP141).
func (t *Tx) Weight() int { return t.base*(witnessScale-1) + t.size }

// VSize returns the weight as virtual bytes, rounded up (BIP141).
func (t *Tx) VSize() int { return (t.Weight() + witnessScale - 1) / witnessScale }

// Raw returns the serialized transaction with its witness. It must not be changed.
func (t *Tx) Raw() []byte {
	if t.raw != nil {
		return t.raw
	}
	return t.appendTo(make([]byte, 0, t.size))
}

// appendTo appends the serialized transaction.
func (t *Tx) appendTo(dst []byte) []byte {
	if t.raw != nil {
		return append(dst, t.raw...)
	}
	w := bytes.NewBuffer(dst)
	_ = t.Msg.Serialize(w) // a bytes.Buffer takes every write
	return w.Bytes()
}

// Block is a block with its hashes. It must not be changed.
type Block struct {
	Header wire.BlockHeader
	Txs    []*Tx

	hash chainhash.Hash
	size int // bytes with witness
	base int // bytes without witness
}

// NewBlock wraps msg, which must not change afterwards.
func NewBlock(msg *wire.MsgBlock) *Block {
	txs := make([]*Tx, len(msg.Transactions))
	for i, tx := range msg.Transactions {
		txs[i] = NewTx(tx)
	}
	return AssembleBlock(msg.Header, txs)
}

// AssembleBlock makes a block of its header and transactions, as a relay does that has them already.
func AssembleBlock(h wire.BlockHeader, txs []*Tx) *Block {
	b := &Block{Header: h, Txs: txs, hash: h.BlockHash()}
	n := wire.MaxBlockHeaderPayload + wire.VarIntSerializeSize(uint64(len(txs)))
	b.size, b.base = n, n
	for _, tx := range txs {
		b.size += tx.size
		b.base += tx.base
	}
	return b
}

// Hash returns the hash of the header.
func (b *Block) Hash() chainhash.Hash { return b.hash }

// Size returns the serialized size with witness, in bytes.
func (b *Block) Size() int { return b.size }

// StrippedSize returns the serialized size without witness, in bytes.
func (b *Block) StrippedSize() int { return b.base }

// Weight returns the size in weight units (BIP141).
func (b *Block) Weight() int { return b.base*(witnessScale-1) + b.size }

// Raw returns the serialized block with witness.
func (b *Block) Raw() []byte {
	w := bytes.NewBuffer(make([]byte, 0, b.size))
	_ = b.Header.Serialize(w) // a bytes.Buffer takes every write
	_ = wire.WriteVarInt(w, 0, uint64(len(b.Txs)))
	raw := w.Bytes()
	for _, tx := range b.Txs {
		raw = tx.appendTo(raw)
	}
	return raw
}

// Msg returns the block as a message that shares the transactions of b.
func (b *Block) Msg() *wire.MsgBlock {
	msg := wire.NewMsgBlock(&b.Header)
	for _, tx := range b.Txs {
		msg.Transactions = append(msg.Transactions, tx.Msg)
	}
	return msg
}
