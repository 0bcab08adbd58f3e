package node

import (
	"context"

	"groat/p2p"
)

// network is the network as rpc asks for it.
type network struct{ *p2p.Network }

// AddNode dials a peer once, or keeps it.
func (n network) AddNode(ctx context.Context, addr string, once bool) error {
	if once {
		return n.TryNode(ctx, addr)
	}
	return n.Network.AddNode(addr)
}
