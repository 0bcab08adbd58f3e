package consensus

import (
	"crypto/sha256"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// MerkleRoot returns the root of Bitcoin's merkle tree over hashes, zero for none. mutated says that two equal
// neighbours were hashed together: then another list, with those repeated, has the same root (CVE-2012-2459).
func MerkleRoot(hashes []chainhash.Hash) (root chainhash.Hash, mutated bool) {
	return fold(slices.Clone(hashes))
}

// fold is MerkleRoot for hashes that nobody wants any more.
func fold(level []chainhash.Hash) (root chainhash.Hash, mutated bool) {
	if len(level) == 0 {
		return chainhash.Hash{}, false
	}
	var pair [2 * chainhash.HashSize]byte
	for len(level) > 1 {
		for i := 0; i+1 < len(level); i += 2 {
			mutated = mutated || level[i] == level[i+1]
		}
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		for i := 0; i < len(level); i += 2 {
			copy(pair[:chainhash.HashSize], level[i][:])
			copy(pair[chainhash.HashSize:], level[i+1][:])
			first := sha256.Sum256(pair[:])
			level[i/2] = sha256.Sum256(first[:])
		}
		level = level[:len(level)/2]
	}
	return level[0], mutated
}

// TxIDRoot returns the merkle root over the ids of txs, as a header has it.
func TxIDRoot(txs []*Tx) (root chainhash.Hash, mutated bool) {
	ids := make([]chainhash.Hash, len(txs), len(txs)+1) // for one that is repeated
	for i, tx := range txs {
		ids[i] = tx.id
	}
	return fold(ids)
}

// WitnessRoot returns the merkle root over the ids with witness of txs, the coinbase's taken as zero (BIP141).
func WitnessRoot(txs []*Tx) chainhash.Hash {
	ids := make([]chainhash.Hash, len(txs), len(txs)+1)
	for i, tx := range txs {
		if i > 0 {
			ids[i] = tx.wid
		}
	}
	root, _ := fold(ids)
	return root
}

// WitnessCommitment returns the hash that a coinbase commits to: of the witness root and the reserved value (BIP141).
func WitnessCommitment(root chainhash.Hash, reserved []byte) chainhash.Hash {
	return chainhash.DoubleHashH(append(root[:], reserved...))
}
