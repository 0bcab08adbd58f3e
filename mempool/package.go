package mempool

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// maxPackageWeight is what transactions that are looked at together may weigh: the largest set of related ones.
const maxPackageWeight = 404_000

// checkPackage says whether txs, which are more than one, may be looked at together: each behind those that it spends, and all of them at the same time.
func checkPackage(txs []*consensus.Tx) error {
	weight := 0
	later := make(map[chainhash.Hash]struct{}, len(txs)) // those that were not looked at yet
	for _, tx := range txs {
		weight += tx.Weight()
		later[tx.TxID()] = struct{}{}
	}
	switch {
	case weight > maxPackageWeight:
		return refuse("package-too-large", "")
	case len(later) < len(txs):
		return refuse("package-contains-duplicates", "")
	}
	for _, tx := range txs {
		for _, in := range tx.Msg.TxIn {
			if _, ok := later[in.PreviousOutPoint.Hash]; ok {
				return refuse("package-not-sorted", "")
			}
		}
		delete(later, tx.TxID())
	}
	return checkConflicts(txs)
}

// checkConflicts refuses txs of which two spend the same. One that does so itself is for consensus.CheckTx to refuse.
func checkConflicts(txs []*consensus.Tx) error {
	spends := make(map[wire.OutPoint]int)
	for i, tx := range txs {
		if len(tx.Msg.TxIn) == 0 { // could be there twice
			return refuse("conflict-in-package", "")
		}
		for _, in := range tx.Msg.TxIn {
			if first, ok := spends[in.PreviousOutPoint]; ok && first != i {
				return refuse("conflict-in-package", "")
			}
			spends[in.PreviousOutPoint] = i
		}
	}
	return nil
}
