package consensus

import (
	"fmt"
	"math"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Limits of a transaction.
const (
	maxTxBase         = MaxBlockWeight / witnessScale // bytes without witness
	minCoinbaseScript = 2
	maxCoinbaseScript = 100
)

// IsCoinbase reports whether tx has the form of a coinbase: one input, which spends nothing.
func IsCoinbase(tx *Tx) bool {
	in := tx.Msg.TxIn
	return len(in) == 1 && isNull(in[0].PreviousOutPoint)
}

func isNull(op wire.OutPoint) bool {
	return op.Index == math.MaxUint32 && op.Hash == chainhash.Hash{}
}

// CheckTx says whether tx can be valid anywhere.
func CheckTx(tx *Tx) error {
	in, out := tx.Msg.TxIn, tx.Msg.TxOut
	switch {
	case len(in) == 0:
		return ruleError(ErrNoInputs, "")
	case len(out) == 0:
		return ruleError(ErrNoOutputs, "")
	case tx.base > maxTxBase:
		return ruleError(ErrTxSize, "")
	}
	if err := checkOutputs(out); err != nil {
		return err
	}
	if err := checkUniqueInputs(in); err != nil {
		return err
	}
	if IsCoinbase(tx) {
		if n := len(in[0].SignatureScript); n < minCoinbaseScript || n > maxCoinbaseScript {
			return ruleError(ErrCoinbaseScript, "")
		}
		return nil
	}
	for _, i := range in {
		if isNull(i.PreviousOutPoint) {
			return ruleError(ErrNullInput, "")
		}
	}
	return nil
}

func checkOutputs(out []*wire.TxOut) error {
	var sum btcutil.Amount
	for _, o := range out {
		v := btcutil.Amount(o.Value)
		switch {
		case v < 0:
			return ruleError(ErrNegativeOutput, "")
		case v > MaxMoney:
			return ruleError(ErrLargeOutput, "")
		}
		if sum += v; sum > MaxMoney { // both are at most MaxMoney: the sum cannot overflow
			return ruleError(ErrLargeOutputs, "")
		}
	}
	return nil
}

// checkUniqueInputs refuses a transaction that spends one output twice (CVE-2018-17144).
func checkUniqueInputs(in []*wire.TxIn) error {
	if len(in) == 1 {
		return nil
	}
	seen := make(map[wire.OutPoint]struct{}, len(in))
	for _, i := range in {
		if _, ok := seen[i.PreviousOutPoint]; ok {
			return ruleError(ErrDuplicateInputs, "")
		}
		seen[i.PreviousOutPoint] = struct{}{}
	}
	return nil
}

// CheckInputs says whether tx may spend coins in the block after s, by their existence, age and values, and returns its fee. tx is not a
// coinbase and has passed CheckTx.
func CheckInputs(s State, tx *Tx, coins Coins) (fee btcutil.Amount, err error) {
	for _, in := range tx.Msg.TxIn { // before all else: whoever lacks one coin cannot judge the others
		if _, ok := coins[in.PreviousOutPoint]; !ok {
			return 0, ruleError(ErrMissingInput, "")
		}
	}
	var sum btcutil.Amount
	for _, in := range tx.Msg.TxIn {
		coin := coins[in.PreviousOutPoint]
		if age := s.Height + 1 - coin.Height; coin.Coinbase && age < Maturity {
			return 0, ruleError(ErrImmature, "tried to spend coinbase at depth %d", age)
		}
		if coin.Value < 0 || coin.Value > MaxMoney {
			return 0, ruleError(ErrInputRange, "")
		}
		if sum += coin.Value; sum > MaxMoney {
			return 0, ruleError(ErrInputRange, "")
		}
	}
	var out btcutil.Amount
	for _, o := range tx.Msg.TxOut {
		out += btcutil.Amount(o.Value)
	}
	if sum < out {
		return 0, ruleError(ErrOverspend, "value in (%s) < value out (%s)", coinText(sum), coinText(out))
	}
	return sum - out, nil // both lie in the money range, so the fee does
}

// IsFinal reports whether the lock time of tx is reached in a block of the given height, at the given time (BIP113: the median
// time past of its parent).
func IsFinal(tx *Tx, height int32, at time.Time) bool {
	lock := tx.Msg.LockTime
	if lock == 0 {
		return true
	}
	reached := int64(height)
	if lock >= txscript.LockTimeThreshold {
		reached = at.Unix()
	}
	if int64(lock) < reached {
		return true
	}
	for _, in := range tx.Msg.TxIn {
		if in.Sequence != wire.MaxTxInSequenceNum {
			return false
		}
	}
	return true
}

// CheckSequence says whether the relative lock times of tx are reached in the block after s, with the coins that it spends, if BIP68 holds there.
func CheckSequence(s State, tx *Tx, coins Coins) error {
	if s.Height+1 < s.params.CSVHeight || SequenceReached(s, tx, coins) {
		return nil
	}
	return ruleError(ErrSequenceLocks, "contains a non-BIP68-final transaction")
}

// SequenceReached reports whether the relative lock times of tx are reached in the block after s (BIP68), whether they count there already or not.
func SequenceReached(s State, tx *Tx, coins Coins) bool {
	if uint32(tx.Msg.Version) < 2 {
		return true
	}
	minHeight, minTime := int64(-1), int64(-1) // the last ones at which it is still locked
	for _, in := range tx.Msg.TxIn {
		if in.Sequence&wire.SequenceLockTimeDisabled != 0 {
			continue
		}
		coin := coins[in.PreviousOutPoint]
		lock := int64(in.Sequence & wire.SequenceLockTimeMask)
		if in.Sequence&wire.SequenceLockTimeIsSeconds != 0 {
			minTime = max(minTime, int64(coin.MedianTime)+lock<<wire.SequenceLockTimeGranularity-1)
		} else {
			minHeight = max(minHeight, int64(coin.Height)+lock-1)
		}
	}
	return minHeight < int64(s.Height)+1 && minTime < int64(s.medianTime())
}

// coinText writes an amount of the money range with two to eight decimals, as Core's messages do.
func coinText(a btcutil.Amount) string {
	const unit = btcutil.SatoshiPerBitcoin
	text := fmt.Sprintf("%d.%08d", int64(a)/unit, int64(a)%unit)
	for zeros := range 6 {
		if text[len(text)-1-zeros] != '0' {
			return text[:len(text)-zeros]
		}
	}
	return text[:len(text)-6]
}
