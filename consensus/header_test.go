package consensus_test

import (
	"errors"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

func TestNetworks(t *testing.T) {
	genesis := map[string]string{
		"main":    "000000e2e433708e05b36055706ec4f5962140f02df3c9cf7fccaac36c2ac533",
		"testnet": "00000ce000d1e0dd695c3d226bad90a37fb63fda0727fcb42abc55368e3b9363",
		"regtest": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
		"bitcoin": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
	}
	for _, name := range consensus.Names() {
		p, err := consensus.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.GenesisHash.String(); got != genesis[name] {
			t.Errorf("%s: genesis %s", name, got)
		}
		if err := consensus.CheckBlock(p, consensus.NewBlock(p.Genesis)); err != nil {
			t.Errorf("%s: genesis: %v", name, err)
		}
		if p.Genesis.Header.Bits != p.PowLimitBits {
			t.Errorf("%s: the genesis does not have the highest target", name)
		}
	}
	if _, err := consensus.ByName("nonet"); err == nil {
		t.Error("an unknown network was found")
	}
}

func TestSupplyFollowsTheSchedule(t *testing.T) {
	for name, want := range map[string]btcutil.Amount{"main": 21_000_000 * btc, "testnet": 21_000_000 * btc, "bitcoin": 21_000_000 * btc} {
		p, _ := consensus.ByName(name)
		var sum btcutil.Amount
		for h := int64(0); h <= math.MaxInt32; h += int64(p.HalvingInterval) {
			sum += p.SubsidyAt(int32(h)) * btcutil.Amount(p.HalvingInterval)
		}
		if sum > want || sum < want-btcutil.Amount(34*p.HalvingInterval) { // each halving rounds down
			t.Errorf("%s: %v in all", name, sum)
		}
	}
	p := consensus.Regtest()
	for h, want := range map[int32]btcutil.Amount{1: 50 * btc, 149: 50 * btc, 150: 25 * btc, 299: 25 * btc, 300: 12.5 * btc, 150 * 33: 0, 150 * 64: 0} {
		if got := p.SubsidyAt(h); got != want {
			t.Errorf("subsidy at %d: %v, want %v", h, got, want)
		}
	}
}

func TestHeaderRules(t *testing.T) {
	g := chaintest.New(t, consensus.Regtest())
	g.Grow(chaintest.Root, "b", 20)
	s := g.At("b20").State
	median := g.At("b15").Block.Header.Timestamp // of b10 to b20
	if !s.MedianTime().Equal(median) {
		t.Fatalf("median %v, want %v", s.MedianTime(), median)
	}
	now := s.Header.Timestamp
	header := func(f func(*wire.BlockHeader)) *wire.BlockHeader {
		b := g.Build("b20", chaintest.Edit(func(m *wire.MsgBlock) { f(&m.Header) }))
		return &b.Header
	}
	cases := []struct {
		name string
		h    *wire.BlockHeader
		want error
	}{
		{"plain", header(func(h *wire.BlockHeader) {}), nil},
		{"at the median", header(func(h *wire.BlockHeader) { h.Timestamp = median }), consensus.ErrTimeTooOld},
		{"after the median", header(func(h *wire.BlockHeader) { h.Timestamp = median.Add(time.Second) }), nil},
		{"two hours ahead", header(func(h *wire.BlockHeader) { h.Timestamp = now.Add(2 * time.Hour) }), nil},
		{"more than two hours ahead", header(func(h *wire.BlockHeader) { h.Timestamp = now.Add(2*time.Hour + time.Second) }), consensus.ErrTimeTooNew},
		{"version 3", header(func(h *wire.BlockHeader) { h.Version = 3 }), consensus.ErrVersion},
		{"negative version", header(func(h *wire.BlockHeader) { h.Version = -1 }), consensus.ErrVersion},
		{"another parent", header(func(h *wire.BlockHeader) { h.PrevBlock[0] ^= 1 }), consensus.ErrPrevUnknown},
		{"other bits", header(func(h *wire.BlockHeader) { h.Bits = 0x207ffffe }), consensus.ErrBadBits},
	}
	for _, c := range cases {
		if _, err := consensus.CheckHeader(s, c.h, now); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	next, err := consensus.CheckHeader(s, cases[0].h, now)
	if err != nil || next != s.Next(cases[0].h) || next.Height != 21 {
		t.Errorf("%v, %+v", err, next)
	}
}

func TestVersionsRetire(t *testing.T) {
	p := consensus.Regtest()
	p.BIP34Height, p.BIP66Height, p.BIP65Height = 2, 3, 4
	g := chaintest.New(t, p)
	up := chaintest.Root
	for _, height := range []int32{1, 2, 3, 4} {
		for _, v := range []int32{0, 1, 2, 3, 4, math.MinInt32} {
			b := g.Build(up, chaintest.Edit(func(m *wire.MsgBlock) { m.Header.Version = v }))
			_, err := consensus.CheckHeader(g.At(up).State, &b.Header, g.Now)
			if wrong := v < height && height > 1; wrong != errors.Is(err, consensus.ErrVersion) {
				t.Errorf("version %d at height %d: %v", v, height, err)
			}
		}
		up = g.Block(up, string(rune('a'+height))).Name
	}
}

func TestWorkIsProved(t *testing.T) {
	for _, c := range []struct {
		bits uint32
		ok   bool
	}{
		{0x1d00ffff, false}, // Bitcoin's first header has another target than the one it meets
		{0x207fffff, false}, // above the highest target
		{0x01003456, false}, // zero
		{0x04923456, false}, // negative
		{0xff123456, false}, // more than 256 bits
	} {
		h := consensus.Bitcoin().Genesis.Header
		h.Bits = c.bits
		h.Nonce++
		if err := consensus.CheckWork(consensus.Bitcoin(), &h); !errors.Is(err, consensus.ErrHighHash) {
			t.Errorf("%08x: %v", c.bits, err)
		}
	}
	p := consensus.Bitcoin()
	if err := consensus.CheckWork(p, &p.Genesis.Header); err != nil {
		t.Error(err)
	}
}

func TestWorkArithmetic(t *testing.T) {
	one := consensus.WorkOf(0x1d00ffff)
	if want := "0000000000000000000000000000000000000000000000000000000100010001"; one.String() != want {
		t.Errorf("work of the first block: %s", one)
	}
	if consensus.WorkOf(0x01003456) != (consensus.Work{}) || consensus.WorkOf(0x04923456) != (consensus.Work{}) {
		t.Error("a target that is none proves work")
	}
	var most consensus.Work
	for i := range most {
		most[i] = 0xff
	}
	if most.Add(one) != most || one.Sub(most) != (consensus.Work{}) {
		t.Error("work overflows")
	}
	sum := one.Add(most.Sub(one))
	if sum != most || one.Cmp(most) != -1 || most.Cmp(one) != 1 || one.Cmp(one) != 0 {
		t.Error("add, sub and cmp disagree")
	}
	if one.Big().Cmp(big.NewInt(0x100010001)) != 0 {
		t.Error(one.Big())
	}
}

func TestRebuildIsTheSamePlace(t *testing.T) {
	g := chaintest.New(t, consensus.Regtest())
	g.Grow(chaintest.Root, "b", 30)
	for n := g.At("b30"); n != nil; n = n.Parent {
		var headers []wire.BlockHeader
		for up := n; up != nil && len(headers) < 11; up = up.Parent {
			headers = append([]wire.BlockHeader{up.Block.Header}, headers...)
		}
		start := uint32(g.Params.Genesis.Header.Timestamp.Unix())
		if got := consensus.Rebuild(g.Params, n.State.Height, n.State.Work, headers, start); got != n.State {
			t.Fatalf("%s: %+v, want %+v", n.Name, got, n.State)
		}
	}
}

func TestLockTimes(t *testing.T) {
	at := time.Unix(1_600_000_000, 0)
	tx := func(lock, sequence uint32) *consensus.Tx {
		m := wire.NewMsgTx(2)
		m.AddTxIn(&wire.TxIn{Sequence: sequence})
		m.LockTime = lock
		return consensus.NewTx(m)
	}
	for _, c := range []struct {
		lock, sequence uint32
		final          bool
	}{
		{0, 0, true}, {99, 0, true}, {100, 0, false}, {100, math.MaxUint32, true}, {499_999_999, 0, false},
		{500_000_000, 0, true}, {1_599_999_999, 0, true}, {1_600_000_000, 0, false}, {math.MaxUint32, 0, false},
	} {
		if got := consensus.IsFinal(tx(c.lock, c.sequence), 100, at); got != c.final {
			t.Errorf("lock time %d, sequence %x: final %v", c.lock, c.sequence, got)
		}
	}
}

func TestRelativeLockTimes(t *testing.T) {
	g := newStory(t)
	s := g.At("b110").State
	for _, c := range []struct {
		name     string
		version  uint32
		sequence uint32
		age      int32         // blocks from the coin to the next block
		since    time.Duration // from the coin's median time to now's
		ok       bool
	}{
		{"disabled", 2, 1<<31 | 50, 1, 0, true},
		{"5 blocks at 5", 2, 5, 5, 0, true},
		{"5 blocks at 4", 2, 5, 4, 0, false},
		{"version 1", 1, 5, 4, 0, true},
		{"version 2^31", 1 << 31, 5, 4, 0, false}, // versions are unsigned here
		{"version -1", math.MaxUint32, 5, 4, 0, false},
		{"2 * 512 s at 1024", 2, 1<<22 | 2, 1, 1024 * time.Second, true},
		{"2 * 512 s at 1023", 2, 1<<22 | 2, 1, 1023 * time.Second, false},
		{"bits between are ignored", 2, 0x3f0000 | 5, 5, 0, true},
	} {
		m := wire.NewMsgTx(int32(c.version))
		m.AddTxIn(&wire.TxIn{Sequence: c.sequence})
		coins := consensus.Coins{{}: {Height: s.Height + 1 - c.age, MedianTime: uint32(s.MedianTime().Add(-c.since).Unix())}}
		err := consensus.CheckSequence(s, consensus.NewTx(m), coins)
		if c.ok != (err == nil) || !c.ok && !errors.Is(err, consensus.ErrSequenceLocks) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
