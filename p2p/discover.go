package p2p

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
)

// discover finds peers by random walks in a Kademlia table of our own (kad-dht with our prefix) until ctx ends. Records are not kept: who
// could grind ids near a fixed key would decide what newcomers see.
func (n *Network) discover(ctx context.Context) error {
	table, err := dht.New(n.host, n.dhtOptions()...)
	if err != nil {
		return fmt.Errorf("open dht: %w", err)
	}
	defer func() {
		if err := table.Close(); err != nil {
			n.log.Debug("close dht", "err", err)
		}
	}()
	for {
		pause := walkSlow
		if n.gate.isActive() && n.peers.free(outboundPeer) > 0 && len(n.host.Network().Peers()) > 0 {
			pause = walkFast
			if n.walk(ctx, table) == 0 && len(n.peers.ready()) > 0 {
				pause = n.restlessness()
			}
		} else if len(n.peers.ready()) == 0 {
			pause = walkFast
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// restlessness is the pause after a walk that found nobody new: short while the node is young, then long.
func (n *Network) restlessness() time.Duration {
	oldest := n.peers.all()
	if len(oldest) == 0 || time.Since(oldest[0].connected) < walkSlow {
		return walkFast
	}
	return walkSlow
}

func (n *Network) dhtOptions() []dht.Option {
	options := []dht.Option{dht.ProtocolPrefix(n.ids.dht), dht.DisableProviders(), dht.DisableValues()}
	if n.opts.AllowPrivate {
		return append(options, dht.Mode(dht.ModeServer)) // it would wait for a proof of being reachable, which no local node gets
	}
	return append(options, dht.Mode(dht.ModeAuto),
		dht.QueryFilter(dht.PublicQueryFilter), dht.RoutingTableFilter(dht.PublicRoutingTableFilter),
		dht.RoutingTablePeerDiversityFilter(dht.NewRTPeerDiversityFilter(n.host, 2, 3)))
}

// walk asks for the peers nearest to a random key, puts them into the address book, and returns how many are new there.
func (n *Network) walk(ctx context.Context, table *dht.IpfsDHT) int {
	ctx, cancel := context.WithTimeout(ctx, walkTimeout)
	defer cancel()
	found, err := table.GetClosestPeers(ctx, rand.Text())
	if err != nil {
		n.log.Debug("walk", "err", err)
	}
	news := 0
	for _, id := range found {
		if id == n.host.ID() {
			continue
		}
		// No IP: who answered cannot be told, so that all that comes by the DHT has one source's share of the book.
		news += len(n.known.tell(newRecords(id, n.host.Peerstore().Addrs(id), time.Now()), netip.Addr{}, time.Now()))
	}
	if news > 0 {
		wakeUp(n.outbound.wake)
	}
	return news
}
