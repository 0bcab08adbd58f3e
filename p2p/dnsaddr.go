package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// isSeed says whether a target is a name in the DNS that stands for several peers (/dnsaddr/NAME without an id), and not for one.
func isSeed(info peer.AddrInfo) bool {
	return info.ID == "" && len(info.Addrs) == 1 && len(info.Addrs[0]) == 1 && info.Addrs[0][0].Protocol().Code == ma.P_DNSADDR
}

// dialSeed looks a name up, puts the peers that it stands for into the address book, and connects to the first that answers, in an order that
// differs from node to node.
func (d *dialer) dialSeed(ctx context.Context, addr string, name ma.Multiaddr) error {
	found, err := d.lookup(ctx, name)
	if err != nil {
		return fmt.Errorf("look up %s: %w", name, err)
	}
	var list []peer.AddrInfo
	for _, a := range found[:min(len(found), maxSeedAddrs)] {
		if info, err := peer.AddrInfoFromP2pAddr(a); err == nil {
			list = append(list, *info)
			// Who runs the name has one source's share of the book.
			d.n.known.tell(newRecords(info.ID, info.Addrs, time.Now()), netip.Addr{}, time.Now())
		}
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	err = errors.New("no address with an id is there")
	for _, info := range list {
		met, done, failed := d.connect(ctx, info)
		done()
		if err = failed; err == nil {
			d.mu.Lock()
			d.learn[addr] = info.ID
			d.mu.Unlock()
			return d.n.awaitReady(ctx, met)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("reach a peer of %s: %w", name, err)
}
