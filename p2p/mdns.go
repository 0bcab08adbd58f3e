package p2p

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
)

// neighbours are what mDNS has found on the local network.
type neighbours chan peer.AddrInfo

// HandlePeerFound implements mdns.Notifee. What is too many is left out: anybody nearby can make up any number.
func (found neighbours) HandlePeerFound(info peer.AddrInfo) {
	select {
	case found <- info:
	default:
	}
}

// mdnsName is what the nodes of a network call themselves on the local one.
func mdnsName(network string) string { return "_groat-" + network + "._udp" }

// searchLocally tells the local network of this node, and finds others there, until ctx ends. Without multicast there is a line in the log and
// nothing else.
func (n *Network) searchLocally(ctx context.Context) error {
	found := make(neighbours, maxNeighbours)
	service := mdns.NewMdnsService(n.host, mdnsName(n.opts.Params.Name), found)
	if err := service.Start(); err != nil {
		n.log.Warn("nobody is searched on the local network", "err", err)
	}
	for {
		select {
		case info := <-found:
			n.meetNeighbour(ctx, info)
		case <-ctx.Done():
			if err := service.Close(); err != nil {
				return fmt.Errorf("close mdns: %w", err)
			}
			return nil
		}
	}
}

// meetNeighbour puts a neighbour into the address book. Where that takes no private addresses one of each local network is dialled at once.
func (n *Network) meetNeighbour(ctx context.Context, info peer.AddrInfo) {
	if info.ID == n.host.ID() {
		return
	}
	now := time.Now()
	for _, r := range newRecords(info.ID, info.Addrs, now) {
		switch ip := r.ip(); {
		case n.opts.AllowPrivate || !isLocal(ip):
			if len(n.known.tell([]peerRecord{r}, ip, now)) > 0 {
				n.log.Debug("found on the local network", "peer", r.ID, "addr", r.Addrs[0])
				wakeUp(n.outbound.wake)
			}
		case !ip.IsLoopback() && n.peers.free(outboundPeer) > 0 && n.peers.canDial(r.ID, ip):
			why, done := n.peers.intend(r.ID, outboundPeer)
			permitted := n.gate.permit(r.ID)
			started := n.start(func() {
				defer done()
				defer permitted()
				if err := n.outbound.dial(ctx, r, why); err != nil && ctx.Err() == nil {
					n.log.Debug("dial a neighbour", "peer", r.ID, "addr", r.Addrs[0], "err", err)
				}
			})
			if !started {
				done()
				permitted()
			}
			return
		}
	}
}
