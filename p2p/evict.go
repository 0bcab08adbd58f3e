package p2p

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// A tenant is a peer that dialled us, as seen by whoever decides which one has to make room.
type tenant struct {
	num       int64
	ip        netip.Addr
	connected time.Time
	ready     bool          // it has done the handshake
	ping      time.Duration // 0 while unknown
	lastBlock time.Time     // when it last gave us a new block, zero for never
	lastTx    time.Time
	turn      uint64 // of its network group: a number that nobody outside can foretell
}

// chooseEvicted returns which tenant has to make room for a newcomer; false if all are worth keeping. As in Bitcoin Core each way of being useful, hard to
// fake for many identities at once, keeps a few: groups that an attacker cannot choose, low pings, transactions and blocks that
// came by them first, and long connections. Of the rest, the youngest of the most crowded network group goes; before
// all of them one that has not shaken hands in time.
func chooseEvicted(tenants []tenant, now time.Time) (int64, bool) {
	rest := make([]tenant, 0, len(tenants))
	for _, t := range tenants {
		if !t.ready && now.Sub(t.connected) > guestTime {
			return t.num, true
		}
		if t.ready {
			rest = append(rest, t)
		}
	}
	rest = keep(rest, 4, func(a, b tenant) int { return cmp.Compare(a.turn, b.turn) })
	rest = keep(rest, 8, func(a, b tenant) int { return cmp.Compare(known(a.ping), known(b.ping)) })
	rest = keep(rest, 4, func(a, b tenant) int { return b.lastTx.Compare(a.lastTx) })
	rest = keep(rest, 4, func(a, b tenant) int { return b.lastBlock.Compare(a.lastBlock) })
	rest = keep(rest, len(rest)/2, func(a, b tenant) int { return a.connected.Compare(b.connected) })
	if len(rest) == 0 {
		return 0, false
	}
	crowd := map[netip.Prefix]int{}
	for _, t := range rest {
		crowd[netGroup(t.ip)]++
	}
	worst := slices.MaxFunc(rest, func(a, b tenant) int {
		return cmp.Or(cmp.Compare(crowd[netGroup(a.ip)], crowd[netGroup(b.ip)]), a.connected.Compare(b.connected), cmp.Compare(a.num, b.num))
	})
	return worst.num, true
}

// keep takes the n best out of the danger.
func keep(list []tenant, n int, better func(a, b tenant) int) []tenant {
	slices.SortStableFunc(list, better)
	return list[min(n, len(list)):]
}

func known(ping time.Duration) time.Duration {
	if ping == 0 {
		return time.Hour
	}
	return ping
}

// evict chooses a peer that dialled us to make room for another, nil if there is none; the caller holds the lock and disconnects it.
func (t *table) evict() *remote {
	var list []tenant
	for _, r := range t.peers {
		if r.kind != inboundPeer || r.evicted {
			continue
		}
		r.mu.Lock()
		ping, gave := r.minPing, r.gave
		r.mu.Unlock()
		list = append(list, tenant{
			num: r.num, ip: r.ip, connected: r.connected, ready: r.isReady(), ping: ping,
			lastBlock: gave.block, lastTx: gave.tx, turn: t.groupTurn(netGroup(r.ip)),
		})
	}
	num, ok := chooseEvicted(list, time.Now())
	if !ok {
		return nil
	}
	for _, r := range t.peers {
		if r.num == num {
			r.evicted = true
			return r
		}
	}
	return nil
}
