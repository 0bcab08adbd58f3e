package p2p

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func (n *node) addrInfo() peer.AddrInfo { return peer.AddrInfo{ID: n.ID(), Addrs: n.host.Addrs()} }

// town starts nodes that know only the first of them, each with a shelf of its own.
func (w *world) town(n int) []*node {
	boot := w.start(discovering, keeping)
	nodes := []*node{boot}
	for range n - 1 {
		nodes = append(nodes, w.start(discovering, keeping, func(o *Options) { o.Peers = []string{boot.addr()} }))
	}
	w.until(20*time.Second, "all have peers", w.all(peers(min(4, n-1))))
	return nodes
}

func keeping(o *Options) { o.Shelf = newShelf() }

// Whichever node dies, the rest goes on, and newcomers join through any other.
func TestNoNodeIsNeeded(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		town := w.town(8)
		for i := range 5 { // the boot node first
			town[i].halt()
			through := town[i+1+i%2]
			if through.cancel == nil {
				through = town[7]
			}
			late := w.start(discovering, keeping, func(o *Options) { o.Peers = []string{through.addr()} })
			took := w.until(20*time.Second, "the newcomer is not alone", func() bool { return late.Count() >= 3 })
			t.Logf("without %d of them a newcomer has 3 peers after %v", i+1, took)
		}
		b := town[7].chain.mine()
		w.until(10*time.Second, "all have the block", w.all(atTip(b)))
	})
}

// A node that starts again, told of nobody and with its boot node gone, finds the others in its book; its anchors come first.
func TestBookSurvivesARestart(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		town := w.town(8)
		n := town[3]
		time.Sleep(10 * time.Second)
		n.halt()
		if len(n.opts.Shelf.(*shelf).kept[shelfAnchors]) == 0 {
			t.Error("no anchors were stored")
		}
		town[0].halt()
		n.opts.Peers = nil
		n.again()
		took := w.until(5*time.Second, "it is back", func() bool { return n.Count() >= 3 })
		t.Log("back after", took)
		kinds := map[string]int{}
		for _, p := range n.Peers() {
			kinds[p.ConnectionType]++
		}
		t.Log(kinds)
		if kinds["block-relay-only"] == 0 {
			t.Error("no anchor was dialled")
		}
	})
}

// liar answers every question for peers with records of nobody.
func (w *world) liar(victim *node) *stranger {
	w.t.Helper()
	s := w.bare(victim)
	if err := s.Network().ClosePeer(victim.ID()); err != nil { // it waits to be dialled
		w.t.Fatal(err)
	}
	w.until(time.Second, "the liar is out", s.out)
	ids := make([]peer.ID, maxRecords)
	for i := range ids {
		ids[i] = idOf(i)
	}
	var told atomic.Int64 // streams come side by side
	s.answerStatus()
	s.SetStreamHandler(s.ids.relay, func(network.Stream) {})
	s.SetStreamHandler(s.ids.peers, func(st network.Stream) {
		var list []peerRecord
		for range maxRecords {
			fake := int(told.Add(1))
			ip := fmt.Sprintf("/ip4/77.%d.%d.1/udp/8000/quic-v1", fake%4, fake/4%250)
			list = append(list, peerRecord{ID: ids[fake%len(ids)], Addrs: []ma.Multiaddr{ma.StringCast(ip)}, Seen: time.Now()})
		}
		s.frame(st, encodeRecords(list))
		_ = st.Close()
	})
	return s
}

// A boot node that lies about who is there delays a newcomer that knows an honest one as well, and no more.
func TestExchangePoisoning(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		town := w.town(7)
		victim := w.start(discovering, keeping)
		for range 3 {
			l := w.liar(victim)
			if err := victim.AddNode(l.Addrs()[0].String() + "/p2p/" + l.ID().String()); err != nil {
				t.Fatal(err)
			}
		}
		w.until(10*time.Second, "it was lied to", func() bool { return len(victim.known.some(1000, time.Now())) > 100 })
		if err := victim.AddNode(town[2].addr()); err != nil {
			t.Fatal(err)
		}
		honest := func() (n int) {
			for _, o := range town {
				if victim.peers.get(o.ID()) != nil {
					n++
				}
			}
			return n
		}
		took := w.until(3*time.Minute, "the victim has honest peers", func() bool { return honest() >= 5 })
		t.Logf("%d honest peers after %v", honest(), took)
		time.Sleep(5 * time.Minute)
		if n := len(victim.known.some(10_000, time.Now())); n > 3*sourceShare*bucketSize {
			t.Errorf("%d records are remembered", n)
		}
	})
}

// The records that a peer may tell unasked are few, and an answer comes a few times only.
func TestExchangeIsLimited(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start(discovering)
		s := w.stranger(n)
		for i := range 40 {
			var list []peerRecord
			for j := range maxTold {
				list = append(list, recordAt(i*maxTold+j, fmt.Sprintf("77.%d.%d.1", j, i), time.Now()))
			}
			st := s.open(s.ids.peers)
			s.typed(st, peersTell, encodeRecords(list))
			_ = st.Close()
			time.Sleep(100 * time.Millisecond)
		}
		if got := len(n.known.some(1000, time.Now())); got == 0 || got > toldBurst+5 {
			t.Errorf("%d of 400 records were taken", got)
		}
		full := 0
		for range 3 * askPeersBurst {
			st := s.open(s.ids.peers)
			s.typed(st, peersAsk, encodeRecords(nil))
			payload, err := newFrameReader(st, &meter{}, 64).next(maxAnswerBytes, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if list, err := decodeRecords(payload, maxRecords); err != nil {
				t.Fatal(err)
			} else if len(list) > 0 {
				full++
			}
			_ = st.Close()
		}
		if full != askPeersBurst {
			t.Errorf("%d answers, want %d", full, askPeersBurst)
		}
	})
}

// Forty hosts of one network do not keep others out.
func TestInboundFloodFromOneNetwork(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		victim := w.start(func(o *Options) { o.MaxPeers, o.PerSubnet = 40, 5 })
		for range 5 {
			w.start().dial(victim)
		}
		got := 0
		for i := range 40 {
			ip := fmt.Sprintf("6.6.6.%d", i+1)
			h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/"+ip+"/udp/8000/quic-v1"), w.link(ip), libp2p.DisableIdentifyAddressDiscovery(),
				libp2p.DisableMetrics(), libp2p.DisableRelay(), libp2p.ResourceManager(&network.NullResourceManager{}))
			if err != nil {
				t.Fatal(err)
			}
			w.atEnd = append(w.atEnd, func() { _ = h.Close() })
			_ = h.Connect(t.Context(), victim.addrInfo()) // whether it is let in is the question
		}
		for _, c := range victim.host.Network().Conns() {
			if netGroup(ipOf(c.RemoteMultiaddr())).String() == "6.6.0.0/16" {
				got++
			}
		}
		t.Logf("%d of 40 are connected", got)
		if got > victim.opts.PerSubnet {
			t.Errorf("%d of 40 are connected", got)
		}
		w.start().dial(victim)
		if victim.Count() != 6 {
			t.Errorf("%d honest peers, want 6", victim.Count())
		}
	})
}

// No two peers that we chose are of one network.
func TestOneOutboundPerNetwork(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		victim := w.start(discovering, func(o *Options) { o.AllowPrivate = false })
		hosts := map[string]bool{}
		for i := range 12 {
			ip := fmt.Sprintf("5.%d.%d.1", i%3, i)
			hosts[ip] = true
			n := w.startAt(ip, discovering)
			victim.known.tell(newRecords(n.ID(), n.host.Addrs(), time.Now()), ipOf(n.host.Addrs()[0]), time.Now())
		}
		w.until(time.Minute, "three are dialled", func() bool { return victim.Count() >= 3 })
		time.Sleep(10 * time.Minute)
		out := map[string]int{}
		for _, r := range victim.peers.all() {
			if r.kind.keepsGroup() {
				out[netGroup(r.ip).String()]++
			}
		}
		t.Log(out)
		for group, n := range out {
			if n != 1 {
				t.Errorf("%d peers of %s", n, group)
			}
		}
		if len(out) != 3 {
			t.Errorf("peers in %d networks of 3", len(out))
		}
	})
}

// Blocks come over a link for blocks only, transactions do not.
func TestBlocksOnlyLink(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		_, done := b.peers.intend(a.ID(), blockOnlyPeer)
		if err := b.host.Connect(t.Context(), a.addrInfo()); err != nil {
			t.Fatal(err)
		}
		done()
		w.until(5*time.Second, "connected", w.all(peers(1)))
		tx := payment(1, nil)
		a.pay(tx)
		block := a.chain.mine()
		w.until(5*time.Second, "the block is there", w.all(atTip(block)))
		time.Sleep(10 * time.Second)
		if has(tx)(b) {
			t.Error("a transaction came over a link for blocks only")
		}
		if p := b.Peers()[0]; p.ConnectionType != "block-relay-only" {
			t.Errorf("kind %s", p.ConnectionType)
		}
	})
}
