package chain_test

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// The supply follows the schedule: every block claims all it may, and one sat more is refused on both sides of each halving. Once as on regtest, once
// with short intervals to the very end, where nothing is left to claim.
func TestStoryOfHalvings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ interval, halvings int32 }{{150, 3}, {5, 34}} {
		t.Run(fmt.Sprintf("every %d", c.interval), func(t *testing.T) {
			p := consensus.Regtest()
			p.HalvingInterval = c.interval
			s := storyOn(t, p)
			for h := int32(1); h <= c.halvings*c.interval; h++ {
				subsidy := p.Subsidy >> (h / c.interval)
				if place := h % c.interval; place == 0 || place == c.interval-1 {
					s.Give(s.Tree.Build(name(h-1), chaintest.Claim(subsidy+1))).Refused(consensus.ErrCoinbaseValue)
				}
				s.On(name(h-1)).Block(name(h), chaintest.Claim(subsidy))
				if h%c.interval == 0 {
					s.Tip(name(h))
					if got, want := chaintest.SetSum(s.Tree.At(name(h)).Coins), chaintest.Schedule(p, h); got != want {
						t.Fatalf("%v exist at height %d, the schedule says %v", got, h, want)
					}
				}
			}
			if last := p.SubsidyAt(c.halvings * c.interval); (c.halvings == 34) != (last == 0) {
				t.Errorf("the last subsidy is %v", last)
			}
		})
	}
}

// name names blocks by their heights.
func name(height int32) string {
	if height == 0 {
		return chaintest.Root
	}
	return "h" + strconv.Itoa(int(height))
}

// easyMain returns groat's main network with the work of regtest and a half-life of ten blocks.
func easyMain() *consensus.Params {
	p := consensus.Main()
	p.PowLimitBits, p.HalfLife = 0x207fffff, 10*p.BlockInterval
	genesis := *p.Genesis
	genesis.Header.Bits = p.PowLimitBits
	p.Genesis, p.GenesisHash = &genesis, genesis.BlockHash()
	return p
}

// scheduleOf wants the bits after the named block to be what the schedule says: the highest target, halved for each half-life that the chain is ahead. The
// fixed-point exponential is within 0.02 % of the real one.
func (s *story) scheduleOf(name string) {
	s.t.Helper()
	p, at := s.Tree.Params, s.Tree.At(name).State
	due := p.Genesis.Header.Timestamp.Add(time.Duration(at.Height) * p.BlockInterval)
	behind := at.Header.Timestamp.Sub(due).Seconds() / p.HalfLife.Seconds()
	limit, _ := consensus.Target(p.PowLimitBits)
	want := math.Exp2(min(behind, 0))
	target, ok := consensus.Target(at.NextBits())
	got, _ := new(big.Float).Quo(new(big.Float).SetInt(target), new(big.Float).SetInt(limit)).Float64()
	if !ok || math.Abs(got/want-1) > 0.0002 {
		s.t.Fatalf("after %s the target is %v of the highest, want %v", name, got, want)
	}
}

func TestStoryOfASERT(t *testing.T) {
	t.Parallel()
	s := storyOn(t, easyMain())
	p := s.Tree.Params
	s.Tree.Now = p.Genesis.Header.Timestamp.Add(30 * 24 * time.Hour)
	every := func(d time.Duration, prefix string, n int) {
		t.Helper()
		for i := range n {
			name := prefix + strconv.Itoa(i+1)
			s.Block(name, chaintest.After(d))
			s.scheduleOf(name)
		}
	}
	every(time.Minute, "steady", 25)
	if bits := s.Tree.At("steady25").State.NextBits(); bits != p.PowLimitBits {
		t.Errorf("a chain on its schedule has bits %08x", bits)
	}
	every(time.Second, "fast", 60) // 59 minutes ahead: almost six half-lives
	s.Tip("fast60")
	last := s.Tree.At("fast60").State
	for _, bits := range []uint32{p.PowLimitBits, last.Header.Bits, last.NextBits() - 1, last.NextBits() + 1} {
		s.Give(s.Tree.Build("fast60", chaintest.Edit(func(m *wire.MsgBlock) { m.Header.Bits = bits }))).Refused(consensus.ErrBadBits)
	}
	lazy := s.Tree.Build("fast60", chaintest.KeepWork)
	for consensus.CheckWork(p, &lazy.Header) == nil {
		lazy.Header.Nonce++
	}
	s.Give(consensus.NewBlock(lazy.Msg())).Refused(consensus.ErrHighHash)

	// work counts, not length: two blocks found fast weigh more than one found late and the twenty that are easy after it
	s.Block("late", chaintest.After(3*time.Hour))
	every(time.Minute, "easy", 20)
	if bits := s.Tree.At("late").State.NextBits(); bits != p.PowLimitBits {
		t.Errorf("a chain far behind its schedule has bits %08x", bits)
	}
	s.Tip("easy20").On("fast60").Block("hard1", chaintest.After(time.Second)).Tip("easy20")
	s.Block("hard2", chaintest.After(time.Second)).Tip("hard2")
	s.restart().Tip("hard2").BestHeader("hard2")
	s.Invalidate("hard1").Tip("easy20").Reconsider("hard1").Tip("hard2")
	s.Precious("easy20").Tip("hard2")
}
