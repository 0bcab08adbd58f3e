package rpc

import (
	"encoding/hex"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// parseHash reads the hash that was passed as the argument name.
func parseHash(text, name string) (chainhash.Hash, error) {
	if len(text) != chainhash.MaxHashStringSize {
		return chainhash.Hash{}, errorf(CodeInvalidParameter, "%s must be of length %d (not %d, for '%s')",
			name, chainhash.MaxHashStringSize, len(text), text)
	}
	var hash chainhash.Hash
	if err := chainhash.Decode(&hash, text); err != nil {
		return chainhash.Hash{}, errorf(CodeInvalidParameter, "%s must be hexadecimal string (not '%s')", name, text)
	}
	return hash, nil
}

// hash returns argument i, an ArgHex, as a hash. Errors call it by name, which is not always the argument's in Core.
func (c *Call) hash(i int, name string) (chainhash.Hash, error) { return parseHash(c.String(i), name) }

// verbosity returns argument i, a number or a boolean, as a number.
func (c *Call) verbosity(i int, missing int64) (int64, error) {
	v := c.Value(i)
	switch {
	case v.IsNull():
		return missing, nil
	case v.Kind == Bool && v.Text == "true":
		return 1, nil
	case v.Kind == Bool:
		return 0, nil
	}
	return v.AsInt(32)
}

// difficulty returns how much harder a target is than the easiest of Bitcoin's main network.
func difficulty(bits uint32) Float {
	const shift, mantissa = 29, 0xffff // of that target
	if bits&0xffffff == 0 {
		return 0
	}
	return Float(float64(mantissa) / float64(bits&0xffffff) * math.Pow(256, float64(shift-int(bits>>24))))
}

// bitsHex returns compact bits or a version as eight digits.
func bitsHex(n uint32) string { return fmt.Sprintf("%08x", n) }

// hexBytes is a byte string that prints as hexadecimal digits.
type hexBytes []byte

// MarshalText returns the digits.
func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

// hashTexts returns hashes as they are shown.
func hashTexts(hashes []chainhash.Hash) []string {
	texts := make([]string, len(hashes))
	for i, h := range hashes {
		texts[i] = h.String()
	}
	return texts
}
