package mempool

import (
	"fmt"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/consensus"
)

// Policy is what this pool wants on top of what is valid. Fee rates are per 1000 virtual bytes.
type Policy struct {
	MaxBytes       int64          // memory of the whole pool
	MinRelayFee    btcutil.Amount // the least fee rate at any time
	IncrementalFee btcutil.Amount // by how much the least fee rate grows when the pool is full
	DustFee        btcutil.Amount // an output that costs more to spend at this rate than it is worth is dust

	Expiry time.Duration // how long a transaction waits for a block

	DataCarrierBytes int  // of a script that only carries data; 0 refuses all
	BareMultisig     bool // keys in the output itself, without a script hash

	AncestorCount, AncestorSize     int // in the pool, the transaction included; sizes in virtual bytes
	DescendantCount, DescendantSize int
}

// DefaultPolicy returns Bitcoin Core 28's policy.
func DefaultPolicy() Policy {
	return Policy{
		MaxBytes:         300_000_000,
		MinRelayFee:      1000,
		IncrementalFee:   1000,
		DustFee:          3000,
		Expiry:           336 * time.Hour,
		DataCarrierBytes: 83,
		BareMultisig:     true,
		AncestorCount:    25, AncestorSize: 101_000,
		DescendantCount: 25, DescendantSize: 101_000,
	}
}

// minMaxBytes holds the largest set of related transactions with room to spare, as Core's smallest pool does.
const minMaxBytes = 5_000_000

// Check says whether the values of p make a pool.
func (p Policy) Check() error {
	switch {
	case p.MaxBytes < minMaxBytes:
		return fmt.Errorf("mempool of %d bytes: at least %d are needed", p.MaxBytes, minMaxBytes)
	case p.MinRelayFee < 0, p.IncrementalFee < 0, p.DustFee < 0:
		return fmt.Errorf("mempool fee rates cannot be negative")
	case p.Expiry <= 0:
		return fmt.Errorf("mempool transactions cannot expire after %v", p.Expiry)
	case p.AncestorCount < 1, p.AncestorSize < 1, p.DescendantCount < 1, p.DescendantSize < 1:
		return fmt.Errorf("mempool limits of ancestors and descendants must be positive")
	}
	return nil
}

// Reasons why a transaction is not wanted here: Bitcoin Core's reject strings.
const (
	reasonInPool      = "txn-already-in-mempool"
	reasonInChain     = "txn-already-known"
	reasonSameTxID    = "txn-same-nonwitness-data-in-mempool"
	reasonConflict    = "txn-mempool-conflict"
	reasonCoinbase    = "coinbase"
	reasonVersion     = "version"
	reasonTxSize      = "tx-size"
	reasonTxSizeSmall = "tx-size-small"
	reasonSigSize     = "scriptsig-size"
	reasonSigPush     = "scriptsig-not-pushonly"
	reasonScript      = "scriptpubkey"
	reasonMultisig    = "bare-multisig"
	reasonData        = "multi-op-return"
	reasonDust        = "dust"
	reasonNotFinal    = "non-final"
	reasonLocked      = "non-BIP68-final"
	reasonInputs      = "bad-txns-nonstandard-inputs"
	reasonWitness     = "bad-witness-nonstandard"
	reasonSigOps      = "bad-txns-too-many-sigops"
	reasonRelayFee    = "min relay fee not met"
	reasonPoolFee     = "mempool min fee not met"
	reasonChain       = "too-long-mempool-chain"
	reasonTRUC        = "TRUC-violation"
	reasonFull        = "mempool full"
	reasonFlags       = "non-mandatory-script-verify-flag"
)

// PolicyError says that a transaction is not wanted here, or not now. It may be valid, and nobody is to blame.
type PolicyError struct {
	Reason string // Core's reject string
	Detail string // the values behind it, for a human

	kind consensus.Kind // the rule that is not met yet, if it is one
}

// refuse returns a PolicyError.
func refuse(reason, format string, args ...any) error {
	return PolicyError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Error returns the reason and the detail.
func (e PolicyError) Error() string {
	if e.Detail == "" {
		return e.Reason
	}
	return e.Reason + ", " + e.Detail
}

// RejectReason returns Bitcoin Core's reject string.
func (e PolicyError) RejectReason() string { return e.Reason }

// Unwrap returns the consensus.Kind of the rule that the transaction does not meet now but may meet on another tip, such as
// consensus.ErrMissingInput; nil if there is none.
func (e PolicyError) Unwrap() error {
	if e.kind == 0 {
		return nil
	}
	return e.kind
}
