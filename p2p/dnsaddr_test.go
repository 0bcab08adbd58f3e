package p2p

import (
	"context"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

// A name in the DNS leads to the network, whichever of its peers are there; it is looked up again when the peer goes.
func TestSeedName(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		n := w.start()
		gone := recordAt(1, "7.7.7.7", time.Now())
		n.dialer.lookup = func(_ context.Context, name ma.Multiaddr) ([]ma.Multiaddr, error) {
			if name.String() != "/dnsaddr/seed.example" {
				t.Errorf("looks up %s", name)
			}
			return []ma.Multiaddr{
				ma.StringCast("/ip4/1.2.3.4/tcp/1"), ma.StringCast(a.addr()), ma.StringCast(b.addr()),
				ma.StringCast(gone.Addrs[0].String() + "/p2p/" + gone.ID.String()),
			}, nil
		}
		if err := n.AddNode("/dnsaddr/seed.example"); err != nil {
			t.Fatal(err)
		}
		w.until(time.Minute, "one of them is a peer", func() bool { return n.Count() == 1 })
		first, other := a, b
		if n.peers.get(b.ID()) != nil {
			first, other = b, a
		}
		first.halt()
		w.until(time.Minute, "the other is a peer", func() bool { return n.peers.get(other.ID()) != nil })
		if got := len(n.known.some(10, time.Now())); got != 3 {
			t.Errorf("%d of 3 are in the book", got)
		}
	})
}

// With all that helps behind a router on, two nodes on one machine still find each other and close.
func TestReachable(t *testing.T) {
	nat := func(o *Options) { o.NAT = true }
	a, _ := realNodeWith(t, nat, []string{"/ip4/127.0.0.1/tcp/0"})
	b, _ := realNodeWith(t, nat, []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}, a.Info().Listen[0])
	wait(t, "connected", func() bool { return a.Count() == 1 && b.Count() == 1 })
}
