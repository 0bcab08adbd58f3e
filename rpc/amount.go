package rpc

import (
	"math"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/consensus"
)

const (
	decimals = 8
	satUnit  = btcutil.SatoshiPerBitcoin
)

// Amount is an amount of money in a result. It prints with exactly eight decimals, as clients expect.
type Amount btcutil.Amount

// MarshalJSON returns the amount in whole coins as a number with eight decimals.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(formatAmount(btcutil.Amount(a))), nil }

// formatAmount returns a in whole coins with eight decimals.
func formatAmount(a btcutil.Amount) string {
	sign, n := "", uint64(a)
	if a < 0 {
		sign, n = "-", -n
	}
	fraction := strconv.FormatUint(n%satUnit, 10)
	return sign + strconv.FormatUint(n/satUnit, 10) + "." + strings.Repeat("0", decimals-len(fraction)) + fraction
}

// Float is a double in a result. It prints with at most 16 digits, as Core's JSON does.
type Float float64

// MarshalJSON returns the shortest form of f with at most 16 digits.
func (f Float) MarshalJSON() ([]byte, error) {
	x := float64(f)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("0"), nil // JSON has no word for them
	}
	return strconv.AppendFloat(nil, x, 'g', 16, 64), nil
}

// ParseAmount reads an amount of whole coins from a number or a string, with at most eight decimals. It must be from 0 to 21 million.
func ParseAmount(v Value) (btcutil.Amount, error) {
	if v.Kind != Number && v.Kind != String {
		return 0, errorf(CodeType, "Amount is not a number or string")
	}
	n, ok := parseFixed(v.Text, decimals)
	if !ok {
		return 0, errorf(CodeType, "Invalid amount")
	}
	if n < 0 || n > int64(consensus.MaxMoney) {
		return 0, errorf(CodeType, "Amount out of range")
	}
	return btcutil.Amount(n), nil
}

// maxMantissa bounds a fixed-point number: 18 digits, as Core's ParseFixedPoint does.
const maxMantissa = 999_999_999_999_999_999

// parseFixed reads a decimal number in JSON's form and returns it times 10^places. It returns false if it has another form, more
// decimals than places that are not zero, or too many digits.
func parseFixed(s string, places int) (int64, bool) {
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, ok := parseExponent(s[i+1:])
		if !ok {
			return 0, false
		}
		s, exponent = s[:i], e
	}
	whole, fraction, point := strings.Cut(s, ".")
	if !digits(whole) || (point && !digits(fraction)) || (len(whole) > 1 && whole[0] == '0') {
		return 0, false
	}
	exponent += places - len(fraction)
	mantissa := strings.TrimLeft(whole+fraction, "0")
	if mantissa == "" {
		return 0, true
	}
	trimmed := strings.TrimRight(mantissa, "0")
	exponent += len(mantissa) - len(trimmed)
	if exponent < 0 || len(trimmed)+exponent > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(trimmed+strings.Repeat("0", exponent), 10, 64)
	if err != nil || n > maxMantissa {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}

// parseExponent reads what follows the e of a number. An exponent of more than four digits is out of every range.
func parseExponent(s string) (int, bool) {
	unsigned := strings.TrimPrefix(s, "+")
	if unsigned == s {
		unsigned = strings.TrimPrefix(s, "-")
	}
	if !digits(unsigned) || len(unsigned) > 4 {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(s, "+"))
	return n, err == nil
}

// digits reports whether s is one or more decimal digits.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// ParseFeeRate reads a fee rate in coins per 1000 virtual bytes. It must be below one coin.
func ParseFeeRate(v Value) (btcutil.Amount, error) {
	rate, err := ParseAmount(v)
	if err != nil {
		return 0, err
	}
	if rate >= satUnit {
		return 0, errorf(CodeInvalidParameter, "Fee rates larger than or equal to 1BTC/kvB are not accepted")
	}
	return rate, nil
}
