package consensus_test

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// clock is a chain of headers with times of the test's choice.
type clock struct {
	t     *testing.T
	state consensus.State
	times []int64 // of all blocks
}

func newClock(t *testing.T, p *consensus.Params) *clock {
	s := consensus.Genesis(p)
	return &clock{t: t, state: s, times: []int64{s.Header.Timestamp.Unix()}}
}

// tick adds a block at the given time, with the bits that are asked for.
func (c *clock) tick(at int64) {
	c.t.Helper()
	h := wire.BlockHeader{Version: 4, PrevBlock: c.state.Hash, MerkleRoot: chainhash.Hash{1}, Timestamp: time.Unix(at, 0), Bits: c.state.NextBits()}
	for consensus.CheckWork(c.state.Params(), &h) != nil {
		h.Nonce++
	}
	next, err := consensus.CheckHeader(c.state, &h, time.Unix(at, 0))
	if err != nil {
		c.t.Fatalf("block %d: %v", len(c.times), err)
	}
	c.state, c.times = next, append(c.times, at)
}

// median works the chain's clock out anew.
func (c *clock) median() int64 {
	last := slices.Clone(c.times[max(0, len(c.times)-11):])
	slices.Sort(last)
	return last[len(last)/2]
}

// The first blocks have fewer than eleven before them.
func TestMedianTimeFromTheFirstBlockOn(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 113))
	for range 20 {
		c := newClock(t, consensus.Regtest())
		for range 40 {
			c.tick(c.median() + 1 + r.Int64N(2000)*r.Int64N(2))
			if got := c.state.MedianTime().Unix(); got != c.median() {
				t.Fatalf("after block %d the median is %d, want %d of %v", len(c.times)-1, got, c.median(), c.times)
			}
		}
	}
}

// A period is measured from its first block to its last: 2,015 intervals, and not the one between two periods. So blocks that say they are early, but for
// the last of each period, make it look long (the time warp), and Bitcoin lets them.
func TestRetargetMeasuresWithinThePeriod(t *testing.T) {
	p := consensus.Regtest()
	p.Difficulty = consensus.Retarget2016
	const period, spacing = 2016, 600
	warp := func(c *clock, height int64) int64 {
		if height%period == period-1 {
			return c.times[0] + 10*height*spacing
		}
		return c.median() + 1
	}
	fast := func(c *clock, height int64) int64 { return c.times[height-1] + spacing/2 + height%7 }
	for name, next := range map[string]func(*clock, int64) int64{"blocks come fast": fast, "time warp": warp} {
		c := newClock(t, p)
		for height := int64(1); height < 3*period; height++ {
			bits := c.state.Header.Bits
			if height%period == 0 {
				bits = scaled(p, bits, c.times[height-1]-c.times[height-period], period*spacing)
			}
			if got := c.state.NextBits(); got != bits {
				t.Fatalf("%s: block %d must have %08x, want %08x", name, height, got, bits)
			}
			c.tick(next(c, height))
		}
		easier := c.state.Header.Bits == p.PowLimitBits
		if easier != (name == "time warp") {
			t.Errorf("%s: the last bits are %08x", name, c.state.Header.Bits)
		}
	}
}

// scaled multiplies a target by took/want, by four at most either way.
func scaled(p *consensus.Params, bits uint32, took, want int64) uint32 {
	took = min(max(took, want/4), want*4)
	target, _ := consensus.Target(bits)
	limit, _ := consensus.Target(p.PowLimitBits)
	target.Div(target.Mul(target, big.NewInt(took)), big.NewInt(want))
	if target.Cmp(limit) > 0 {
		target = limit
	}
	size := (target.BitLen() + 8) / 8 // one bit for the sign
	return uint32(size)<<24 | uint32(target.Rsh(target, uint(8*(size-3))).Uint64())
}
