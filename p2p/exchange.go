package p2p

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
)

// Types of a peers frame.
const (
	peersAsk  = 0 // our own records; an answer follows
	peersTell = 1 // records that are new; no answer
)

func peersLimit(kind byte) (int, bool) { return maxTellBytes, kind == peersAsk || kind == peersTell }

// meet is what address book and exchange do with a peer that has just become ready.
func (n *Network) meet(ctx context.Context, r *remote) {
	if n.opts.Discovery && (r.kind == outboundPeer || r.kind == manualPeer) {
		n.askPeers(ctx, r)
	}
	wakeUp(n.outbound.wake)
}

// proved notes in the book that a peer which we dialled did the handshake.
func (n *Network) proved(r *remote) {
	if addr, err := ma.NewMultiaddr(r.addr); err == nil && r.greets() {
		n.known.proved(r.id, addr, n.host.Peerstore().Addrs(r.id), time.Now())
	}
}

// ourRecords are our own addresses that others may dial.
func (n *Network) ourRecords() []peerRecord {
	list := newRecords(n.host.ID(), n.host.Addrs(), time.Now())
	return slices.DeleteFunc(list, func(r peerRecord) bool { return isLocal(r.ip()) && !n.opts.AllowPrivate })
}

// askPeers tells a peer our own addresses and asks for those that it knows. Only who was dialled is asked: who dials us would be
// glad to say whom we should dial.
func (n *Network) askPeers(ctx context.Context, r *remote) {
	list, err := n.exchangePeers(ctx, r)
	if err != nil {
		if ctx.Err() == nil {
			n.log.Debug("ask for peers", "peer", r.id, "err", err)
			n.blame(r, err)
		}
		return
	}
	n.known.tell(list, r.ip, time.Now())
	wakeUp(n.outbound.wake)
}

func (n *Network) exchangePeers(ctx context.Context, r *remote) ([]peerRecord, error) {
	s, err := n.open(ctx, r, n.ids.peers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Reset() }() // after the answer nothing is lost
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	w := frameWriter{dst: s, meter: &r.meter}
	if err := w.writeTyped(peersAsk, encodeRecords(n.ourRecords())); err != nil {
		return nil, err
	}
	if err := s.CloseWrite(); err != nil {
		return nil, err
	}
	payload, err := newFrameReader(s, &r.meter, maxTellBytes).next(maxAnswerBytes, firstByteTimeout)
	if err != nil {
		return nil, fmt.Errorf("read peers: %w", err)
	}
	return decodeRecords(payload, maxRecords)
}

// answerPeers is the other end of askPeers and tellPeer.
func (n *Network) answerPeers(_ context.Context, r *remote, s network.Stream) error {
	kind, payload, err := newFrameReader(s, &r.meter, maxTellBytes).nextTyped(peersLimit, frameTimeout)
	if err != nil {
		return err
	}
	list, err := decodeRecords(payload, maxTold)
	if err != nil {
		return err
	}
	if !r.withoutTxs() {
		n.heardOf(list, r)
	}
	if kind != peersAsk {
		return nil
	}
	var answer []peerRecord // nothing for who asks too often, or was dialled by us and so has no need
	if r.kind == inboundPeer && r.answers.Allow() {
		answer = n.known.sample(time.Now())
	}
	w := frameWriter{dst: s, meter: &r.meter}
	return w.write(encodeRecords(answer))
}

// heardOf takes records that r sent unasked. New and fresh ones are told to two others.
func (n *Network) heardOf(list []peerRecord, r *remote) {
	now := time.Now()
	list = slices.DeleteFunc(list, func(rec peerRecord) bool { return rec.ID == n.host.ID() || !r.told.AllowN(now, 1) })
	news := n.known.tell(list, r.ip, now)
	n.spread(news, r, now)
	if len(news) > 0 {
		wakeUp(n.outbound.wake)
	}
}

// spread tells two peers of records that came from r. Who they are changes from record to record and from day to day.
func (n *Network) spread(news []peerRecord, from *remote, now time.Time) {
	for _, rec := range news {
		if now.Sub(rec.Seen) > tellFresh {
			continue
		}
		to := slices.DeleteFunc(n.peers.ready(), func(p *remote) bool { return p == from || p.id == rec.ID || p.withoutTxs() })
		slices.SortFunc(to, func(a, b *remote) int {
			return cmp.Compare(n.known.turn(rec, a.id, now), n.known.turn(rec, b.id, now))
		})
		for _, p := range to[:min(tellPeers, len(to))] {
			n.start(func() { n.tellPeer(p, []peerRecord{rec}) })
		}
	}
}

func (n *Network) tellPeer(r *remote, list []peerRecord) {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	s, err := n.open(ctx, r, n.ids.peers)
	if err != nil {
		n.log.Debug("tell of peers", "peer", r.id, "err", err)
		return
	}
	w := frameWriter{dst: s, meter: &r.meter}
	if err := w.writeTyped(peersTell, encodeRecords(list)); err != nil {
		_ = s.Reset() // it has failed already
		return
	}
	_ = s.Close() // all is written
}

// tellSelf tells all peers our own addresses once a day, and asks for more peers while slots stay free.
func (o *outbound) tellSelf(ctx context.Context) error {
	n := o.n
	tick := time.NewTicker(askPeersPause)
	defer tick.Stop()
	told := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		peers := slices.DeleteFunc(n.peers.ready(), (*remote).withoutTxs)
		if time.Since(told) > tellEvery {
			told = time.Now()
			if own := n.ourRecords(); len(own) > 0 {
				for _, r := range peers {
					n.start(func() { n.tellPeer(r, own) })
				}
			}
		}
		if n.peers.free(outboundPeer) == 0 {
			continue
		}
		// Whom we ask does not ask us, so that its limiter is free to say when it may be asked again.
		peers = slices.DeleteFunc(peers, func(r *remote) bool { return !r.greets() || !r.answers.Allow() })
		if len(peers) > 0 {
			n.askPeers(ctx, peers[rand.IntN(len(peers))])
		}
	}
}

// listenToIdentify feeds the book with what peers say of themselves, until ctx ends.
func (n *Network) listenToIdentify(ctx context.Context) error {
	sub, err := n.host.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		return fmt.Errorf("listen to identify: %w", err)
	}
	defer func() { _ = sub.Close() }() // it has no other end
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-sub.Out():
			if !ok {
				return nil
			}
			n.identified(e.(event.EvtPeerIdentificationCompleted))
		}
	}
}

// identified takes the addresses of a peer of our network, and tells others of them if they are new: so a newcomer becomes known.
func (n *Network) identified(e event.EvtPeerIdentificationCompleted) {
	if !slices.Contains(e.Protocols, n.ids.peers) {
		return
	}
	r := n.peers.get(e.Peer)
	if r == nil || r.kind == blockOnlyPeer {
		return
	}
	now := time.Now()
	list := newRecords(e.Peer, e.ListenAddrs, now)
	news := n.known.tell(list, r.ip, now)
	if r.kind == inboundPeer {
		n.spread(news, r, now)
	}
	if len(news) > 0 {
		wakeUp(n.outbound.wake)
	}
}
