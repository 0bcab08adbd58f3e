package p2p

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// gater says which connections may come to be. libp2p asks it before and during each (connmgr.ConnectionGater).
type gater struct {
	allowPrivate bool // set once
	banLocal     bool // set once

	mu     sync.Mutex
	active bool
	bans   banList
	static map[peer.ID]int // peers that an operator named may be at private addresses; how many dials go on
}

func newGater(allowPrivate, banLocal bool) *gater {
	return &gater{allowPrivate: allowPrivate, banLocal: banLocal, active: true,
		bans: banList{}, static: map[peer.ID]int{}}
}

// setActive opens or closes the network as a whole.
func (g *gater) setActive(active bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active = active
}

func (g *gater) isActive() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.active
}

// ban refuses ip until then because its peer broke the protocol; false if it is spared.
func (g *gater) ban(ip netip.Addr, until, now time.Time) bool {
	if !ip.IsValid() || isLocal(ip) && !g.banLocal {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bans.add(hostPrefix(ip), ban{now, until}, now)
}

// banSubnet refuses a subnet because an operator said so.
func (g *gater) banSubnet(p netip.Prefix, until, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b, ok := g.bans[p]; ok && now.Before(b.until) || p.IsSingleIP() && g.bans.covers(p.Addr(), now) {
		return ErrBanned
	}
	if !g.bans.add(p, ban{now, until}, now) {
		return ErrManyBans
	}
	return nil
}

// unban ends the ban of just that subnet; false if there is none.
func (g *gater) unban(p netip.Prefix, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b, ok := g.bans[p]
	delete(g.bans, p)
	return ok && now.Before(b.until)
}

// unbanAll ends all bans and returns of what.
func (g *gater) unbanAll() []netip.Prefix {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := slices.Collect(maps.Keys(g.bans))
	clear(g.bans)
	return all
}

func (g *gater) banned(ip netip.Addr, now time.Time) bool {
	if !ip.IsValid() {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bans.covers(ip, now)
}

// permit lets id be dialled at a private address until the returned function is called.
func (g *gater) permit(id peer.ID) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.static[id]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.static[id]--; g.static[id] == 0 {
			delete(g.static, id)
		}
	}
}

func (g *gater) permitted(id peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.static[id] > 0
}

// InterceptPeerDial implements connmgr.ConnectionGater.
func (g *gater) InterceptPeerDial(peer.ID) bool { return g.isActive() }

// InterceptAddrDial implements connmgr.ConnectionGater.
func (g *gater) InterceptAddrDial(id peer.ID, addr ma.Multiaddr) bool {
	ip := ipOf(addr)
	if !ip.IsValid() {
		return true
	}
	if !g.allowPrivate && isLocal(ip) && !g.permitted(id) {
		return false
	}
	return !g.banned(ip, time.Now())
}

// InterceptAccept implements connmgr.ConnectionGater.
func (g *gater) InterceptAccept(c network.ConnMultiaddrs) bool {
	return g.isActive() && !g.banned(ipOf(c.RemoteMultiaddr()), time.Now())
}

// InterceptSecured refuses identities other than Ed25519: large RSA keys cost more to check than to make.
func (g *gater) InterceptSecured(_ network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	key, err := id.ExtractPublicKey()
	return err == nil && key.Type() == crypto.Ed25519
}

// InterceptUpgraded implements connmgr.ConnectionGater.
func (g *gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) {
	return g.isActive(), 0
}
