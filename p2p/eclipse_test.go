package p2p

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// gang is an attacker with many identities in few networks. What it says is well-formed: it breaks no rule.
type gang struct {
	w      *world
	victim *node
	nobody peer.ID
	lairs  []peerRecord // where it waits to be dialled, one in each network

	mu    sync.Mutex
	hosts []*stranger // that may be connected to the victim
	told  int
}

const gangNetworks = 4

func isGang(ip netip.Addr) bool { return ip.Is4() && ip.As4()[0] == 66 }

// hostAt opens a bare host at an IP address.
func (w *world) hostAt(ip string, victim *node) (*stranger, error) {
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/"+ip+"/udp/8000/quic-v1"), w.link(ip), libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.DisableMetrics(), libp2p.DisableRelay(), libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		return nil, err
	}
	genesis := victim.chain.params.GenesisHash
	return &stranger{Host: h, t: w.t, victim: victim, ids: victim.ids, status: status{
		Version: protocolVersion, Network: victim.chain.params.Name, Genesis: genesis, Tip: genesis, UserAgent: "/gang/",
	}}, nil
}

// lair waits to be dialled, and lies to who asks.
func (g *gang) lair(ip string) {
	s, err := g.w.hostAt(ip, g.victim)
	if err != nil {
		g.w.t.Fatal(err)
	}
	g.w.atEnd = append(g.w.atEnd, func() { _ = s.Close() })
	g.lairs = append(g.lairs, newRecords(s.ID(), s.Addrs(), time.Now())...)
	s.behave()
	s.SetStreamHandler(s.ids.peers, func(st network.Stream) {
		_ = (&frameWriter{dst: st, meter: &meter{}}).write(encodeRecords(g.lies(maxRecords)))
		_ = st.Close()
	})
}

// lies are records of the lairs, and of nobody at addresses all over the net.
func (g *gang) lies(count int) []peerRecord {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := slices.Clone(g.lairs)
	for len(list) < count {
		g.told++
		ip := fmt.Sprintf("/ip4/%d.%d.%d.1/udp/8000/quic-v1", 80+g.told%100, g.told/100%250, g.told/25_000)
		list = append(list, peerRecord{ID: g.nobody, Addrs: []ma.Multiaddr{ma.StringCast(ip)}, Seen: time.Now()})
	}
	return list
}

// behave answers what every peer answers.
func (s *stranger) behave() {
	s.answerStatus()
	s.SetStreamHandler(s.ids.relay, func(network.Stream) {})
}

// come lets one more identity connect, shake hands and tell of the lairs. It stays until the victim drops it.
func (g *gang) come(i int) {
	s, err := g.w.hostAt(fmt.Sprintf("66.%d.%d.1", i%gangNetworks, i/gangNetworks%250+2), g.victim)
	if err != nil {
		g.w.t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s.behave()
	s.SetStreamHandler(s.ids.peers, func(st network.Stream) { _ = st.Reset() })
	err = s.Connect(ctx, g.victim.addrInfo())
	if err == nil {
		err = s.say(ctx, s.ids.status, func(w *frameWriter) error { return w.write(s.status.encode()) })
	}
	if err == nil {
		_ = s.say(ctx, s.ids.peers, func(w *frameWriter) error { return w.writeTyped(peersTell, encodeRecords(g.lies(maxTold))) })
	}
	if err != nil || len(s.Network().Peers()) == 0 {
		_ = s.Close()
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hosts = append(g.hosts, s)
}

// say writes to a stream of its own and reads what comes back, if anything does.
func (s *stranger) say(ctx context.Context, id protocol.ID, write func(*frameWriter) error) error {
	st, err := s.NewStream(ctx, s.victim.ID(), id)
	if err != nil {
		return err
	}
	defer func() { _ = st.Reset() }()
	if err := write(&frameWriter{dst: st, meter: &meter{}}); err != nil {
		return err
	}
	_ = st.CloseWrite()
	_, err = newFrameReader(st, &meter{}, 64).next(maxAnswerBytes, time.Second)
	return err
}

// leave closes the hosts that the victim has dropped.
func (g *gang) leave(all bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hosts = slices.DeleteFunc(g.hosts, func(s *stranger) bool {
		gone := all || len(s.Network().Peers()) == 0
		if gone {
			_ = s.Close()
		}
		return gone
	})
}

// attack lets identities from to until come, ten at a time.
func (g *gang) attack(from, until int) {
	for i := from; i < until; i += 10 {
		var ten sync.WaitGroup
		for j := i; j < min(i+10, until); j++ {
			ten.Go(func() { g.come(j) })
		}
		ten.Wait()
		g.leave(false)
	}
}

// slots counts the peers of the victim: honest and of the gang, who dialled it and whom it dialled.
func (g *gang) slots() (honestIn, honestOut, gangIn, gangOut int) {
	for _, r := range g.victim.peers.all() {
		switch {
		case isGang(r.ip) && r.kind == inboundPeer:
			gangIn++
		case isGang(r.ip):
			gangOut++
		case r.kind == inboundPeer:
			honestIn++
		default:
			honestOut++
		}
	}
	return honestIn, honestOut, gangIn, gangOut
}

// A thousand identities in four networks, one after the other, all well-behaved, fill the free slots of a node and four of those that it
// fills itself. They push out nobody, keep nobody out, and own no more than their share of the address book; after a restart
// the node is among honest peers again.
func TestEclipse(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		town := w.town(9)
		victim := w.start(discovering, keeping, func(o *Options) { o.MaxPeers, o.Peers = 40, []string{town[0].addr()} })
		for range 6 { // honest ones that dial it
			w.start().dial(victim)
		}
		g := &gang{w: w, victim: victim, nobody: idOf(1)}
		w.until(time.Minute, "it has found the town", func() bool { return victim.Count() >= 12 })
		for i := range gangNetworks {
			g.lair(fmt.Sprintf("66.%d.1.1", i))
		}
		in, out, _, _ := g.slots()
		before := inUse()
		identities := 1000
		if underRace {
			identities = 100 // the detector needs eight times as long
		}
		g.attack(0, identities)
		time.Sleep(time.Minute)
		honestIn, honestOut, gangIn, gangOut := g.slots()
		t.Logf("before: %d in, %d out; after: %d in, %d out, and of the gang %d in, %d out; heap %d MiB more", in, out, honestIn, honestOut, gangIn, gangOut, (inUse()-before)>>20)
		if honestIn < in {
			t.Errorf("%d honest peers that dialled it are left of %d", honestIn, in)
		}
		if gangOut > gangNetworks || honestOut == 0 {
			t.Errorf("it has dialled %d honest peers and %d of the gang", honestOut, gangOut)
		}
		if n := len(victim.peers.ready()); n > 41 { // the static one comes on top
			t.Errorf("%d peers", n)
		}
		if inUse()-before > 64<<20 {
			t.Error("memory grows with the identities that were there")
		}
		b := town[3].chain.mine()
		t.Log("block after", w.until(2*time.Second, "the block is here", func() bool { return atTip(b)(victim) }))
		g.bookShare(t, victim, town)

		late := w.start()
		late.dial(victim) // is let in, and stays
		g.attack(identities, identities+40)
		if late.Count() != 1 {
			t.Error("a newcomer was pushed out")
		}

		victim.halt() // and the gang is there first when it comes back
		g.leave(true)
		victim.again()
		g.attack(0, 60)
		w.until(time.Minute, "honest peers after a restart", func() bool { _, honestOut, _, _ := g.slots(); return honestOut >= 3 })
		b = town[4].chain.mine()
		w.until(2*time.Second, "the block is here", func() bool { return atTip(b)(victim) })
		g.leave(true)
	})
}

// bookShare checks that the victim still knows the town, and how much of its book is the gang's.
func (g *gang) bookShare(t *testing.T, victim *node, town []*node) {
	t.Helper()
	k := victim.known
	k.mu.Lock()
	defer k.mu.Unlock()
	of := func(want bool) func(*bookEntry) bool {
		return func(e *bookEntry) bool { return isGang(e.ip()) == want }
	}
	newGang, triedGang := k.book.counts(t, of(true))
	newHonest, triedHonest := k.book.counts(t, of(false))
	fresh, _ := k.book.counts(t, anybody)
	if most := (gangNetworks + 1) * sourceShare * bucketSize; fresh > most+len(town) {
		t.Errorf("%d new records, the gang can tell of %d", fresh, most)
	}
	t.Logf("book: of the gang %d new, %d tried; honest or nobody's %d new, %d tried", newGang, triedGang, newHonest, triedHonest)
	if newGang > gangNetworks*sourceShare*bucketSize || triedGang > gangNetworks*groupShare*bucketSize {
		t.Errorf("the gang has %d new and %d tried records", newGang, triedGang)
	}
	for _, n := range town {
		ip := ipOf(n.host.Addrs()[0])
		if k.book.entries[bookKey{ip, n.ID()}] == nil {
			t.Errorf("%s is forgotten", n.name)
		}
	}
}

// inUse returns the bytes that are in use.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
