package consensus

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"math/bits"
)

// Work counts the hashes that a chain of headers took on average, as a 256-bit big-endian number.
type Work [32]byte

// WorkOf returns the work of one header with the given compact target: 2^256 / (target+1). A target that is
// negative, zero or too large proves no work.
func WorkOf(compact uint32) Work {
	target, ok := expandBits(compact)
	if !ok {
		return Work{}
	}
	n := new(big.Int).Lsh(big.NewInt(1), 256)
	n.Div(n, target.Add(target, big.NewInt(1)))
	var w Work
	n.FillBytes(w[:])
	return w
}

// Cmp returns -1, 0 or 1: whether w is less than, equal to or more than v.
func (w Work) Cmp(v Work) int { return bytes.Compare(w[:], v[:]) }

// Add returns w + v. It stops at the largest number: no chain gets there.
func (w Work) Add(v Work) Work {
	var sum Work
	var carry uint64
	for i := 24; i >= 0; i -= 8 {
		var s uint64
		s, carry = bits.Add64(binary.BigEndian.Uint64(w[i:]), binary.BigEndian.Uint64(v[i:]), carry)
		binary.BigEndian.PutUint64(sum[i:], s)
	}
	if carry != 0 {
		for i := range sum {
			sum[i] = 0xff
		}
	}
	return sum
}

// Sub returns w - v, or zero if v is more.
func (w Work) Sub(v Work) Work {
	var diff Work
	var borrow uint64
	for i := 24; i >= 0; i -= 8 {
		var d uint64
		d, borrow = bits.Sub64(binary.BigEndian.Uint64(w[i:]), binary.BigEndian.Uint64(v[i:]), borrow)
		binary.BigEndian.PutUint64(diff[i:], d)
	}
	if borrow != 0 {
		return Work{}
	}
	return diff
}

// Big returns w as a number.
func (w Work) Big() *big.Int { return new(big.Int).SetBytes(w[:]) }

// String returns 64 hexadecimal digits, as getblockchaininfo's chainwork.
func (w Work) String() string { return hex.EncodeToString(w[:]) }
