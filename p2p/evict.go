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
	group     netip.Prefix // its network, invalid where networks tell nothing
	connected time.Time
	ready     bool          // it has done the handshake
	ping      time.Duration // 0 while unknown
	lastBlock time.Time     // when it last gave us a new block, zero for never
	lastTx    time.Time
	turn      uint64 // of its network group: a number that nobody outside can foretell
}

// chooseEvicted returns which tenant has to make room for a newcomer; false if all are worth keeping.
//
// One that has not shaken hands in time goes first; then the youngest of the network group that holds most of the slots, if it holds more than
// its share: in a crowd neither ping nor age is worth anything, only transactions and blocks are. If there is no crowd it is as in Bitcoin
// Core: each way of being useful keeps a few, and of the rest the youngest of the most populous group goes. A guest that still has
// time for its handshake never goes if it is alone in its group: else who connects fast enough, and says nothing, would keep others out.
func chooseEvicted(tenants []tenant, now time.Time) (int64, bool) {
	count := map[netip.Prefix]int{}
	for _, t := range tenants {
		if !t.ready && now.Sub(t.connected) > guestTime {
			return t.num, true
		}
		count[t.group]++
	}
	count[netip.Prefix{}] = 1
	rest := crowded(tenants, count)
	if len(rest) == 0 {
		rest = replaceable(tenants)
	}
	rest = slices.DeleteFunc(rest, func(t tenant) bool { return !t.ready && count[t.group] == 1 })
	if len(rest) == 0 {
		return 0, false
	}
	worst := slices.MaxFunc(rest, func(a, b tenant) int {
		return cmp.Or(cmp.Compare(count[a.group], count[b.group]), a.connected.Compare(b.connected), cmp.Compare(a.num, b.num))
	})
	return worst.num, true
}

// crowded returns the tenants of groups that hold more than their share, without those that were the last to bring something new.
func crowded(tenants []tenant, count map[netip.Prefix]int) []tenant {
	rest := slices.DeleteFunc(slices.Clone(tenants), func(t tenant) bool { return count[t.group] <= max(1, len(tenants)/crowdShare) })
	gave := slices.DeleteFunc(slices.Clone(rest), func(t tenant) bool { return t.lastTx.IsZero() && t.lastBlock.IsZero() })
	idle := slices.DeleteFunc(rest, func(t tenant) bool { return !t.lastTx.IsZero() || !t.lastBlock.IsZero() })
	return append(idle, keepGivers(gave)...)
}

// replaceable returns the tenants that are not worth keeping, those among them that have not shaken hands yet.
func replaceable(tenants []tenant) []tenant {
	rest := slices.DeleteFunc(slices.Clone(tenants), func(t tenant) bool { return !t.ready })
	guests := slices.DeleteFunc(slices.Clone(tenants), func(t tenant) bool { return t.ready })
	rest = keep(rest, 4, func(a, b tenant) int { return cmp.Compare(a.turn, b.turn) })
	rest = keep(rest, 8, func(a, b tenant) int { return cmp.Compare(known(a.ping), known(b.ping)) })
	rest = keepGivers(rest)
	rest = keep(rest, len(rest)/2, func(a, b tenant) int { return a.connected.Compare(b.connected) })
	return append(rest, guests...)
}

// keepGivers takes the last four to bring a transaction, and the last four to bring a block, out of the danger.
func keepGivers(list []tenant) []tenant {
	list = keep(list, 4, func(a, b tenant) int { return b.lastTx.Compare(a.lastTx) })
	return keep(list, 4, func(a, b tenant) int { return b.lastBlock.Compare(a.lastBlock) })
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

// evict chooses a peer that dialled us, one of those that among names, to make room for another, nil if there is none; the caller holds the lock and
// disconnects it.
func (t *table) evict(among func(*remote) bool) *remote {
	var list []tenant
	for _, r := range t.peers {
		if r.kind != inboundPeer || r.evicted || !among(r) {
			continue
		}
		r.mu.Lock()
		ping, gave := r.minPing, r.gave
		r.mu.Unlock()
		list = append(list, tenant{
			num: r.num, group: t.crowdGroup(r.ip), connected: r.connected, ready: r.isReady(), ping: ping,
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

// crowdGroup is the network group that counts against a peer at ip. Private addresses of a test network have none: all its nodes are there.
func (t *table) crowdGroup(ip netip.Addr) netip.Prefix {
	if t.private && isLocal(ip) {
		return netip.Prefix{}
	}
	return netGroup(ip)
}
