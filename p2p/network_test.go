package p2p

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"groat/consensus"
)

func TestTransactionAndBlockReachAll(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		for range 8 {
			w.start()
		}
		for i, n := range w.nodes { // a ring with chords
			n.dial(w.nodes[(i+1)%8])
			n.dial(w.nodes[(i+3)%8])
		}
		w.until(5*time.Second, "all have peers", w.all(peers(4)))

		tx := payment(1, nil)
		w.nodes[0].pay(tx)
		took := w.until(2*time.Second, "all have the payment", w.all(has(tx)))
		t.Log("payment reached all in", took)
		for _, n := range w.nodes {
			if n.pool.adds() != 1 {
				t.Errorf("%s was given the payment %d times", n.name, n.pool.adds())
			}
		}

		b := w.nodes[3].chain.mine(tx)
		took = w.until(time.Second, "all have the block", w.all(atTip(b)))
		t.Log("block reached all in", took)
	})
}

// Each transaction is sent to each node once, and a block of them needs no more than their short ids.
func TestManyTransactions(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		for i := range 6 {
			n := w.start()
			for _, other := range w.nodes[:i] {
				n.dial(other)
			}
		}
		w.until(time.Second, "connected", w.all(peers(5)))
		var txs []*consensus.Tx
		for i := range uint32(600) {
			tx := payment(i, nil)
			w.nodes[i%6].pay(tx)
			txs = append(txs, tx)
			time.Sleep(2 * time.Millisecond) // 500 a second
		}
		w.until(2*time.Second, "all have all", w.all(func(n *node) bool { return len(n.pool.Transactions()) == len(txs) }))
		sent := uint64(0)
		for _, n := range w.nodes {
			if got := n.pool.adds(); got != len(txs) {
				t.Errorf("%s was given %d transactions", n.name, got)
			}
			sent += n.Info().BytesSent
		}
		t.Log("bytes per transaction and node:", sent/uint64(len(txs)*len(w.nodes)))
		b := w.nodes[0].chain.mine(txs...)
		took := w.until(time.Second, "all have the block", w.all(atTip(b)))
		t.Log("block of 600 reached all in", took)
	})
}

// In a line nobody but the neighbour can help, and nothing has had time to form a mesh.
func TestBlockMinedRightAfterConnect(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		for i := range 5 {
			n := w.start()
			if i > 0 {
				n.dial(w.nodes[i-1])
			}
		}
		w.until(time.Second, "all have peers", w.all(peers(1)))
		b := w.nodes[0].chain.mine()
		took := w.until(3*time.Second, "all have the block", w.all(atTip(b)))
		t.Log("block reached the end of the line in", took)
	})
}

func TestBlockOfUnknownTransactions(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		b.dial(a)
		w.until(time.Second, "connected", w.all(peers(1)))
		var txs []*consensus.Tx
		for i := range uint32(20) {
			tx := payment(i, nil)
			txs = append(txs, tx)
			if i%2 == 0 {
				b.pay(tx)
			}
		}
		block := a.chain.mine(txs...)
		took := w.until(time.Second, "both have the block", w.all(atTip(block)))
		if b.blocks.recentOf(block.Hash()).block == nil {
			t.Error("the block was not rebuilt from its compact form")
		}
		t.Log("rebuilt in", took)
	})
}

func TestLateJoinerSyncs(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		blocks := make([]*consensus.Block, 2500) // more than one answer of headers
		first := newFakeChain(consensus.Regtest())
		for i := range blocks {
			blocks[i] = first.mine()
		}
		w.startWith(first, newFakePool())
		for range 3 {
			w.startWith(chainOf(blocks), newFakePool())
		}
		late := w.start()
		for _, n := range w.nodes[:4] {
			late.dial(n)
		}
		took := w.until(20*time.Second, "synced", func() bool { return late.chain.Tip().Height == 2500 })
		t.Log("synced in", took)
		for _, p := range late.Peers() {
			if p.BytesRecv < 50_000 {
				t.Errorf("%s served %d bytes only", p.Addr, p.BytesRecv)
			}
			if p.Score != 0 {
				t.Errorf("%s has score %v", p.Addr, p.Score)
			}
		}
	})
}

// chainOf is a chain that has the blocks.
func chainOf(blocks []*consensus.Block) *fakeChain {
	c := newFakeChain(consensus.Regtest())
	for _, b := range blocks {
		if _, err := c.AddBlock(context.Background(), b); err != nil {
			panic(err)
		}
	}
	return c
}

func TestSplitHeals(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		for range 6 {
			w.start(func(o *Options) {
				for _, n := range w.nodes {
					o.Peers = append(o.Peers, n.addr())
				}
			})
		}
		w.until(5*time.Second, "all know all", w.all(peers(5)))
		b := w.nodes[0].chain.mine()
		w.until(time.Second, "one block", w.all(atTip(b)))

		left, right := w.nodes[:3], w.nodes[3:]
		w.cut(right...)
		time.Sleep(time.Second)
		l := left[0].chain.mine()
		right[0].chain.mine()
		r := right[0].chain.mine()
		w.until(40*time.Second, "each side at its own tip", func() bool {
			return !slices.ContainsFunc(left, not(atTip(l))) && !slices.ContainsFunc(right, not(atTip(r)))
		})
		time.Sleep(time.Minute) // the connections across are dead
		if n := left[0].Count(); n != 2 {
			t.Errorf("%d peers while split", n)
		}
		w.cut()
		took := w.until(2*time.Minute, "all on the side with more work", w.all(atTip(r)))
		t.Log("healed in", took)
	})
}

func not(f func(*node) bool) func(*node) bool { return func(n *node) bool { return !f(n) } }

func TestNodeThatWasDownCatchesUp(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a := w.start()
		b := w.start(func(o *Options) { o.Peers = []string{a.addr()} })
		w.until(3*time.Second, "connected", w.all(peers(1)))
		b.halt()
		for range 40 {
			a.chain.mine()
		}
		b.again()
		w.until(3*time.Second, "caught up", func() bool { return b.chain.Tip().Height == 40 })

		a.halt() // now the static peer goes, and comes back
		w.until(time.Minute, "gone", func() bool { return b.Count() == 0 })
		time.Sleep(10 * time.Minute)
		a.again()
		took := w.until(2*redialMost, "connected again", func() bool { return b.Count() == 1 })
		t.Log("dialled again after", took)
	})
}

func TestOtherNetworksAreRefused(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a := w.start()
		other := w.startWith(newFakeChain(consensus.Testnet()), newFakePool())
		forked := consensus.Regtest()
		forked.GenesisHash[0] ^= 1
		fork := w.startWith(newFakeChain(consensus.Regtest()), newFakePool(), func(o *Options) { o.Params = forked })
		for n, why := range map[*node]string{
			other: `peer refused: it is on network "regtest", we are on "testnet"`,
			fork:  "peer refused: its network regtest begins with another block, " + consensus.Regtest().GenesisHash.String(),
		} {
			if err := n.TryNode(t.Context(), a.addr()); err == nil || err.Error() != why {
				t.Errorf("dialled another network: %v, want %s", err, why)
			}
			w.until(3*time.Second, "refused", func() bool { return len(n.peers.all()) == 0 && len(a.peers.all()) == 0 })
			if a.Count() != 0 || a.gate.banned(ipOf(n.host.Addrs()[0]), time.Now()) {
				t.Error("another network is no peer, and no offence either")
			}
		}
	})
}

// Who dials a node that has no slot for it learns so.
func TestNoSlot(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		full := w.start(func(o *Options) { o.MaxPeers = 2 }) // one of them for a peer that dials it
		w.start().dial(full)
		err := w.start().TryNode(t.Context(), full.addr())
		if want := "peer refused: it has no slot for us"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

// The round trip to a peer that has dialled us is known soon.
func TestPingOfBothEnds(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		a.dial(b)
		w.until(3*time.Second, "both know the ping", w.all(func(n *node) bool { return n.Count() == 1 && n.Peers()[0].Ping >= 40*time.Millisecond }))
	})
}

func TestOrphanGetsItsParent(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		parent := payment(1, nil)
		child := payment(2, parent)
		a.pay(parent, child)
		b.dial(a)
		b.txs.mu.Lock() // as if the announcement of the parent had been lost
		b.txs.rejects.put(prefixOf(parent.WTxID()), struct{}{})
		b.txs.mu.Unlock()
		w.until(ownDelayMost+4*time.Second, "both have the child", w.all(has(child)))
	})
}

func TestDiscoveryThroughOneNode(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		boot := w.start(discovering)
		for range 5 {
			w.start(discovering, func(o *Options) { o.Peers = []string{boot.addr()} })
		}
		took := w.until(10*time.Second, "all know all", w.all(peers(5)))
		t.Log("all know all after", took)
		boot.halt()
		late := w.start(discovering, func(o *Options) { o.Peers = []string{w.nodes[2].addr()} })
		took = w.until(10*time.Second, "the newcomer knows all that are left", func() bool { return late.Count() == 5 })
		t.Log("the newcomer knows all after", took)
	})
}

func discovering(o *Options) { o.Discovery = true }

func TestOutboundSlotsAreKept(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		boot := w.start(discovering)
		for range 10 {
			w.start(discovering, func(o *Options) { o.Peers = []string{boot.addr()} })
		}
		time.Sleep(10 * time.Second)
		for _, n := range w.nodes {
			out := 0
			for _, p := range n.Peers() {
				if p.ConnectionType == "outbound-full-relay" {
					out++
				}
			}
			if out > maxOutbound {
				t.Errorf("%s dialled %d", n.name, out)
			}
			if n.Count() < 4 {
				t.Errorf("%s has %d peers", n.name, n.Count())
			}
		}
	})
}

func TestOperatorsCommands(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		addr, _, _ := cutID(a.addr())
		if err := b.AddNode(addr); err != nil { // its id is learnt
			t.Fatal(err)
		}
		if err := b.AddNode(addr); !errors.Is(err, ErrNodeAdded) {
			t.Error("added twice:", err)
		}
		w.until(5*time.Second, "connected", w.all(peers(1)))
		if got := b.AddedNodes(); len(got) != 1 || got[0].Addr != addr || !got[0].Connected || got[0].Inbound {
			t.Errorf("added nodes: %+v", got)
		}
		p := b.Peers()[0]
		if p.ConnectionType != "manual" || p.Inbound || p.Peer != a.ID().String() || p.Ping <= 0 || p.SyncedBlocks != 0 {
			t.Errorf("peer: %+v", p)
		}
		if err := b.Disconnect(p.ID); err != nil {
			t.Fatal(err)
		}
		if err := b.Disconnect(99); !errors.Is(err, ErrNotConnected) {
			t.Error("disconnect nobody:", err)
		}
		w.until(5*time.Second, "dialled again", func() bool { return b.Count() == 1 && b.Peers()[0].ID != p.ID })
		b.SetActive(false)
		w.until(time.Second, "switched off", w.all(func(n *node) bool { return n.Count() == 0 }))
		time.Sleep(time.Minute)
		if b.Count() != 0 || b.TryNode(t.Context(), a.addr()) == nil || b.Info().Active {
			t.Error("connected while switched off")
		}
		b.SetActive(true)
		w.until(5*time.Second, "switched on", w.all(peers(1)))
		if err := b.RemoveNode(addr); err != nil {
			t.Fatal(err)
		}
		if err := b.RemoveNode(addr); !errors.Is(err, ErrNodeNotAdded) {
			t.Error("removed twice:", err)
		}
		if info := a.Info(); info.Inbound != 1 || info.Outbound != 0 || info.BytesSent == 0 || info.BytesRecv == 0 {
			t.Errorf("info: %+v", info)
		}
	})
}

func TestBothDialAtOnce(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		done := make(chan error)
		go func() { done <- a.TryNode(t.Context(), b.addr()) }()
		b.dial(a)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		w.until(3*time.Second, "connected", w.all(peers(1)))
		time.Sleep(time.Minute)
		if a.Count() != 1 || b.Count() != 1 {
			t.Errorf("%d and %d peers", a.Count(), b.Count())
		}
	})
}

// A failure of our own disk stops the node and blames nobody.
func TestOwnFailureBlamesNobody(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		b.dial(a)
		w.until(time.Second, "connected", w.all(peers(1)))
		disk := errors.New("disk on fire")
		b.chain.mu.Lock()
		b.chain.failAdd = disk
		b.chain.mu.Unlock()
		a.chain.mine()
		if err := <-b.done; !errors.Is(err, disk) {
			t.Errorf("Run returned %v", err)
		}
		b.cancel()
		b.cancel = nil
		if b.gate.banned(ipOf(a.host.Addrs()[0]), time.Now()) {
			t.Error("the peer was banned")
		}
		synctest.Wait()
	})
}
