package consensus

import (
	"bytes"

	"github.com/btcsuite/btcd/txscript/v2"
)

// Limits of a block (BIP141).
const (
	MaxBlockWeight    = 4_000_000
	MaxBlockSigOpCost = 80_000
)

const (
	reservedValueSize = 32 // bytes of the witness reserved value
	innerNodeSize     = 64 // bytes of two hashes: an inner node of the merkle tree
)

// commitmentPrefix begins the script of the output that commits to the witnesses: OP_RETURN, a push of 36 bytes, four of magic (BIP141).
var commitmentPrefix = [...]byte{txscript.OP_RETURN, txscript.OP_DATA_36, 0xaa, 0x21, 0xa9, 0xed}

// CommitmentScript returns the script of the coinbase output that commits to the witnesses.
func CommitmentScript(commitment [32]byte) []byte {
	return append(commitmentPrefix[:], commitment[:]...)
}

// CheckBlock says whether b can be valid anywhere: its work, merkle root, size and transactions.
func CheckBlock(p *Params, b *Block) error {
	if err := checkWork(p, &b.Header, b.hash); err != nil {
		return err
	}
	if err := checkMerkleRoot(b); err != nil {
		return err
	}
	if n := len(b.Txs); n == 0 || n*witnessScale > MaxBlockWeight || b.base*witnessScale > MaxBlockWeight {
		return ruleError(ErrBlockSize, "size limits failed: %d transactions, %d bytes without witness", n, b.base)
	}
	if err := checkCoinbases(b); err != nil {
		return err
	}
	sigOps := 0
	for _, tx := range b.Txs {
		if err := CheckTx(tx); err != nil {
			return within(tx, err)
		}
		sigOps += legacySigOps(tx)
	}
	if sigOps*witnessScale > MaxBlockSigOpCost {
		return ruleError(ErrBlockSigOps, "out-of-bounds SigOpCount: %d", sigOps)
	}
	return nil
}

func checkMerkleRoot(b *Block) error {
	root, mutated := TxIDRoot(b.Txs)
	if root != b.Header.MerkleRoot {
		return ruleError(ErrMerkleRoot, "hashMerkleRoot mismatch")
	}
	if mutated {
		return ruleError(ErrDuplicateTxs, "duplicate transaction")
	}
	return nil
}

func checkCoinbases(b *Block) error {
	if !IsCoinbase(b.Txs[0]) {
		for _, tx := range b.Txs {
			if tx.base == innerNodeSize { // the honest block of this hash may have a deeper tree
				return ruleError(ErrMerkleRoot, "first tx is not coinbase, and another may be an inner node of the merkle tree")
			}
		}
		return ruleError(ErrNoCoinbase, "first tx is not coinbase")
	}
	for _, tx := range b.Txs[1:] {
		if IsCoinbase(tx) {
			return ruleError(ErrManyCoinbases, "more than one coinbase")
		}
	}
	return nil
}

// CheckBlockPlace says whether b, which has passed CheckBlock, may follow s: lock times, the height in its coinbase, its commitment to
// the witnesses and its weight.
func CheckBlockPlace(s State, b *Block) error {
	height, cutoff := s.Height+1, b.Header.Timestamp
	if height >= s.params.CSVHeight { // BIP113
		cutoff = s.MedianTime()
	}
	for _, tx := range b.Txs {
		if !IsFinal(tx, height, cutoff) {
			return ruleError(ErrNotFinal, "non-final transaction %v", tx.id)
		}
	}
	if height >= s.params.BIP34Height {
		if script := b.Txs[0].Msg.TxIn[0].SignatureScript; !bytes.HasPrefix(script, HeightPush(height)) {
			return ruleError(ErrCoinbaseHeight, "block height mismatch in coinbase")
		}
	}
	if err := checkWitness(b, height >= s.params.SegwitHeight); err != nil {
		return err
	}
	if w := b.Weight(); w > MaxBlockWeight {
		return ruleError(ErrBlockWeight, "weight limit failed: %d", w)
	}
	return nil
}

// HeightPush returns the script that the coinbase of a block at height begins with (BIP34).
func HeightPush(height int32) []byte {
	script, err := txscript.NewScriptBuilder().AddInt64(int64(height)).Script()
	if err != nil {
		panic(err) // a push of at most five bytes fits every script
	}
	return script
}

// checkWitness holds the witnesses of b against the commitment in its coinbase; without one there may be none.
func checkWitness(b *Block, segwit bool) error {
	coinbase := b.Txs[0].Msg
	if script := commitmentOf(b.Txs[0]); segwit && script != nil {
		witness := coinbase.TxIn[0].Witness
		if len(witness) != 1 || len(witness[0]) != reservedValueSize {
			return ruleError(ErrWitnessNonce, "invalid witness reserved value size")
		}
		want := WitnessCommitment(WitnessRoot(b.Txs), witness[0])
		if !bytes.Equal(want[:], script[len(commitmentPrefix):][:len(want)]) {
			return ruleError(ErrWitnessCommitment, "witness merkle commitment mismatch")
		}
		return nil
	}
	for _, tx := range b.Txs {
		if tx.Msg.HasWitness() {
			return ruleError(ErrUnexpectedWitness, "unexpected witness data found")
		}
	}
	return nil
}

// commitmentOf returns the script of the last output that commits to the witnesses, nil if there is none.
func commitmentOf(coinbase *Tx) []byte {
	out := coinbase.Msg.TxOut
	for i := len(out) - 1; i >= 0; i-- {
		script := out[i].PkScript
		if len(script) >= len(commitmentPrefix)+32 && bytes.HasPrefix(script, commitmentPrefix[:]) {
			return script
		}
	}
	return nil
}

// within adds to a rule error which transaction it is about.
func within(tx *Tx, err error) error {
	rule, ok := err.(RuleError)
	if !ok {
		return err
	}
	if rule.Detail != "" {
		rule.Detail = ": " + rule.Detail
	}
	rule.Detail = "transaction " + tx.id.String() + rule.Detail
	return rule
}
