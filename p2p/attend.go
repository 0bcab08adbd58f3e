package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// errQuiet ends a connection that never was to be more than a question of the DHT.
var errQuiet = errors.New("no handshake")

// attend stays with a peer for as long as it is connected: handshake, then the relay stream and a status from time to time.
func (n *Network) attend(ctx context.Context, r *remote) {
	defer close(r.left)
	running := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n.start(func() { // ends what attend waits for when the peer goes
		select {
		case <-r.gone:
			cancel()
		case <-ctx.Done():
		}
	})
	if err := n.greet(ctx, running, r); err != nil {
		if running.Err() == nil {
			n.refuse(r, err)
			n.drop(r)
		}
		return
	}
	n.proved(r)
	if r.kind == feelerPeer {
		n.drop(r)
		return
	}
	shared := n.budgets.get(r.ip, n.opts.AllowPrivate)
	r.headers, r.serving = shared.headers, shared.serving // nobody uses them before ready
	n.sync.join(r)
	defer n.sync.leave(r)
	if !r.withoutTxs() {
		n.txs.join(r)
		defer n.txs.leave(r)
	}
	close(r.ready)
	if r.outbound() { // the connection manager may close what came uninvited, not what we chose
		n.host.ConnManager().Protect(r.id, "outbound")
		defer n.host.ConnManager().Unprotect(r.id, "outbound")
	}
	level := slog.LevelInfo
	if r.kind == inboundPeer {
		level = slog.LevelDebug // they come and go as they please
	}
	n.log.Log(ctx, level, "peer connected", "peer", r.id, "addr", r.addr, "kind", r.kind, "height", r.first)
	defer n.log.Log(context.WithoutCancel(ctx), level, "peer disconnected", "peer", r.id)
	n.start(func() { n.refresh(ctx, r) })
	n.start(func() { n.meet(ctx, r) })
	n.relayTo(ctx, r)
	if ctx.Err() == nil {
		n.drop(r)
	}
}

// refuse notes why we do not talk to a peer. An operator hears of the peers that he has named.
func (n *Network) refuse(r *remote, reason error) {
	r.refuse(reason)
	level := slog.LevelDebug
	if r.kind == manualPeer {
		level = slog.LevelInfo
	}
	n.log.Log(context.Background(), level, "peer refused", "peer", r.id, "addr", r.addr, "err", reason)
}

// greet does the handshake. Who dialled begins. While it exchanges the status it ends with running, not with the peer: only the stream tells why that has gone.
func (n *Network) greet(ctx, running context.Context, r *remote) error {
	if r.greets() {
		return n.exchangeStatus(running, r)
	}
	patience := readySpare
	if r.kind == passingPeer {
		patience = passingLife
	}
	select {
	case <-r.met:
		return nil
	case <-r.dialled:
		return n.exchangeStatus(running, r)
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return errQuiet
	}
}

// refresh exchanges the status from time to time: a tip message may have been lost with its stream, and it measures the ping.
func (n *Network) refresh(ctx context.Context, r *remote) {
	pause := statusEvery
	if r.lastPing() == 0 { // it began the handshake, which told it the ping and not us
		pause = statusSoon
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.refresh:
		case <-time.After(pause):
		}
		pause = statusEvery
		if err := n.exchangeStatus(ctx, r); err != nil && ctx.Err() == nil {
			n.log.Debug("status", "peer", r.id, "err", err)
			var refused refusal
			if errors.As(err, &refused) {
				n.drop(r)
				return
			}
		}
	}
}

// relayTo keeps a relay stream to the peer open and writes to it. It returns when the peer has gone or the stream cannot be kept.
func (n *Network) relayTo(ctx context.Context, r *remote) {
	for failures := 0; failures < relayReopenTries; failures++ {
		opened := time.Now()
		err := n.relayOnce(ctx, r)
		if ctx.Err() != nil {
			return
		}
		n.log.Debug("relay stream ended", "peer", r.id, "err", err)
		if time.Since(opened) > relayKeepalive {
			failures = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(relayReopenFirst << failures):
		}
	}
}

func (n *Network) relayOnce(ctx context.Context, r *remote) error {
	s, err := n.open(ctx, r, n.ids.relay)
	if err != nil {
		return err
	}
	defer func() { _ = s.Reset() }() // the stream has no end of its own
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	return n.writeRelay(ctx, r, &frameWriter{dst: s, meter: &r.meter})
}

// open opens a stream to a connected peer; it never dials.
func (n *Network) open(ctx context.Context, r *remote, id protocol.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "only to connected peers"), handshakeTimeout)
	defer cancel()
	s, err := n.host.NewStream(ctx, r.id, id)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", id, err)
	}
	return s, nil
}
