package p2p

import (
	"cmp"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// table holds the connected peers. It counts peers, not connections: two that dial each other at once have two.
type table struct {
	maxInbound, maxOutbound int // set once

	mu     sync.Mutex
	peers  map[peer.ID]*remote
	manual map[peer.ID]bool // being dialled because an operator said so
	next   int64            // number of the next peer
}

func newTable(maxPeers int) *table {
	out := min(maxOutbound, (maxPeers+1)/2)
	return &table{maxInbound: maxPeers - out, maxOutbound: out, peers: map[peer.ID]*remote{}, manual: map[peer.ID]bool{}}
}

// add takes a new connection's peer into the table. added is false if it is there already; refused is true if there is no slot.
func (t *table) add(c network.Conn) (r *remote, added, refused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := c.RemotePeer()
	if r := t.peers[id]; r != nil {
		return r, false, false
	}
	in, out := t.count()
	k := inboundPeer
	switch {
	case c.Stat().Direction == network.DirInbound && in >= t.maxInbound:
		return nil, false, true
	case c.Stat().Direction == network.DirInbound:
	case t.manual[id]:
		k = manualPeer
	case out >= t.maxOutbound:
		k = passingPeer
	default:
		k = outboundPeer
	}
	r = newRemote(id, t.next, k)
	r.addr, r.localAddr = c.RemoteMultiaddr().String(), c.LocalMultiaddr().String()
	t.next++
	t.peers[id] = r
	return r, true, false
}

// count returns how many slots are taken. Manual and passing peers take none.
func (t *table) count() (inbound, outbound int) {
	for _, r := range t.peers {
		switch r.kind {
		case inboundPeer:
			inbound++
		case outboundPeer:
			outbound++
		}
	}
	return inbound, outbound
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

// outboundFree returns how many more peers we may dial.
func (t *table) outboundFree() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, out := t.count()
	return t.maxOutbound - out
}

// markManual says that id is being dialled because an operator said so, until the returned function is called.
func (t *table) markManual(id peer.ID) (done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.manual[id] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.manual, id)
	}
}
