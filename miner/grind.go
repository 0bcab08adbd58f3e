package miner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

const (
	noLimit    = math.MaxUint64
	nonceAt    = 76      // place of the nonce in a header
	checkEvery = 1 << 14 // nonces between two looks at the context: a few milliseconds
)

// grind searches the nonce of msg, with extra nonces from extra on, until the hash meets the target, maxTries nonces were tried, or ctx
// ends. It returns how many were tried.
func grind(ctx context.Context, msg *wire.MsgBlock, extra, maxTries uint64) (found bool, tries uint64) {
	t := targetOf(msg.Header.Bits)
	for {
		found, n := search(ctx, &msg.Header, t, min(maxTries-tries, 1<<32))
		if tries += n; found || tries == maxTries || ctx.Err() != nil {
			return found, tries
		}
		extra++
		setExtra(msg, extra)
	}
}

// target is the highest hash that will do, big-endian.
type target [32]byte

// targetOf returns the target that bits stand for. Bits that stand for none, which no chain asks for, are met by nothing.
func targetOf(bits uint32) target {
	var t target
	if n, ok := consensus.Target(bits); ok {
		n.FillBytes(t[:])
	}
	return t
}

// met reports whether hash, as double SHA256 gives it, is at most t.
func (t *target) met(hash *[32]byte) bool {
	for i := range t {
		if b := hash[len(hash)-1-i]; b != t[i] {
			return b < t[i]
		}
	}
	return true
}

// search tries the given number of nonces from zero and leaves the one that does in h.
func search(ctx context.Context, h *wire.BlockHeader, t target, limit uint64) (found bool, tries uint64) {
	var buf bytes.Buffer
	_ = h.Serialize(&buf) // a bytes.Buffer takes every write
	raw := buf.Bytes()
	for nonce := range limit {
		if nonce%checkEvery == 0 && ctx.Err() != nil {
			return false, nonce
		}
		binary.LittleEndian.PutUint32(raw[nonceAt:], uint32(nonce))
		hash := sha256.Sum256(raw)
		if hash = sha256.Sum256(hash[:]); t.met(&hash) {
			h.Nonce = uint32(nonce)
			return true, nonce + 1
		}
	}
	return false, limit
}
