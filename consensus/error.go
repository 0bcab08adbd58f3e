package consensus

import "fmt"

// Kind names the rule that something broke. It is an error, so that errors.Is(err, ErrHighHash) asks for the
// rule, and its text is Bitcoin Core's reject string.
type Kind uint8

// The rules. The comments say what breaks them.
const (
	ErrDecode        Kind = iota + 1 // bytes are not a transaction, header or block, or more follow it
	ErrHighHash                      // hash above the target, or target outside of what the network allows
	ErrBadBits                       // target is not the one that the difficulty rule asks for here
	ErrTimeTooOld                    // not after the median of the last eleven blocks (BIP113's clock)
	ErrTimeTooNew                    // more than two hours ahead of now; passes with time
	ErrVersion                       // version below what BIP34, 66 and 65 ask for
	ErrPrevUnknown                   // parent is not known
	ErrPrevInvalid                   // parent is invalid
	ErrKnownInvalid                  // the block was found invalid before
	ErrMarkedInvalid                 // an operator marked the block

	ErrMerkleRoot        // merkle root is not that of the transactions
	ErrDuplicateTxs      // transactions repeat so that the root stays the same (CVE-2012-2459)
	ErrBlockSize         // no transactions, or more than fit without witness
	ErrBlockWeight       // above 4,000,000 weight units (BIP141)
	ErrNoCoinbase        // first transaction is no coinbase
	ErrManyCoinbases     // another transaction is a coinbase
	ErrBlockSigOps       // sigop cost above 80,000 (BIP141)
	ErrCoinbaseHeight    // coinbase does not begin with the height (BIP34)
	ErrNotFinal          // transaction's lock time is not reached
	ErrWitnessNonce      // commitment without one 32-byte reserved value (BIP141)
	ErrWitnessCommitment // commitment is not that of the witnesses (BIP141)
	ErrUnexpectedWitness // witness without a commitment (BIP141)
	ErrDuplicateTx       // transaction would replace unspent coins (BIP30)
	ErrCoinbaseValue     // coinbase claims more than subsidy and fees
	ErrAccumulatedFee    // sum of fees outside of the money range
	ErrSequenceLocks     // a relative lock time is not reached (BIP68)
	ErrNoInputs          // transaction without inputs
	ErrNoOutputs         // transaction without outputs
	ErrTxSize            // more than 1,000,000 bytes without witness
	ErrNegativeOutput    // output below zero
	ErrLargeOutput       // output above 21 million
	ErrLargeOutputs      // sum of outputs above 21 million
	ErrDuplicateInputs   // spends an output twice (CVE-2018-17144)
	ErrCoinbaseScript    // coinbase script not 2 to 100 bytes
	ErrNullInput         // null outpoint outside of a coinbase
	ErrMissingInput      // spends a coin that does not exist or is spent
	ErrImmature          // spends a coinbase before 100 blocks passed
	ErrInputRange        // value of inputs outside of the money range
	ErrOverspend         // outputs are more than inputs
	ErrScript            // a script fails
	numKinds
)

// rejects has Bitcoin Core's reject string for each Kind.
var rejects = [numKinds]string{
	ErrDecode:            "error parsing message",
	ErrHighHash:          "high-hash",
	ErrBadBits:           "bad-diffbits",
	ErrTimeTooOld:        "time-too-old",
	ErrTimeTooNew:        "time-too-new",
	ErrVersion:           "bad-version",
	ErrPrevUnknown:       "prev-blk-not-found",
	ErrPrevInvalid:       "bad-prevblk",
	ErrKnownInvalid:      "duplicate-invalid",
	ErrMarkedInvalid:     "duplicate-invalid",
	ErrMerkleRoot:        "bad-txnmrklroot",
	ErrDuplicateTxs:      "bad-txns-duplicate",
	ErrBlockSize:         "bad-blk-length",
	ErrBlockWeight:       "bad-blk-weight",
	ErrNoCoinbase:        "bad-cb-missing",
	ErrManyCoinbases:     "bad-cb-multiple",
	ErrBlockSigOps:       "bad-blk-sigops",
	ErrCoinbaseHeight:    "bad-cb-height",
	ErrNotFinal:          "bad-txns-nonfinal",
	ErrWitnessNonce:      "bad-witness-nonce-size",
	ErrWitnessCommitment: "bad-witness-merkle-match",
	ErrUnexpectedWitness: "unexpected-witness",
	ErrDuplicateTx:       "bad-txns-BIP30",
	ErrCoinbaseValue:     "bad-cb-amount",
	ErrAccumulatedFee:    "bad-txns-accumulated-fee-outofrange",
	ErrSequenceLocks:     "bad-txns-nonfinal",
	ErrNoInputs:          "bad-txns-vin-empty",
	ErrNoOutputs:         "bad-txns-vout-empty",
	ErrTxSize:            "bad-txns-oversize",
	ErrNegativeOutput:    "bad-txns-vout-negative",
	ErrLargeOutput:       "bad-txns-vout-toolarge",
	ErrLargeOutputs:      "bad-txns-txouttotal-toolarge",
	ErrDuplicateInputs:   "bad-txns-inputs-duplicate",
	ErrCoinbaseScript:    "bad-cb-length",
	ErrNullInput:         "bad-txns-prevout-null",
	ErrMissingInput:      "bad-txns-inputs-missingorspent",
	ErrImmature:          "bad-txns-premature-spend-of-coinbase",
	ErrInputRange:        "bad-txns-inputvalues-outofrange",
	ErrOverspend:         "bad-txns-in-belowout",
	ErrScript:            "mandatory-script-verify-flag-failed",
}

// Error returns Core's reject string.
func (k Kind) Error() string {
	if k == 0 || k >= numKinds {
		return fmt.Sprintf("rule %d", uint8(k))
	}
	return rejects[k]
}

// Mutation reports whether breaking the rule k condemns only this copy of a block: another one with the same hash may be
// valid, so the hash must not be marked.
func (k Kind) Mutation() bool {
	switch k {
	case ErrDecode, ErrMerkleRoot, ErrDuplicateTxs, ErrWitnessNonce, ErrWitnessCommitment, ErrUnexpectedWitness:
		return true
	}
	return false
}

// BeforeRelay reports whether a peer must have checked k before it forwards or serves a block: its form, header, work,
// merkle root and witness commitment. Only these cost a peer its score.
func (k Kind) BeforeRelay() bool {
	switch k {
	case ErrHighHash, ErrBadBits, ErrTimeTooOld, ErrVersion:
		return true
	}
	return k.Mutation()
}

// RuleError says that something is invalid for everybody, and why.
type RuleError struct {
	Kind   Kind
	Detail string // the values that broke the rule, for a human
	Input  int    // of the transaction, whose script failed; of ErrScript alone
	reason string // replaces the reject string of Kind where Core puts values into it
}

func ruleError(k Kind, format string, args ...any) error {
	return RuleError{Kind: k, Detail: fmt.Sprintf(format, args...)}
}

// Error returns the reject reason and the detail.
func (e RuleError) Error() string {
	if e.Detail == "" {
		return e.RejectReason()
	}
	return e.RejectReason() + ", " + e.Detail
}

// RejectReason returns Bitcoin Core's reject string, with the values that Core puts into it.
func (e RuleError) RejectReason() string {
	if e.reason != "" {
		return e.reason
	}
	return e.Kind.Error()
}

// Unwrap returns the Kind, for errors.Is.
func (e RuleError) Unwrap() error { return e.Kind }
