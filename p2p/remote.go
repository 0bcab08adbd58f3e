package p2p

import (
	"net/netip"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"groat/consensus"
)

// kind says why we are connected to a peer.
type kind uint8

const (
	inboundPeer   kind = iota // it dialled us
	outboundPeer              // we dialled it
	manualPeer                // we dialled it because an operator said so
	blockOnlyPeer             // we dialled it for blocks only: no transactions and addresses betray the link
	feelerPeer                // we dialled it to see whether it is there
	passingPeer               // the DHT dialled it to ask something; there is no slot for it
)

// String returns Bitcoin Core's word for the kind of connection.
func (k kind) String() string {
	switch k {
	case outboundPeer:
		return "outbound-full-relay"
	case manualPeer:
		return "manual"
	case blockOnlyPeer:
		return "block-relay-only"
	case feelerPeer:
		return "feeler"
	case passingPeer:
		return "addr-fetch"
	}
	return "inbound"
}

// keepsGroup says whether no second peer of its network group is dialled. As in Core that holds for those that the operator named as well.
func (k kind) keepsGroup() bool { return k == outboundPeer || k == blockOnlyPeer || k == manualPeer }

// remote is a connected peer.
type remote struct {
	id        peer.ID       // set once
	num       int64         // set once; counts peers
	kind      kind          // set once
	addr      string        // set once
	localAddr string        // set once
	ip        netip.Addr    // set once
	browser   bool          // set once; it came by a transport that only browsers need
	connected time.Time     // set once
	met       chan struct{} // closed when its first status has come
	ready     chan struct{} // closed when it takes part in relay and sync
	gone      chan struct{} // closed when the last connection has ended
	left      chan struct{} // closed when nobody attends it any more; why it was refused is known then
	dialled   chan struct{} // gets a token when we turn out to have dialled it too
	refresh   chan struct{} // gets a token when the status is to be exchanged now
	out       *outbox
	meter     meter
	traffic   traffic

	trail trail // owned by the request for headers in flight

	evicted bool // guarded by the table: it has to go

	rebuilding chan struct{} // holds a token while a block that it has pushed is rebuilt

	invs    *rate.Limiter // announcements that it sends
	headers *rate.Limiter // requests for headers that it sends
	serving *rate.Limiter // bytes of blocks that it is sent
	answers *rate.Limiter // answers with peers that it is sent
	told    *rate.Limiter // records of peers that it sends unasked

	mu       sync.Mutex
	said     status // the last status, or what a tip message changed in it
	first    int32  // height of its tip at the handshake
	score    int
	dropping bool
	refused  error // why we do not talk to it
	ping     time.Duration
	minPing  time.Duration  // the shortest one; 0 while unknown
	heldTip  chainhash.Hash // block that it is known to have
	gave     gifts
}

// gifts notes when a peer last brought something new.
type gifts struct{ tx, block time.Time }

// newRemote makes a peer. inbound is the pace of those who dial us.
func newRemote(id peer.ID, num int64, k kind, inbound *pace) *remote {
	if k != inboundPeer {
		inbound = nil
	}
	return &remote{
		id: id, num: num, kind: k, connected: time.Now(), first: -1,
		met: make(chan struct{}), ready: make(chan struct{}), gone: make(chan struct{}), left: make(chan struct{}), dialled: make(chan struct{}, 1), refresh: make(chan struct{}, 1),
		rebuilding: make(chan struct{}, 1), out: newOutbox(inbound),
		invs:    rate.NewLimiter(invPerSecond, invBurst),
		headers: rate.NewLimiter(headersPerSec, headersBurst),
		serving: rate.NewLimiter(serveBytesPerSec, serveBurst),
		answers: rate.NewLimiter(rate.Every(time.Hour/askPeersPerHour), askPeersBurst),
		told:    rate.NewLimiter(rate.Every(time.Hour/toldPerHour), toldBurst),
	}
}

func (r *remote) outbound() bool { return r.kind != inboundPeer }

// greets says whether we begin the handshake.
func (r *remote) greets() bool { return r.kind != inboundPeer && r.kind != passingPeer }

// withoutTxs says whether one of us does not want transactions on this link. It is settled when the handshake is done.
func (r *remote) withoutTxs() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kind == blockOnlyPeer || r.said.BlocksOnly
}

// isReady reports whether the handshake is done.
func (r *remote) isReady() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

// hear notes what the peer says of itself.
func (r *remote) hear(s status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said, r.heldTip = s, s.Tip
	if r.first < 0 {
		r.first = s.Height
		close(r.met)
	}
}

// claims returns where the peer says its tip is.
func (r *remote) claims() status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said
}

// hearTip notes a new tip of the peer.
func (r *remote) hearTip(hash chainhash.Hash, height int32, work consensus.Work) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said.Tip, r.said.Height, r.said.Work, r.heldTip = hash, height, work, hash
}

// hasBlock notes that the peer has sent or was sent a block, and says whether that is news.
func (r *remote) hasBlock(hash chainhash.Hash) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	news := r.heldTip != hash
	r.heldTip = hash
	return news
}

// refuse notes why we do not talk to the peer.
func (r *remote) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = err
}

// whyRefused returns why we do not talk to the peer, nil if we do.
func (r *remote) whyRefused() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// holds reports whether the last block that the peer is known to have is hash.
func (r *remote) holds(hash chainhash.Hash) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heldTip == hash
}

// blame adds the points of o and says whether the peer has to go now.
func (r *remote) blame(o offence) (drop bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.score += penalties[o].points
	if r.score < scoreLimit || r.dropping {
		return false
	}
	r.dropping = true
	return true
}

func (r *remote) setPing(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ping = d
	if r.minPing == 0 || d < r.minPing {
		r.minPing = d
	}
}

// gaveTx notes that a transaction of the peer was accepted.
func (r *remote) gaveTx() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gave.tx = time.Now()
}

// gaveBlock notes that a block of the peer was new.
func (r *remote) gaveBlock() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gave.block = time.Now()
}

func (r *remote) lastPing() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ping
}

func (r *remote) points() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.score
}
