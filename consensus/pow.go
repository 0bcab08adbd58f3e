package consensus

import (
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Bitcoin's retargeting: every 2,016 blocks towards two weeks, by a factor of four at most.
const (
	retargetBlocks = 2016
	retargetFactor = 4
)

// expandBits returns the target that compact stands for, and whether it can be one: positive and below 2^256.
func expandBits(compact uint32) (target *big.Int, ok bool) {
	size, word := compact>>24, compact&0x7fffff
	if word == 0 || compact&0x800000 != 0 {
		return nil, false
	}
	if size > 34 || (word > 0xff && size > 33) || (word > 0xffff && size > 32) {
		return nil, false
	}
	target = big.NewInt(int64(word))
	if size <= 3 {
		target.Rsh(target, uint(8*(3-size)))
	} else {
		target.Lsh(target, uint(8*(size-3)))
	}
	return target, target.Sign() > 0
}

// compactBits returns the compact form of a positive target, which keeps its three highest bytes.
func compactBits(target *big.Int) uint32 {
	size := uint((target.BitLen() + 7) / 8)
	var word uint32
	if size <= 3 {
		word = uint32(target.Uint64()) << (8 * (3 - size))
	} else {
		word = uint32(new(big.Int).Rsh(target, 8*(size-3)).Uint64())
	}
	if word&0x800000 != 0 { // the highest bit is the sign: move it out of the way
		word >>= 8
		size++
	}
	return uint32(size)<<24 | word
}

// Target returns the target of a header's compact bits, and whether it is one: positive and below 2^256.
func Target(compact uint32) (*big.Int, bool) { return expandBits(compact) }

// CheckWork says whether the hash of h proves the work that h claims, and whether p allows so little.
func CheckWork(p *Params, h *wire.BlockHeader) error {
	return checkWork(p, h, h.BlockHash())
}

func checkWork(p *Params, h *wire.BlockHeader, hash chainhash.Hash) error {
	target, ok := expandBits(h.Bits)
	limit, _ := expandBits(p.PowLimitBits)
	if !ok || target.Cmp(limit) > 0 {
		return ruleError(ErrHighHash, "target %08x is not one that %s allows", h.Bits, p.Name)
	}
	if hashNumber(hash).Cmp(target) > 0 {
		return ruleError(ErrHighHash, "hash %v is above the target %08x", hash, h.Bits)
	}
	return nil
}

// hashNumber reads a hash as the little-endian number that is held against the target.
func hashNumber(hash chainhash.Hash) *big.Int {
	var be [chainhash.HashSize]byte
	for i, b := range hash {
		be[len(be)-1-i] = b
	}
	return new(big.Int).SetBytes(be[:])
}

// retarget returns the bits of the 2,016 blocks after those that took the given time, last of which had the given bits.
func retarget(p *Params, bits uint32, took time.Duration) uint32 {
	want := p.BlockInterval * retargetBlocks
	took = min(max(took, want/retargetFactor), want*retargetFactor)
	target, ok := expandBits(bits)
	if !ok {
		return p.PowLimitBits
	}
	target.Mul(target, big.NewInt(int64(took/time.Second)))
	target.Div(target, big.NewInt(int64(want/time.Second)))
	return compactBits(clampTarget(p, target))
}

func clampTarget(p *Params, target *big.Int) *big.Int {
	limit, _ := expandBits(p.PowLimitBits)
	if target.Sign() == 0 {
		return target.SetInt64(1)
	}
	if target.Cmp(limit) > 0 {
		return limit
	}
	return target
}

// anchor is the block that ASERT measures from.
type anchor struct {
	height     int64
	parentTime int64 // seconds
	bits       uint32
}

// asert returns the bits of the block after the one with the given height and time: aserti3-2d, by Mark Lundeberg and others, 2020. The target
// doubles for each half-life that the chain is behind its schedule; 2^x is taken as a cubic in 48-bit fixed point.
func asert(p *Params, a anchor, height, timestamp int64) uint32 {
	const fraction = 16 // bits of the exponent behind the point
	ahead := timestamp - a.parentTime - int64(p.BlockInterval/time.Second)*(height-a.height+1)
	exponent := ahead * (1 << fraction) / int64(p.HalfLife/time.Second)

	shift := exponent >> fraction
	f := uint64(exponent) & (1<<fraction - 1)
	factor := 1<<fraction + (195_766_423_245_049*f+971_821_376*f*f+5_127*f*f*f+1<<47)>>48

	target, ok := expandBits(a.bits)
	if !ok {
		return p.PowLimitBits
	}
	target.Mul(target, new(big.Int).SetUint64(factor))
	shift -= fraction
	switch {
	case shift > 256: // far above any limit; a longer shift would only cost memory
		return p.PowLimitBits
	case shift >= 0:
		target.Lsh(target, uint(shift))
	case shift < -512:
		target.SetInt64(0)
	default:
		target.Rsh(target, uint(-shift))
	}
	return compactBits(clampTarget(p, target))
}
