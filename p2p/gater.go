package p2p

import (
	"net/netip"
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
	bans   map[netip.Addr]time.Time // until when
	static map[peer.ID]int          // peers that an operator named may be at private addresses; how many dials go on
}

func newGater(allowPrivate, banLocal bool) *gater {
	return &gater{allowPrivate: allowPrivate, banLocal: banLocal, active: true,
		bans: map[netip.Addr]time.Time{}, static: map[peer.ID]int{}}
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

// ban refuses ip until then; false if it is spared.
func (g *gater) ban(ip netip.Addr, until, now time.Time) bool {
	if !ip.IsValid() || isLocal(ip) && !g.banLocal {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.bans) >= maxBans {
		for other, end := range g.bans {
			if !now.Before(end) {
				delete(g.bans, other)
			}
		}
	}
	if len(g.bans) >= maxBans {
		return false
	}
	g.bans[ip] = until
	return true
}

func (g *gater) banned(ip netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	end, ok := g.bans[ip]
	if ok && !now.Before(end) {
		delete(g.bans, ip)
		return false
	}
	return ok
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
