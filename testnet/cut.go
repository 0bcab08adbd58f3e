package testnet

import (
	"context"
	"errors"
	"fmt"

	"groat/rpc/client"
)

// Bitcoin Core's codes for links that are already as they should be.
const (
	codeNodeAdded    = -23
	codeNodeNotAdded = -24
	codeNotConnected = -29
)

// peer is a line of getpeerinfo.
type peer struct {
	ID     int64  `json:"id"`
	PeerID string `json:"peerid"`
}

// Cut severs all links between the nodes of one side and the others, and waits until they are gone. Nodes that look for each other
// (Config.Discovery) would find new ones.
func (w *Network) Cut(ctx context.Context, side ...*Node) error {
	in := map[*Node]bool{}
	for _, n := range side {
		in[n] = true
	}
	return w.acrossPairs(ctx, in, func(n, m *Node) error {
		if err := ignore(n.Call(ctx, nil, "addnode", m.Endpoint().Listen[0], "remove"), codeNodeNotAdded); err != nil {
			return err
		}
		return poll(ctx, func() (bool, error) { return n.dropped(ctx, m) })
	})
}

// acrossPairs calls do for each pair of running nodes that are on different sides, in both orders.
func (w *Network) acrossPairs(ctx context.Context, in map[*Node]bool, do func(n, m *Node) error) error {
	for _, n := range w.running() {
		for _, m := range w.running() {
			if in[n] == in[m] {
				continue
			}
			if err := do(n, m); err != nil {
				return fmt.Errorf("cut %s from %s: %w", n.Name, m.Name, err)
			}
		}
	}
	return ctx.Err()
}

// dropped reports whether n has no connection to m, and ends those it has.
func (n *Node) dropped(ctx context.Context, m *Node) (bool, error) {
	var peers []peer
	if err := n.Call(ctx, &peers, "getpeerinfo"); err != nil {
		return false, err
	}
	gone := true
	for _, p := range peers {
		if p.PeerID != m.Endpoint().PeerID {
			continue
		}
		gone = false
		if err := ignore(n.Call(ctx, nil, "disconnectnode", "", p.ID), codeNotConnected); err != nil {
			return false, err
		}
	}
	return gone, nil
}

// Heal links the running nodes as they were at the start.
func (w *Network) Heal(ctx context.Context) error {
	nodes := w.running()
	if err := w.dialAll(ctx, nodes); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.AwaitPeers(ctx, min(len(nodes)-1, linksEach)); err != nil {
			return err
		}
	}
	return nil
}

// ignore returns err unless it is an RPC error with this code.
func ignore(err error, code int) error {
	var rpc *client.Error
	if errors.As(err, &rpc) && rpc.Code == code {
		return nil
	}
	return err
}
