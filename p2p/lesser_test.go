package p2p

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// size returns how many headers are stored.
func (c *fakeChain) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.nodes)
}

// On regtest work costs nothing. Chains as heavy as ours, one after the other, are stored up to a ration.
func TestHeadersOfNoUseAreRationed(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		for range 50 {
			n.chain.mine()
		}
		before := n.chain.size()
		s := w.bare(n)
		s.listen()
		farms := 0
		s.serveHeaders(func(chainhash.Hash) []wire.BlockHeader {
			farms++
			return newFarm(n.opts.Params, 50, byte(farms)).after(n.opts.Params.GenesisHash)
		})
		s.shake()
		st, began := s.open(s.ids.relay), time.Now()
		for i := range 200 {
			m := tipMessage{Header: wire.BlockHeader{Nonce: uint32(i)}, Height: 1000, Work: consensus.Work{1}}
			s.try(st, relayTip, m.encode())
			time.Sleep(100 * time.Millisecond)
		}
		grown := n.chain.size() - before
		if ration := lesserBurst + lesserPerSec*int(time.Since(began)/time.Second+1); grown > ration || grown < lesserBurst/2 || farms > 2*lesserBurst/50 {
			t.Errorf("%d headers more after %d chains", grown, farms)
		}
		t.Logf("%d headers of %d chains are stored", grown, farms)

		honest := w.start()
		for range 60 {
			honest.chain.mine()
		}
		n.dial(honest)
		took := w.until(3*time.Second, "a chain with more work is still followed", func() bool { return n.chain.Tip().Height == 60 })
		t.Log("a longer chain is taken after", took)
	})
}

// Blocks as heavy as the tip, one after the other, are taken up to a ration, and the next block of the chain is still taken at once.
func TestBlocksBesideTheTipAreRationed(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n, honest := w.start(), w.start()
		n.dial(honest)
		w.until(time.Second, "connected", w.all(peers(1)))
		parent := n.chain.Tip()
		first := honest.chain.mine()
		w.until(time.Second, "one block", w.all(atTip(first)))
		before := n.chain.size()
		s := w.bare(n)
		s.listen()
		s.shake()
		st, began := s.open(s.ids.relay), time.Now()
		const pushed = 600
		for range pushed {
			c := compactOf(mineOn(parent, nil))
			s.try(st, relayBlock, c.encode())
			time.Sleep(50 * time.Millisecond)
		}
		grown := n.chain.size() - before
		if ration := (lesserBurst + lesserPerSec*int(time.Since(began)/time.Second+1)) / lesserBlock; grown > ration || grown < ration/2 {
			t.Errorf("%d blocks of %d are stored", grown, pushed)
		}
		b := honest.chain.mine()
		took := w.until(time.Second, "the next block", w.all(atTip(b)))
		t.Logf("%d blocks of %d are stored, the next one is here after %v", grown, pushed, took)
	})
}

// The work that a chain must have to be stored is the larger of what the network is known to have and what our tip has less 144 blocks.
func TestNeededWork(t *testing.T) {
	for _, tc := range []struct{ height, least, want int32 }{ // in blocks of regtest, two hashes each; the genesis block is one
		{0, 0, 0},
		{143, 0, 0},
		{144, 0, 1},
		{200, 0, 57},
		{200, 56, 57},
		{200, 58, 58},
		{0, 58, 58},
	} {
		n := &Network{opts: Options{Params: demanding(int(tc.least))}}
		chain := newFakeChain(n.opts.Params)
		for range tc.height {
			chain.mine()
		}
		n.chain = chain
		if got := n.neededWork(); got != work(2*tc.want) {
			t.Errorf("at height %d, least %d: %v, want %d blocks", tc.height, tc.least, got, tc.want)
		}
	}
}
