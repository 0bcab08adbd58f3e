package p2p

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"groat/internal/ledger"
)

// Errors of the calls that change peers.
var (
	ErrNotConnected = errors.New("node not found in connected nodes")
	ErrNodeAdded    = errors.New("node already added")
	ErrNodeNotAdded = errors.New("node could not be removed: it has not been added previously")
)

// Peers describes the connected peers, the oldest connection first.
func (n *Network) Peers() []ledger.PeerInfo {
	list := []ledger.PeerInfo{}
	for _, r := range n.peers.ready() {
		list = append(list, n.describe(r))
	}
	return list
}

func (n *Network) describe(r *remote) ledger.PeerInfo {
	r.mu.Lock()
	said, first, ping, minPing, score, gave := r.said, r.first, r.ping, r.minPing, r.score, r.gave
	r.mu.Unlock()
	flows, bytes := r.traffic.all()
	gossip := n.standings.of(r.id)
	p := ledger.PeerInfo{
		ID: r.num, Peer: r.id.String(), Addr: r.addr, LocalAddr: r.localAddr,
		Inbound: r.kind == inboundPeer, ConnectionType: r.kind.String(),
		UserAgent: said.UserAgent, Connected: r.connected,
		LastSend: at(r.meter.lastSent.Load()), LastRecv: at(r.meter.lastReceived.Load()),
		BytesSent: bytes.Sent, BytesRecv: bytes.Received, Traffic: flows, LastTx: gave.tx, LastBlock: gave.block,
		Ping: ping, MinPing: minPing, StartHeight: first, SyncedHeaders: -1, SyncedBlocks: -1, InFlight: n.sync.inFlight(r),
		Score:       0 - float64(score), // zero, not minus zero
		GossipScore: gossip.score, InMesh: gossip.inMesh, FeeFilter: r.out.feeFilter(),
	}
	if ids, err := n.host.Peerstore().GetProtocols(r.id); err == nil {
		for _, id := range ids {
			p.Protocols = append(p.Protocols, string(id))
		}
		slices.Sort(p.Protocols)
	}
	if info, err := n.chain.Info(said.Tip); err == nil {
		p.SyncedHeaders = said.Height
		p.SyncedBlocks = said.Height
		if !info.HaveData { // on the way there, as far as we are
			p.SyncedBlocks = min(said.Height, n.chain.Tip().Height)
		}
	}
	return p
}

// Info describes this node's side of the network.
func (n *Network) Info() ledger.NetInfo {
	info := ledger.NetInfo{Peer: n.host.ID().String(), Listen: n.listenAddrs(), Active: n.gate.isActive()}
	for _, r := range n.peers.ready() {
		if r.kind == inboundPeer {
			info.Inbound++
		} else {
			info.Outbound++
		}
	}
	flows, bytes := n.account.total.all()
	info.Traffic, info.BytesSent, info.BytesRecv = flows, bytes.Sent, bytes.Received
	info.TxDelays, info.BlockDelays = n.txDelays.histogram(), n.blockDelays.histogram()
	return info
}

// listenAddrs returns the addresses at which others can dial us, each with our id. Addresses of all interfaces are replaced by
// those of each. Those for browsers come last: what takes the first one is a node.
func (n *Network) listenAddrs() []string {
	addrs, err := n.host.Network().InterfaceListenAddresses()
	if err != nil {
		addrs = n.host.Addrs()
	}
	self, err := ma.NewComponent("p2p", n.host.ID().String())
	if err != nil {
		return nil
	}
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int {
		switch {
		case forBrowsers(a) == forBrowsers(b):
			return 0
		case forBrowsers(a):
			return 1
		}
		return -1
	})
	list := []string{}
	for _, a := range addrs {
		if !ipOf(a).IsValid() {
			continue // where relays listen for us
		}
		list = append(list, withCertificates(n.host, a).Encapsulate(self.Multiaddr()).String())
	}
	return list
}

// Count returns the number of connected peers.
func (n *Network) Count() int { return len(n.peers.ready()) }

// AddNode dials the peer at addr, a multiaddr with or without /p2p/ID or HOST:PORT, and keeps it connected until RemoveNode.
func (n *Network) AddNode(addr string) error {
	if _, err := parseTarget(addr); err != nil {
		return fmt.Errorf("peer %q: %w", addr, err)
	}
	d := n.dialer
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.plan.add(addr) {
		return ErrNodeAdded
	}
	wakeUp(d.wake)
	return nil
}

// TryNode dials the peer at addr once and returns when it is connected or the dial has failed.
func (n *Network) TryNode(ctx context.Context, addr string) error {
	if !n.gate.isActive() {
		return errors.New("the network is switched off")
	}
	return n.dialer.dial(ctx, addr)
}

// RemoveNode no longer keeps the peer at addr connected. It does not disconnect it.
func (n *Network) RemoveNode(addr string) error {
	d := n.dialer
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.learn, addr)
	if !d.plan.remove(addr) {
		return ErrNodeNotAdded
	}
	return nil
}

// AddedNodes lists the peers that are kept connected because an operator asked for them, at start or by AddNode.
func (n *Network) AddedNodes() []ledger.AddedNode {
	d := n.dialer
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []ledger.AddedNode{}
	for _, addr := range d.plan.addrs() {
		node := ledger.AddedNode{Addr: addr, Problem: d.plan.find(addr).problem}
		if r := d.peerAt(addr); r != nil && r.isReady() {
			node.Connected, node.Inbound, node.Problem = true, r.kind == inboundPeer, ""
		}
		list = append(list, node)
	}
	return list
}

// Disconnect ends the connection to the peer with the number that Peers shows.
func (n *Network) Disconnect(id int64) error {
	r := n.peers.byNum(id)
	if r == nil {
		return ErrNotConnected
	}
	return n.host.Network().ClosePeer(r.id)
}

// SetActive switches the network on or off. Off ends all connections and allows none.
func (n *Network) SetActive(active bool) {
	n.gate.setActive(active)
	if active {
		n.dialer.retry()
		return
	}
	for _, r := range n.peers.all() {
		n.drop(r)
	}
}

// Ping measures the round trip to all peers; Peers shows the result when it has come.
func (n *Network) Ping() {
	for _, r := range n.peers.ready() {
		wakeUp(r.refresh)
	}
}

// ID returns our peer id.
func (n *Network) ID() peer.ID { return n.host.ID() }
