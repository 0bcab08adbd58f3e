package p2p

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Whoever is found on the local network becomes a peer, on a network of public addresses too, where nobody else at a private address does.
func TestNeighbours(t *testing.T) {
	for _, private := range []bool{true, false} {
		simulate(t, func(t *testing.T, w *world) {
			public := func(o *Options) { o.AllowPrivate = private }
			n, a, b := w.startAt("192.168.1.2", discovering, public), w.startAt("192.168.1.3", discovering), w.startAt("192.168.1.4", discovering)
			lan := func(o *node) peer.AddrInfo {
				return peer.AddrInfo{ID: o.ID(), Addrs: o.host.Network().ListenAddresses()}
			}
			meet := func() {
				for _, o := range []*node{n, a, b} {
					n.meetNeighbour(t.Context(), lan(o))
				}
			}
			want := 1 // one of each network
			if private {
				want = 2
			}
			// They are found again and again: in one of sixteen books both have the same place, which the first leaves when it is a peer.
			w.until(10*time.Second, "the neighbours are peers", func() bool { meet(); return n.Count() == want })
			time.Sleep(time.Minute)
			if n.Count() != want || n.Peers()[0].ConnectionType != "outbound-full-relay" {
				t.Errorf("%d peers of %d, the first is %s", n.Count(), want, n.Peers()[0].ConnectionType)
			}
		})
	}
}

func TestTooManyNeighbours(t *testing.T) {
	found := make(neighbours, maxNeighbours)
	for range 1000 {
		found.HandlePeerFound(peer.AddrInfo{ID: "x"}) // must not block
	}
	if len(found) != maxNeighbours {
		t.Errorf("%d wait", len(found))
	}
}
