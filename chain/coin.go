package chain

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// coinKey names a coin in memory and on disk: the bytes of the txid, then the index in big endian, so that coins lie in the order
// in which Bitcoin Core hashes them.
type coinKey [chainhash.HashSize + 4]byte

func keyOf(op wire.OutPoint) (k coinKey) {
	copy(k[:], op.Hash[:])
	binary.BigEndian.PutUint32(k[chainhash.HashSize:], op.Index)
	return k
}

func (k *coinKey) outPoint() wire.OutPoint {
	return wire.OutPoint{Hash: chainhash.Hash(k[:chainhash.HashSize]), Index: binary.BigEndian.Uint32(k[chainhash.HashSize:])}
}

var errCoding = errors.New("a record cannot be decoded")

// appendCoin appends c: twice the height with the coinbase bit, the median time, the compressed amount and the script.
func appendCoin(dst []byte, c *consensus.Coin) []byte {
	code := uint64(uint32(c.Height)) << 1
	if c.Coinbase {
		code |= 1
	}
	dst = binary.AppendUvarint(dst, code)
	dst = binary.LittleEndian.AppendUint32(dst, c.MedianTime)
	dst = binary.AppendUvarint(dst, compressAmount(uint64(c.Value)))
	return append(dst, c.PkScript...)
}

// decodeCoin is the inverse of appendCoin. The script is a copy.
func decodeCoin(b []byte) (consensus.Coin, error) {
	code, n := uvarint(b)
	if n <= 0 || code>>1 > 0x7fffffff || len(b) < n+4 {
		return consensus.Coin{}, fmt.Errorf("coin: %w", errCoding)
	}
	c := consensus.Coin{Height: int32(code >> 1), Coinbase: code&1 == 1, MedianTime: binary.LittleEndian.Uint32(b[n:])}
	b = b[n+4:]
	packed, n := uvarint(b)
	value, ok := decompressAmount(packed)
	if n <= 0 || !ok {
		return consensus.Coin{}, fmt.Errorf("coin: %w", errCoding)
	}
	c.Value = btcutil.Amount(value)
	if consensus.Unspendable(b[n:]) { // is never a coin
		return consensus.Coin{}, fmt.Errorf("coin: %w", errCoding)
	}
	c.PkScript = append([]byte{}, b[n:]...)
	return c, nil
}

// uvarint is binary.Uvarint that takes the shortest form only, so that a value has one encoding.
func uvarint(b []byte) (uint64, int) {
	v, n := binary.Uvarint(b)
	if n > 1 && b[n-1] == 0 {
		return 0, 0
	}
	return v, n
}

// compressAmount makes round amounts short, as Bitcoin Core does: it takes up to nine trailing zeros off and keeps their number.
func compressAmount(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	e := uint64(0)
	for n%10 == 0 && e < 9 {
		n /= 10
		e++
	}
	if e < 9 {
		d := n % 10
		return 1 + (n/10*9+d-1)*10 + e
	}
	return 1 + (n-1)*10 + 9
}

// decompressAmount is the inverse of compressAmount. ok is false for what that never returns for an amount of money.
func decompressAmount(x uint64) (n uint64, ok bool) {
	if x == 0 {
		return 0, true
	}
	x--
	e := x % 10
	x /= 10
	if e < 9 {
		d := x%9 + 1
		n = x/9*10 + d
	} else {
		n = x + 1
	}
	for range e {
		if n > uint64(consensus.MaxMoney) {
			return 0, false
		}
		n *= 10
	}
	return n, n <= uint64(consensus.MaxMoney)
}
