package p2p

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// table holds the connected peers. It counts peers, not connections: two that dial each other at once have two.
type table struct {
	maxInbound, maxOutbound, maxBlockOnly int  // set once
	private                               bool // set once; private addresses have no network groups
	seed                                  maphash.Seed
	inbound                               pace // of announcements to those who dial us

	mu     sync.Mutex
	peers  map[peer.ID]*remote
	intent map[peer.ID]*intent // why a peer is being dialled
	next   int64               // number of the next peer
}

// intent is why a peer is being dialled. It keeps the peer, which may have gone before its dialler looks.
type intent struct {
	kind kind
	here chan struct{} // closed when it is connected
	met  *remote       // guarded by the table; nil before
}

// meet notes the peer; the caller holds the table's lock.
func (why *intent) meet(r *remote) {
	if why != nil && why.met == nil && r != nil {
		why.met = r
		close(why.here)
	}
}

func newTable(maxPeers int, private bool) *table {
	t := &table{maxOutbound: min(maxOutbound, (maxPeers+1)/2), private: private, seed: maphash.MakeSeed(), peers: map[peer.ID]*remote{}, intent: map[peer.ID]*intent{}}
	if maxPeers >= blockOnlyFrom {
		t.maxBlockOnly = maxBlockOnly
	}
	t.maxInbound = maxPeers - t.maxOutbound - t.maxBlockOnly
	return t
}

// add takes a new connection's peer into the table. added is false if it is there already; refused is true if there is no slot. evicted
// is the peer that has to go for it, nil if none has.
func (t *table) add(c network.Conn) (r *remote, added, refused bool, evicted *remote) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := c.RemotePeer()
	if r := t.peers[id]; r != nil {
		return r, false, false, nil
	}
	k := inboundPeer
	if c.Stat().Direction == network.DirOutbound {
		k = passingPeer // nobody but the DHT dials without a reason
		if why := t.intent[id]; why != nil {
			k = why.kind
		}
	}
	r = newRemote(id, t.next, k, &t.inbound)
	r.addr, r.localAddr, r.ip = c.RemoteMultiaddr().String(), c.LocalMultiaddr().String(), ipOf(c.RemoteMultiaddr())
	r.browser = isBrowser(c)
	switch {
	case k == inboundPeer && r.browser && t.browsers() >= maxBrowsers:
		if evicted = t.evict(func(r *remote) bool { return r.browser }); evicted == nil {
			return nil, false, true, nil
		}
	case k == inboundPeer && t.count(inboundPeer) >= t.maxInbound:
		if evicted = t.evict(func(*remote) bool { return true }); evicted == nil {
			return nil, false, true, nil
		}
	case k == outboundPeer && (t.count(k) >= t.maxOutbound || t.groupTaken(r.ip)), k == blockOnlyPeer && (t.count(k) >= t.maxBlockOnly || t.groupTaken(r.ip)):
		return nil, false, true, nil
	}
	t.next++
	t.peers[id] = r
	t.intent[id].meet(r)
	return r, true, false, evicted
}

// count returns how many peers of a kind there are; the caller holds the lock. Those that are being evicted no longer count.
func (t *table) count(k kind) int {
	n := 0
	for _, r := range t.peers {
		if r.kind == k && !r.evicted {
			n++
		}
	}
	return n
}

// browsers returns how many browsers there are; the caller holds the lock.
func (t *table) browsers() int {
	n := 0
	for _, r := range t.peers {
		if r.browser && !r.evicted {
			n++
		}
	}
	return n
}

// groupTaken says whether a peer that we dialled is in the network group of ip; the caller holds the lock.
func (t *table) groupTaken(ip netip.Addr) bool {
	if t.private && isLocal(ip) {
		return false
	}
	for _, r := range t.peers {
		if r.kind.keepsGroup() && netGroup(r.ip) == netGroup(ip) {
			return true
		}
	}
	return false
}

// canDial says whether a peer at ip may be dialled for a slot or a feeler: it is not connected, and nobody else of its group is.
func (t *table) canDial(id peer.ID, ip netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.peers[id]
	return (r == nil || r.kind == passingPeer) && !t.groupTaken(ip)
}

// remove takes a peer out; nil if it is not there.
func (t *table) remove(id peer.ID) *remote {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.peers[id]
	if r == nil {
		return nil
	}
	delete(t.peers, id)
	return r
}

// get returns the peer with id; nil if it is not connected.
func (t *table) get(id peer.ID) *remote {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peers[id]
}

// byNum returns the peer with the number; nil if it is not connected.
func (t *table) byNum(num int64) *remote {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.peers {
		if r.num == num {
			return r
		}
	}
	return nil
}

// all returns the connected peers, the oldest first.
func (t *table) all() []*remote {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*remote, 0, len(t.peers))
	for _, r := range t.peers {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *remote) int { return cmp.Compare(a.num, b.num) })
	return list
}

// ready returns the peers whose handshake is done, the oldest first.
func (t *table) ready() []*remote {
	return slices.DeleteFunc(t.all(), func(r *remote) bool { return !r.isReady() })
}

// holders returns ready peers that are known to have a block, without the one that not names.
func (t *table) holders(hash chainhash.Hash, not *remote) []*remote {
	return slices.DeleteFunc(t.ready(), func(r *remote) bool { return r == not || !r.holds(hash) })
}

// free returns how many more peers of a kind we may have, those that are being dialled counted as here.
func (t *table) free(k kind) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	most := t.maxOutbound
	if k == blockOnlyPeer {
		most = t.maxBlockOnly
	}
	n := most - t.count(k)
	for id, why := range t.intent {
		if why.kind == k && t.peers[id] == nil {
			n--
		}
	}
	return n
}

// intend says why id is being dialled, until the returned function is called.
func (t *table) intend(id peer.ID, k kind) (why *intent, done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	why = &intent{kind: k, here: make(chan struct{})}
	why.meet(t.peers[id])
	t.intent[id] = why
	return why, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.intent, id)
	}
}

// metBy returns the peer that a dial has led to, nil if none.
func (t *table) metBy(why *intent) *remote {
	t.mu.Lock()
	defer t.mu.Unlock()
	return why.met
}

// groupTurn is a number of a network group that nobody outside can foretell.
func (t *table) groupTurn(group netip.Prefix) uint64 { return maphash.Comparable(t.seed, group) }
