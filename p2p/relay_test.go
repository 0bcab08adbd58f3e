package p2p

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"groat/consensus"
)

// listen returns a function that lists the transactions which the victim announces to the stranger.
func (s *stranger) listen() func() []wtxPrefix {
	var heard []wtxPrefix
	mu := make(chan struct{}, 1)
	s.SetStreamHandler(s.ids.relay, func(st network.Stream) {
		reader := newFrameReader(st, &meter{}, 4096)
		for {
			kind, payload, err := reader.nextTyped(relayLimit, time.Hour)
			if err != nil {
				return
			}
			if kind != relayInv {
				continue
			}
			items, err := decodeInv(payload)
			if err != nil {
				return
			}
			mu <- struct{}{}
			for _, it := range items {
				heard = append(heard, it.ID)
			}
			<-mu
		}
	})
	return func() []wtxPrefix {
		mu <- struct{}{}
		defer func() { <-mu }()
		return slices.Clone(heard)
	}
}

// Whoever dials us learns of our own transactions only after others could have told him.
func TestOwnTransactionsGoToDialledPeersFirst(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		for range 4 {
			n.dial(w.start())
		}
		w.until(time.Second, "connected", func() bool { return n.Count() == 4 })
		spy := w.bare(n)
		heard := spy.listen()
		spy.shake()
		for _, other := range w.nodes[1:] { // they tell nobody
			other.pool.mu.Lock()
			other.pool.mute = true
			other.pool.mu.Unlock()
		}
		time.Sleep(time.Second)
		tx := payment(1, nil)
		n.pay(tx)
		time.Sleep(ownDelayLeast - 50*time.Millisecond)
		told := 0
		for _, other := range w.nodes[1:] {
			if has(tx)(other) {
				told++
			}
		}
		if told != firstHops || len(heard()) != 0 {
			t.Errorf("%d peers and %d spies know of it after a second", told, len(heard()))
		}
		w.until(ownDelayMost+2*time.Second, "all have it", w.all(has(tx)))
		time.Sleep(2 * announceMax)
		if len(heard()) != 1 {
			t.Errorf("the spy heard %d", len(heard()))
		}
		time.Sleep(ownAgainMost)
		again := len(heard())
		if again < 2 || again > 3 {
			t.Errorf("announced %d times in 10 min", again)
		}
		n.chain.mine(tx)
		time.Sleep(ownAgainMost + time.Second)
		n.txs.mu.Lock()
		defer n.txs.mu.Unlock()
		if len(heard()) != again || len(n.txs.own.txs) != 0 {
			t.Error("announced after it was confirmed")
		}
	})
}

// A node whose initial download ends learns what it was not told of meanwhile.
func TestNewsAfterInitialDownload(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		b.chain.initial.Store(true)
		b.dial(a)
		w.until(time.Second, "connected", func() bool { return a.Count() == 1 })
		time.Sleep(2 * feeFilterEvery)
		tx := payment(1000, nil)
		a.pay(tx)
		time.Sleep(ownDelayMost + time.Second)
		if has(tx)(b) {
			t.Error("told of what is of no use to it")
		}
		b.chain.initial.Store(false)
		w.until(feeFilterEvery+time.Second, "it has what it missed", func() bool { return has(tx)(b) })
	})
}

func TestFeeFilter(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b, c := w.start(), w.start(), w.start()
		b.pool.mu.Lock()
		b.pool.minFee = 2000
		b.pool.mu.Unlock()
		b.dial(a)
		c.dial(a)
		w.until(time.Second, "connected", func() bool { return a.Count() == 2 })
		time.Sleep(2 * feeFilterEvery)
		cheap, dear := payment(100, nil), payment(100_000, nil) // the number is the fee
		a.pay(cheap, dear)
		w.until(ownDelayMost+time.Second, "they have it", func() bool { return has(dear)(b) && has(dear)(c) && has(cheap)(c) })
		if has(cheap)(b) {
			t.Error("told of what it does not want")
		}
		b.pool.mu.Lock()
		b.pool.minFee = 0
		b.pool.mu.Unlock()
		time.Sleep(2 * feeFilterEvery)
		other := payment(101, nil)
		a.pay(other)
		w.until(ownDelayMost+time.Second, "it wants cheap ones again", func() bool { return has(other)(b) })
	})
	for rate, want := range map[int64]int64{0: 0, 1: 1, 15: 15, 1000: 960, 5_000_000: 4_718_592} {
		if got := roundFee(uint64(rate)); int64(got) != want {
			t.Errorf("%d is rounded to %d", rate, got)
		}
	}
}

// Twenty who dial us, announce a transaction before honest peers do and never serve it do not keep it from us, and who does so on a
// large scale has to go (CVE-2024-52913).
func TestAttackersAnnounceFirst(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n, honest := w.start(), w.start()
		n.dial(honest)
		tx := payment(1, nil)
		for range 20 {
			s := w.stranger(n)
			s.typed(s.open(s.ids.relay), relayInv, encodeInv([]invItem{{ID: prefixOf(tx.WTxID()), VSize: 100}}))
		}
		w.until(2*time.Second, "asked", func() bool { return n.txs.asking(prefixOf(tx.WTxID())) })
		honest.pay(tx)
		took := w.until(2*askTimeout+time.Second, "arrived", w.all(has(tx)))
		t.Log("arrived after", took)
	})
}

func TestWhoNeverServesHasToGo(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		s := w.stranger(n)
		items := make([]invItem, maxInvIDs)
		for i := range items {
			items[i] = invItem{ID: txid(i + 1), VSize: 200}
		}
		s.typed(s.open(s.ids.relay), relayInv, encodeInv(items))
		took := w.until(10*time.Second, "out", s.out)
		if s.banned() {
			t.Error("banned: it may only be slow")
		}
		t.Log("out after", took)
	})
}

func TestTxPlanStalls(t *testing.T) {
	p, now := newTxPlan(), t0
	p.join(1, true)
	p.join(2, false)
	var ids []wtxPrefix
	for i := range maxAskStalls {
		ids = append(ids, txid(i+1))
	}
	p.announce(1, ids, now)
	p.plan(now)
	now = now.Add(askTimeout)
	p.plan(now)
	if p.peers[1].stalls != maxAskStalls || len(p.stalled(now)) != 0 {
		t.Errorf("%d stalls at once", p.peers[1].stalls)
	}
	p.announce(1, ids[:1], now)
	p.announce(2, ids[:1], now)
	if got := asked(p.plan(now)); got != "2: 1" {
		t.Errorf("asks %q, not who serves", got)
	}
	if got := p.stalled(now.Add(stallTime)); !slices.Equal(got, []int64{1}) {
		t.Errorf("stalled are %v", got)
	}
	p.announce(2, ids[1:2], now)
	p.plan(now)
	p.missing(2, ids[1], now)
	p.arrived(2, ids[0])
	if p.peers[2].stalls != 0 {
		t.Error("who serves is not forgiven")
	}
}

// An orphan of which one parent after the other comes is tried a few times only (CVE-2024-52914).
func TestOrphanOfManyParents(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		s := w.stranger(n)
		s.listen()
		st := s.open(s.ids.relay)
		give := func(tx *consensus.Tx) {
			s.typed(st, relayInv, encodeInv([]invItem{{ID: prefixOf(tx.WTxID())}}))
			time.Sleep(200 * time.Millisecond)
			s.typed(st, relayTx, tx.Raw())
			time.Sleep(200 * time.Millisecond)
		}
		var parents []*consensus.Tx
		orphan := payment(1000, payment(999, nil)).Msg.Copy()
		for i := range uint32(40) {
			parents = append(parents, payment(i, nil))
			in := *orphan.TxIn[0]
			in.PreviousOutPoint.Hash = parents[i].TxID()
			orphan.AddTxIn(&in)
		}
		give(consensus.NewTx(orphan))
		for _, tx := range parents {
			give(tx)
		}
		if got := n.pool.adds() - len(parents); got > 1+maxOrphanTries || got < 2 {
			t.Errorf("tried %d times", got)
		}
		n.txs.mu.Lock()
		defer n.txs.mu.Unlock()
		if s.out() || len(n.txs.orphans.txs) != 0 {
			t.Errorf("out %v, %d orphans", s.out(), len(n.txs.orphans.txs))
		}
	})
}
