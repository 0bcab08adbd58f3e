package p2p

import (
	"context"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// natOptions make a host reachable behind a router as far as that goes: it asks the router for a port (UPnP, NAT-PMP), learns from others whether
// that worked (AutoNATv2), else takes a place at a peer that relays the first packets, and punches a hole for the rest. A host that is
// reachable relays for others, with the library's limits (2 min and 128 KiB a connection).
func natOptions(candidates func(context.Context, int) <-chan peer.AddrInfo) []libp2p.Option {
	return []libp2p.Option{
		libp2p.NATPortMap(),
		libp2p.EnableAutoNATv2(),
		libp2p.EnableNATService(), // relays and the DHT go by the first version's answers only, and somebody has to give them
		libp2p.EnableRelay(),
		libp2p.EnableRelayService(),
		libp2p.EnableHolePunching(),
		libp2p.EnableAutoRelayWithPeerSource(candidates),
	}
}

// reach is natOptions if they are wanted.
func (n *Network) reach() []libp2p.Option {
	if n.opts.NAT {
		return natOptions(n.relayCandidates)
	}
	return []libp2p.Option{libp2p.DisableRelay()}
}

// relayCandidates names up to limit peers that we have dialled, so that they are reachable and may relay.
func (n *Network) relayCandidates(_ context.Context, limit int) <-chan peer.AddrInfo {
	found := make(chan peer.AddrInfo, limit)
	defer close(found)
	for _, r := range n.peers.ready() {
		addr, err := ma.NewMultiaddr(r.addr)
		if r.greets() && err == nil && len(found) < limit {
			found <- peer.AddrInfo{ID: r.id, Addrs: []ma.Multiaddr{addr}}
		}
	}
	return found
}
