package miner

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// blockVersion is the version of our blocks: no signals (BIP9).
const blockVersion = 0x20000000

// build returns the block of txs after s.State whose coinbase pays value to s.Script. It lacks its nonce.
func build(s Source, value btcutil.Amount, txs []*consensus.Tx) *wire.MsgBlock {
	at := s.Now
	if least := minTime(s.State); at.Before(least) {
		at = least
	}
	msg := wire.NewMsgBlock(&wire.BlockHeader{
		Version: blockVersion, PrevBlock: s.State.Hash, Timestamp: at.Truncate(time.Second), Bits: s.State.NextBits(),
	})
	coinbase := newCoinbase(s.State, s.Script, value, s.Extra)
	msg.Transactions = append(msg.Transactions, coinbase)
	if segwit(s.State) {
		commit(coinbase, txs)
	}
	for _, tx := range txs {
		msg.Transactions = append(msg.Transactions, tx.Msg)
	}
	all := append([]*consensus.Tx{consensus.NewTx(coinbase)}, txs...)
	msg.Header.MerkleRoot, _ = consensus.TxIDRoot(all)
	return msg
}

// newCoinbase returns the coinbase of the block after s.
func newCoinbase(s consensus.State, script []byte, value btcutil.Amount, extra uint64) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: math.MaxUint32}, append(consensus.HeightPush(s.Height+1), extraPush(extra)...), nil))
	tx.AddTxOut(wire.NewTxOut(int64(value), script))
	return tx
}

// extraSize is the size of the push that ends the script of our coinbases: the extra nonce.
const extraSize = 1 + 8

func extraPush(extra uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{txscript.OP_DATA_8}, extra)
}

// setExtra gives the coinbase of msg, made by build, another extra nonce, so that there are new nonces to try. The coinbase is replaced by a copy.
func setExtra(msg *wire.MsgBlock, extra uint64) {
	coinbase := msg.Transactions[0].Copy()
	script := coinbase.TxIn[0].SignatureScript
	copy(script[len(script)-extraSize:], extraPush(extra))
	msg.Transactions[0] = coinbase
	msg.Header.MerkleRoot, _ = consensus.TxIDRoot(consensus.NewBlock(msg).Txs)
}

// commit adds the output that commits to the witnesses of txs, with a reserved value of zeros (BIP141).
func commit(coinbase *wire.MsgTx, txs []*consensus.Tx) {
	reserved := make([]byte, 32)
	coinbase.TxIn[0].Witness = wire.TxWitness{reserved}
	root := consensus.WitnessRoot(append([]*consensus.Tx{consensus.NewTx(coinbase)}, txs...)) // the first counts as zero
	script := consensus.CommitmentScript(consensus.WitnessCommitment(root, reserved))
	coinbase.AddTxOut(wire.NewTxOut(0, script))
}
