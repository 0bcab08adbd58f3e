package loadchain

import (
	"fmt"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// line is a chain without forks that grows.
type line struct {
	params *consensus.Params
	blocks int       // how many there will be
	last   time.Time // of the last one
	at     consensus.State
}

func newLine(p *consensus.Params, blocks int, last time.Time) line {
	return line{params: p, blocks: blocks, last: last, at: consensus.Genesis(p)}
}

// next makes the next block, whose coinbase pays outs.
func (l *line) next(outs []*wire.TxOut, txs []*wire.MsgTx) *consensus.Block {
	p, height := l.params, l.at.Height+1
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, append(consensus.HeightPush(height), 0, 0), nil))
	coinbase.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
	coinbase.TxOut = outs
	all := make([]*consensus.Tx, 1, 1+len(txs))
	all[0] = consensus.NewTx(coinbase)
	for _, tx := range txs {
		all = append(all, consensus.NewTx(tx))
	}
	root := consensus.WitnessCommitment(consensus.WitnessRoot(all), coinbase.TxIn[0].Witness[0])
	coinbase.AddTxOut(wire.NewTxOut(0, consensus.CommitmentScript(root)))
	all[0] = consensus.NewTx(coinbase)

	step := min(p.BlockInterval, l.last.Sub(p.Genesis.Header.Timestamp)/time.Duration(l.blocks))
	after := time.Duration(l.blocks) - time.Duration(height)
	h := wire.BlockHeader{
		Version: 0x20000000, PrevBlock: l.at.Hash, Bits: l.at.NextBits(),
		Timestamp: l.last.Add(-after * step).Truncate(time.Second),
	}
	h.MerkleRoot, _ = consensus.TxIDRoot(all)
	for consensus.CheckWork(p, &h) != nil {
		h.Nonce++
	}
	l.at = l.at.Next(&h)
	return consensus.AssembleBlock(h, all)
}

// emit hands a block out.
func (l *line) emit(b *consensus.Block, emit func(*consensus.Block) error) error {
	if err := emit(b); err != nil {
		return fmt.Errorf("block %d: %w", l.at.Height, err)
	}
	return nil
}
