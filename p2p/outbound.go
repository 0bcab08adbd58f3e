package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"groat/internal/store"
)

// outbound keeps our own slots filled: peers that we choose from the address book, one per network group, so that nobody who dials us, and
// nobody who speaks from few networks, surrounds us.
type outbound struct {
	n    *Network // set once
	wake chan struct{}

	mu      sync.Mutex
	dialled map[peer.ID]netip.Addr // dials that go on
	anchors []peerRecord           // left to be dialled
	feeler  time.Time              // when the next one is due

}

func newOutbound(n *Network) *outbound {
	o := &outbound{n: n, wake: make(chan struct{}, 1), dialled: map[peer.ID]netip.Addr{}}
	o.feeler = time.Now().Add(nextFeeler())
	return o
}

// nextFeeler is exponential, so that nobody can time what we do by it.
func nextFeeler() time.Duration {
	return min(time.Duration(rand.ExpFloat64()*float64(feelerEvery)), 5*feelerEvery)
}

// run dials until ctx ends: anchors first, then from the book, whenever a slot is free.
func (o *outbound) run(ctx context.Context) error {
	anchors, err := o.n.known.takeAnchors()
	if err != nil {
		o.n.log.Error("read the anchors", "err", err)
	}
	o.anchors = anchors
	tick := time.NewTicker(outboundTick)
	defer tick.Stop()
	for {
		if o.n.gate.isActive() {
			for o.step(ctx, time.Now()) {
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-o.wake:
		}
	}
}

// step begins one dial; false if there is nothing to do now.
func (o *outbound) step(ctx context.Context, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.dialled) >= dialsAtOnce {
		return false
	}
	r, k, ok := o.choose(now)
	if !ok {
		return false
	}
	o.dialled[r.ID] = r.ip()
	why, done := o.n.peers.intend(r.ID, k)
	started := o.n.start(func() {
		err := o.dial(ctx, r, why)
		done()
		o.mu.Lock()
		delete(o.dialled, r.ID)
		o.mu.Unlock()
		wakeUp(o.wake)
		if err != nil && ctx.Err() == nil {
			o.n.log.Debug("dial", "peer", r.ID, "addr", r.Addrs[0], "kind", k, "err", err)
		}
	})
	if !started {
		done()
		delete(o.dialled, r.ID)
	}
	return started
}

// choose says whom to dial next, and why. The caller holds the lock.
func (o *outbound) choose(now time.Time) (peerRecord, kind, bool) {
	full, blocks := o.n.peers.free(outboundPeer), o.n.peers.free(blockOnlyPeer)
	for len(o.anchors) > 0 && blocks > 0 {
		r := o.anchors[0]
		o.anchors = o.anchors[1:]
		if o.fits(r) {
			return r, blockOnlyPeer, true
		}
	}
	switch {
	case full > 0:
		if r, ok := o.n.known.pick(false, now, func(e *bookEntry) bool { return o.fits(e.peerRecord) }); ok {
			return r, outboundPeer, true
		}
	case blocks > 0:
		if r, ok := o.n.known.pick(false, now, func(e *bookEntry) bool { return o.fits(e.peerRecord) }); ok {
			return r, blockOnlyPeer, true
		}
	}
	if now.Before(o.feeler) {
		return peerRecord{}, 0, false
	}
	o.feeler = now.Add(nextFeeler())
	r, ok := o.n.known.feeler(now, func(e *bookEntry) bool { return o.fits(e.peerRecord) })
	return r, feelerPeer, ok
}

// fits says whether a record may be dialled now. The caller holds the lock.
func (o *outbound) fits(r peerRecord) bool {
	if r.ID == o.n.host.ID() || !o.n.peers.canDial(r.ID, r.ip()) || o.n.gate.banned(r.ip(), time.Now()) {
		return false
	}
	if _, going := o.dialled[r.ID]; going {
		return false
	}
	if o.n.opts.AllowPrivate && isLocal(r.ip()) {
		return true
	}
	for _, ip := range o.dialled {
		if netGroup(ip) == netGroup(r.ip()) {
			return false
		}
	}
	return true
}

// dial connects to a peer and returns when it takes part.
func (o *outbound) dial(ctx context.Context, r peerRecord, why *intent) error {
	n := o.n
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	n.known.dialling(r, n.Count() > 0, time.Now())
	n.dropPassing(ctx, r.ID)
	if s, ok := n.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(r.ID) // the book has a pause of its own
	}
	n.host.Peerstore().AddAddrs(r.ID, r.Addrs, peerstore.TempAddrTTL)
	err := n.host.Connect(network.WithDialPeerTimeout(ctx, dialTimeout), peer.AddrInfo{ID: r.ID, Addrs: r.Addrs})
	var mismatch sec.ErrPeerIDMismatch
	if errors.As(err, &mismatch) {
		n.known.wrongID(r, mismatch.Actual, time.Now())
	}
	if err != nil || why.kind == feelerPeer {
		return err
	}
	return n.awaitReady(ctx, why)
}

// dropPassing ends a connection that the DHT has made, so that one for a slot can take its place.
func (n *Network) dropPassing(ctx context.Context, id peer.ID) {
	r := n.peers.get(id)
	if r == nil || r.kind != passingPeer {
		return
	}
	_ = n.host.Network().ClosePeer(id) // it has gone then, or the dial says why not
	select {
	case <-r.gone:
	case <-ctx.Done():
	}
}

// saveAnchors stores the peers of blocks only, or, without such slots, two that we dialled: the first to be dialled after the next start. Who
// wants to surround a node by making it start again meets them first.
func (o *outbound) saveAnchors() {
	var blocks, full []peerRecord
	for _, r := range o.n.peers.ready() {
		info, err := peer.AddrInfoFromString(r.addr + "/p2p/" + r.id.String())
		if err != nil || !dialable(info.Addrs[0]) {
			continue
		}
		record := peerRecord{ID: r.id, Addrs: info.Addrs, Seen: time.Now()}
		switch r.kind {
		case blockOnlyPeer:
			blocks = append(blocks, record)
		case outboundPeer:
			full = append(full, record)
		}
	}
	list := append(blocks, full...)
	if err := o.n.known.putAnchors(list[:min(len(list), maxBlockOnly)]); err != nil {
		o.n.log.Error("save the anchors", "err", err)
	}
}

// putAnchors stores the anchors.
func (k *knownPeers) putAnchors(list []peerRecord) error {
	if k.shelf == nil {
		return nil
	}
	var batch store.Batch
	batch.Put([]byte(shelfAnchors), encodeRecords(list))
	return k.shelf.Update(&batch)
}

// takeAnchors returns the anchors and forgets them: one that crashes us is not met again at each start.
func (k *knownPeers) takeAnchors() ([]peerRecord, error) {
	if k.shelf == nil {
		return nil, nil
	}
	var list []peerRecord
	err := k.shelf.Iterate([]byte(shelfAnchors), func(_, value []byte) (err error) {
		list, err = decodeRecords(value, maxBlockOnly)
		return err
	})
	var batch store.Batch
	batch.Delete([]byte(shelfAnchors))
	if e := k.shelf.Update(&batch); err == nil && e != nil {
		err = fmt.Errorf("forget them: %w", e)
	}
	return list, err
}
