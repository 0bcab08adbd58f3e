package wallet

import (
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/internal/ledger"
)

// maxTries bounds the search for coins that need no change.
const maxTries = 100_000

// maxInputs keeps a payment within the weight that the pool takes: 272 units each of 400,000.
const maxInputs = 1400

// candidate is a coin and what it is worth to a payment: its value less the fee for spending it.
type candidate struct {
	coin  ledger.WalletCoin
	worth btcutil.Amount
}

// candidates returns the coins that are worth more than they cost at this fee for an input, the most valuable first.
func candidates(coins []ledger.WalletCoin, inputFee btcutil.Amount) []candidate {
	var list []candidate
	for _, c := range coins {
		if worth := c.Value - inputFee; worth > 0 {
			list = append(list, candidate{c, worth})
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(b.worth, a.worth) })
	return list
}

// choose picks coins worth target or more, from a list sorted by falling worth. It looks for a sum that is at most slack above it, which needs no
// change; then for the smallest coin that leaves reserve for change; then it takes the largest coins first. It returns nil if there is not
// enough in maxInputs coins.
func choose(list []candidate, target, slack, reserve btcutil.Amount) []candidate {
	if picked := exact(list, target, slack); picked != nil {
		return picked
	}
	for _, goal := range []btcutil.Amount{target + reserve, target} {
		if i := fitting(list, goal); i >= 0 {
			return list[i : i+1]
		}
		var sum btcutil.Amount
		for i := range min(len(list), maxInputs) {
			if sum += list[i].worth; sum >= goal {
				return list[:i+1]
			}
		}
	}
	return nil
}

// fitting returns the index of the smallest coin worth goal or more, -1 if there is none.
func fitting(list []candidate, goal btcutil.Amount) int {
	n, _ := slices.BinarySearchFunc(list, goal, func(c candidate, goal btcutil.Amount) int {
		if c.worth >= goal {
			return -1
		}
		return 1
	})
	return n - 1
}

// exact searches for coins whose worth lies between target and target plus slack (branch and bound, after Erhardt's "An Evaluation of Coin
// Selection Strategies"). It returns the first it meets, nil if it finds none within maxTries.
func exact(list []candidate, target, slack btcutil.Amount) []candidate {
	rest := make([]btcutil.Amount, len(list)+1) // worth of list[i:]
	for i := len(list) - 1; i >= 0; i-- {
		rest[i] = rest[i+1] + list[i].worth
	}
	var picked []candidate
	tries := 0
	var search func(i int, sum btcutil.Amount) bool
	search = func(i int, sum btcutil.Amount) bool {
		tries++
		switch {
		case sum > target+slack || tries > maxTries || len(picked) > maxInputs:
			return false
		case sum >= target:
			return len(picked) > 0
		case i == len(list) || sum+rest[i] < target:
			return false
		}
		picked = append(picked, list[i])
		if search(i+1, sum+list[i].worth) {
			return true
		}
		picked = picked[:len(picked)-1]
		for i++; i < len(list) && list[i].worth == list[i-1].worth; i++ { // an equal coin leads nowhere else
			tries++
		}
		return search(i, sum)
	}
	if !search(0, 0) {
		return nil
	}
	return picked
}
