package p2p

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"
)

// refusal says why we do not talk to a peer. It is no offence: other networks have every right to exist.
type refusal string

func (r refusal) Error() string { return string(r) }

// ourStatus says where we are now, for r.
func (n *Network) ourStatus(r *remote) status {
	tip := n.chain.Tip()
	return status{
		Version: protocolVersion, Network: n.opts.Params.Name, Genesis: n.opts.Params.GenesisHash,
		Tip: tip.Hash, Height: tip.Height, Work: tip.Work, UserAgent: n.opts.UserAgent,
		BlocksOnly: r.kind == blockOnlyPeer,
	}
}

// fits says whether a peer that says s is on our network and speaks our protocol.
func (n *Network) fits(s status) error {
	switch p := n.opts.Params; {
	case s.Network != p.Name:
		return refusal(fmt.Sprintf("it is on network %q, we are on %q", printable(s.Network), p.Name))
	case s.Genesis != p.GenesisHash:
		return refusal(fmt.Sprintf("its network %s begins with another block, %v", p.Name, s.Genesis))
	case s.Version < minProtocolVersion:
		return refusal(fmt.Sprintf("it speaks version %d, we need %d", s.Version, minProtocolVersion))
	}
	return nil
}

// exchangeStatus tells the peer our status and learns its.
func (n *Network) exchangeStatus(ctx context.Context, r *remote) error {
	s, err := n.open(ctx, r, n.ids.status)
	var foreign multistream.ErrNotSupported[protocol.ID]
	if errors.As(err, &foreign) {
		return n.foreign(r)
	}
	if err != nil {
		return closedFor(err)
	}
	defer func() { _ = s.Reset() }() // after CloseWrite and the answer nothing is lost
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	began := time.Now()
	w := frameWriter{dst: s, meter: &r.meter}
	if err := w.write(n.ourStatus(r).encode()); err != nil {
		return closedFor(err)
	}
	payload, err := newFrameReader(s, &r.meter, maxStatusBytes).next(maxStatusBytes, handshakeTimeout)
	if err != nil {
		n.blame(r, err)
		return closedFor(fmt.Errorf("read status: %w", err))
	}
	_ = s.Close() // the exchange is over
	r.setPing(time.Since(began))
	return n.heard(r, payload)
}

// foreign says what a peer is that does not speak our protocol.
func (n *Network) foreign(r *remote) error {
	ids, err := n.host.Peerstore().GetProtocols(r.id)
	if err != nil {
		n.log.Debug("look up protocols", "peer", r.id, "err", err)
	}
	for _, id := range ids {
		rest, ours := strings.CutPrefix(string(id), protocolsPrefix)
		if name, ok := strings.CutSuffix(rest, statusSuffix); ours && ok && len(name) <= maxNetworkName {
			return refusal(fmt.Sprintf("it is on network %q, we are on %q", printable(name), n.opts.Params.Name))
		}
	}
	return refusal("it does not speak " + string(n.ids.status) + ": it is another program, or on a network of its own")
}

// closedFor returns why the other end has closed the connection if it has said so, else err.
func closedFor(err error) error {
	var closed *network.ConnError
	if !errors.As(err, &closed) || !closed.Remote {
		return err
	}
	switch closed.ErrorCode {
	case network.ConnResourceLimitExceeded:
		return refusal("it has no slot for us")
	case network.ConnGated:
		return refusal("it does not want us")
	}
	return err
}

// heard takes a status that came from r.
func (n *Network) heard(r *remote, payload []byte) error {
	said, err := decodeStatus(payload)
	if err != nil {
		n.blame(r, err)
		return fmt.Errorf("read status: %w", err)
	}
	if err := n.fits(said); err != nil {
		return err
	}
	r.hear(said)
	n.sync.claim(r, said.Tip, said.Height, said.Work)
	return nil
}

// answerStatus is the other end of exchangeStatus.
func (n *Network) answerStatus(ctx context.Context, r *remote, s network.Stream) error {
	payload, err := newFrameReader(s, &r.meter, maxStatusBytes).next(maxStatusBytes, handshakeTimeout)
	if err != nil {
		return err
	}
	w := frameWriter{dst: s, meter: &r.meter}
	if err := w.write(n.ourStatus(r).encode()); err != nil { // first, so that the other end can say why too
		return err
	}
	if err := n.heard(r, payload); err != nil {
		var refused refusal
		if errors.As(err, &refused) {
			n.refuse(r, err)
			n.refuseLater(ctx, r)
			return nil // a reset would overtake our status
		}
		return err
	}
	return nil
}

// refuseLater disconnects a peer after it has had time to read our status.
func (n *Network) refuseLater(ctx context.Context, r *remote) {
	n.start(func() {
		select {
		case <-r.gone:
		case <-ctx.Done():
		case <-time.After(time.Second):
			_ = n.host.Network().ClosePeer(r.id) // it is refused either way
		}
	})
}
