package miner

import (
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// Limits are what a template may hold. What the coinbase will take is counted in from the beginning.
type Limits struct {
	Weight int
	SigOps int            // cost
	MinFee btcutil.Amount // per 1000 virtual bytes, of a transaction with its ancestors
}

// DefaultLimits returns Bitcoin Core 28's limits.
func DefaultLimits() Limits {
	return Limits{Weight: consensus.MaxBlockWeight - reservedWeight, SigOps: consensus.MaxBlockSigOpCost, MinFee: 1000}
}

// What is kept free for the header, the count of transactions and the coinbase.
const (
	reservedWeight = 4000
	reservedSigOps = 400
)

// Source is what a template is made of.
type Source struct {
	State   consensus.State    // the place that the block follows
	Entries []ledger.PoolEntry // valid at State, parents before children
	Script  []byte             // the coinbase pays to it
	Extra   uint64             // extra nonce
	Now     time.Time
	Limits  Limits
}

// Assemble returns the template that pays best: of all transactions the one whose unmined ancestors and itself pay the most per
// byte comes next, with those ancestors before it, until the block is full or too little is paid. It reads its argument only.
func Assemble(s Source) *ledger.Template {
	chosen := choose(s)
	var fees btcutil.Amount
	txs := make([]*consensus.Tx, len(chosen))
	for i, e := range chosen {
		txs[i] = e.Tx
		fees += e.Fee
	}
	value := s.State.Subsidy() + fees
	msg := build(s, value, txs)
	flags := consensus.NextFlags(s.State, msg.BlockHash())
	t := &ledger.Template{
		Block: msg, Height: s.State.Height + 1, MinTime: minTime(s.State), Value: value,
		Fees:   []btcutil.Amount{-fees},
		SigOps: []int{consensus.SigOpCost(consensus.NewTx(msg.Transactions[0]), nil, flags)},
	}
	for _, e := range chosen {
		t.Fees = append(t.Fees, e.Fee)
		t.SigOps = append(t.SigOps, e.SigOpCost)
	}
	if outs := msg.Transactions[0].TxOut; segwit(s.State) {
		t.Witness = outs[len(outs)-1].PkScript
	}
	return t
}

// minTime returns the earliest timestamp of the block after s.
func minTime(s consensus.State) time.Time { return s.MedianTime().Add(time.Second) }

// segwit reports whether the block after s commits to witnesses (BIP141).
func segwit(s consensus.State) bool { return s.Height+1 >= s.Params().SegwitHeight }
