package consensus

import (
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	maxTimeAhead = 2 * time.Hour // of a header against the clock
	medianBlocks = 11            // whose median time is the chain's clock (BIP113)
)

// State is the place after a block: all that the header of the next one is judged by. It is a value; moving
// to the next block makes another.
type State struct {
	Height int32
	Hash   chainhash.Hash
	Header wire.BlockHeader
	Work   Work // of the chain up to here

	params      *Params
	times       [medianBlocks]uint32 // of the last blocks, the one at height h in slot h%11
	periodStart uint32               // time of the first block of this period of 2,016
}

// Genesis returns the place after the first block of p.
func Genesis(p *Params) State {
	return State{params: p}.place(&p.Genesis.Header, p.GenesisHash, 0)
}

// Rebuild returns the place after the last of headers without a walk from the genesis. headers are the last eleven
// blocks, or all if there are fewer, the oldest first; periodStart is the timestamp of the block at height - height%2016.
func Rebuild(p *Params, height int32, work Work, headers []wire.BlockHeader, periodStart uint32) State {
	last := headers[len(headers)-1]
	s := State{Height: height, Hash: last.BlockHash(), Header: last, Work: work, params: p, periodStart: periodStart}
	for i := range headers {
		at := int(height) - (len(headers) - 1 - i)
		s.times[at%medianBlocks] = seconds(headers[i].Timestamp)
	}
	return s
}

// Params returns the network of s.
func (s State) Params() *Params { return s.params }

// Next returns the place after h, which must follow s and have been checked before.
func (s State) Next(h *wire.BlockHeader) State { return s.place(h, h.BlockHash(), s.Height+1) }

func (s State) place(h *wire.BlockHeader, hash chainhash.Hash, height int32) State {
	t := seconds(h.Timestamp)
	s.Height, s.Hash, s.Header = height, hash, *h
	s.Work = s.Work.Add(WorkOf(h.Bits))
	s.times[height%medianBlocks] = t
	if height%retargetBlocks == 0 {
		s.periodStart = t
	}
	return s
}

// seconds returns t as a header holds it. A header's time comes from 32 bits and fits.
func seconds(t time.Time) uint32 { return uint32(t.Unix()) }

// MedianTime returns the median time past: the median timestamp of the last eleven blocks, or of all if there are fewer (BIP113).
func (s State) MedianTime() time.Time { return time.Unix(int64(s.medianTime()), 0) }

func (s State) medianTime() uint32 {
	n := min(int(s.Height)+1, medianBlocks)
	times := s.times // a copy to sort; the first n slots are the ones in use
	slices.Sort(times[:n])
	return times[n/2]
}

// NextBits returns the bits that the block after s must have.
func (s State) NextBits() uint32 {
	p := s.params
	switch p.Difficulty {
	case Retarget2016:
		if (s.Height+1)%retargetBlocks != 0 {
			return s.Header.Bits
		}
		took := int64(seconds(s.Header.Timestamp)) - int64(s.periodStart)
		return retarget(p, s.Header.Bits, time.Duration(took)*time.Second)
	case ASERT:
		g := &p.Genesis.Header
		a := anchor{bits: g.Bits, parentTime: g.Timestamp.Add(-p.BlockInterval).Unix()}
		return asert(p, a, int64(s.Height), s.Header.Timestamp.Unix())
	}
	return p.Genesis.Header.Bits
}

// Subsidy returns what the coinbase of the block after s may claim on top of the fees.
func (s State) Subsidy() btcutil.Amount { return s.params.SubsidyAt(s.Height + 1) }

// CheckHeader says whether h may follow s at the time now, and returns the place after it.
func CheckHeader(s State, h *wire.BlockHeader, now time.Time) (State, error) {
	hash := h.BlockHash()
	if err := checkWork(s.params, h, hash); err != nil {
		return State{}, err
	}
	if h.PrevBlock != s.Hash {
		return State{}, ruleError(ErrPrevUnknown, "header %v follows %v, not %v", hash, h.PrevBlock, s.Hash)
	}
	if err := CheckHeaderPlace(s, h, now); err != nil {
		return State{}, err
	}
	return s.place(h, hash, s.Height+1), nil
}

// CheckHeaderPlace says whether h, which follows s, may stand there at the time now, by all but its work: that may still have to be found.
func CheckHeaderPlace(s State, h *wire.BlockHeader, now time.Time) error {
	if want := s.NextBits(); h.Bits != want {
		return ruleError(ErrBadBits, "incorrect proof of work: bits are %08x, not %08x", h.Bits, want)
	}
	if err := checkTimes(s, h, now); err != nil {
		return err
	}
	return checkVersion(s, h)
}

// checkTimes says whether h may follow s at the time now: after the median of the last eleven, at most two hours ahead.
func checkTimes(s State, h *wire.BlockHeader, now time.Time) error {
	if seconds(h.Timestamp) <= s.medianTime() {
		return ruleError(ErrTimeTooOld, "block's timestamp %d is not after the median %d", h.Timestamp.Unix(), s.medianTime())
	}
	if limit := now.Add(maxTimeAhead).Unix(); h.Timestamp.Unix() > limit {
		return ruleError(ErrTimeTooNew, "block timestamp %d is too far in the future: the latest allowed now is %d", h.Timestamp.Unix(), limit)
	}
	return nil
}

// checkVersion refuses the versions that were retired when BIP34, BIP66 and BIP65 came into force. A version is signed.
func checkVersion(s State, h *wire.BlockHeader) error {
	p, height := s.params, s.Height+1
	if (h.Version < 2 && height >= p.BIP34Height) || (h.Version < 3 && height >= p.BIP66Height) || (h.Version < 4 && height >= p.BIP65Height) {
		return RuleError{
			Kind:   ErrVersion,
			Detail: fmt.Sprintf("rejected nVersion=0x%08x block", uint32(h.Version)),
			reason: fmt.Sprintf("bad-version(0x%08x)", uint32(h.Version)),
		}
	}
	return nil
}
