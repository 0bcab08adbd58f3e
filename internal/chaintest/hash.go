package chaintest

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// CoinBytes returns what a coin is in the hashes of the coin set, written in the plain way.
func CoinBytes(op wire.OutPoint, c consensus.Coin) []byte {
	code := uint32(c.Height) * 2
	if c.Coinbase {
		code++
	}
	var b bytes.Buffer
	b.Write(op.Hash[:])
	for _, n := range []uint32{op.Index, code} {
		b.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	}
	_ = wire.WriteTxOut(&b, 0, 0, wire.NewTxOut(int64(c.Value), c.PkScript)) // a bytes.Buffer takes every write
	return b.Bytes()
}

// SetHash returns hash_serialized_3 of the coins.
func SetHash(coins consensus.Coins) chainhash.Hash {
	h := sha256.New()
	for _, op := range slices.SortedFunc(maps.Keys(coins), compareOutPoints) {
		h.Write(CoinBytes(op, coins[op]))
	}
	return sha256.Sum256(h.Sum(nil))
}

// SetSum returns what the coins are worth.
func SetSum(coins consensus.Coins) btcutil.Amount {
	var sum btcutil.Amount
	for _, c := range coins {
		sum += c.Value
	}
	return sum
}

// Schedule returns the most that can exist after the block at height.
func Schedule(p *consensus.Params, height int32) btcutil.Amount {
	var sum btcutil.Amount
	for h := int32(1); h <= height; h++ {
		sum += p.SubsidyAt(h)
	}
	return sum
}

func compareOutPoints(a, b wire.OutPoint) int {
	if c := bytes.Compare(a.Hash[:], b.Hash[:]); c != 0 {
		return c
	}
	return int(a.Index) - int(b.Index)
}
