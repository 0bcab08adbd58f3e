package loadchain

import (
	"encoding/binary"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Growth says how to make a chain whose length and coin set are what matters: nothing in it is signed. The coinbase of each block makes coins as
// long as P2TR's that anybody can spend, and later blocks spend some of them, of all ages.
type Growth struct {
	Params *consensus.Params // of a network whose blocks cost no work
	Blocks int
	Coins  int       // that each block makes
	Spends int       // that each block spends, as far as there are blocks to spend from; at most Coins
	Last   time.Time // of the last block
}

// Grow calls emit for every block of the chain after the network's first, in order, and stops at emit's first error.
func Grow(s Growth, emit func(*consensus.Block) error) error {
	l := newLine(s.Params, s.Blocks, s.Last)
	made := make([]chainhash.Hash, 1, s.Blocks+1) // the coinbase of each height; the first one makes no coins
	for range s.Blocks {
		b := l.next(s.outputs(&l.at), s.spends(made))
		made = append(made, b.Txs[0].TxID())
		if err := l.emit(b, emit); err != nil {
			return err
		}
	}
	return nil
}

// outputs returns the coins that the block after at makes. All but the first have no value.
func (s *Growth) outputs(at *consensus.State) []*wire.TxOut {
	outs := make([]*wire.TxOut, s.Coins)
	for i := range outs {
		script := make([]byte, 0, 35)
		script = append(script, txscript.OP_DATA_32)
		script = binary.LittleEndian.AppendUint64(script, uint64(at.Height)<<32|uint64(i))
		script = append(script, make([]byte, 24)...)
		outs[i] = wire.NewTxOut(0, append(script, txscript.OP_DROP, txscript.OP_TRUE))
	}
	outs[0].Value = int64(at.Subsidy())
	return outs
}

// spends returns a transaction that spends the k-th coin of a block that is mature by k parts of the way to the first one, for all k: no
// coin is spent twice, since its number tells how old it is then. There is none while no block is mature.
func (s *Growth) spends(made []chainhash.Hash) []*wire.MsgTx {
	tx := wire.NewMsgTx(2)
	newest, step := len(made)-consensus.Maturity, max(s.Blocks/max(s.Spends, 1), 1)
	for k := range s.Spends {
		from := newest - k*step
		if from < 1 {
			break
		}
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: made[from], Index: uint32(k)}, nil, nil))
	}
	if len(tx.TxIn) == 0 {
		return nil
	}
	tx.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN}))
	return []*wire.MsgTx{tx}
}
