package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// Network is a node's place in the network: its host, its peers and what it does with them.
type Network struct {
	opts  Options      // set once
	chain Chain        // set once
	log   *slog.Logger // set once
	host  host.Host    // set once
	gate  *gater       // set once
	ids   protocols    // set once

	peers     *table
	budgets   *budgets
	lesser    *rate.Limiter // headers that are stored although their chain has no more work than our tip
	account   *accountant   // of bytes
	standings standings     // in gossip

	txDelays, blockDelays delays // from the first announcement until it is taken

	known    *knownPeers
	outbound *outbound
	dialer   *dialer
	sync     *syncer
	txs      *txRelay
	blocks   *blockFlow

	closing sync.Once

	mu      sync.Mutex
	stopped bool           // no more goroutines may start
	running sync.WaitGroup // goroutines of peers and stream handlers
}

// New opens the host and lets it listen; an address that is in use is an error here. Nothing is dialled or answered before Run. A Network that
// is never run must be closed.
func New(o Options) (*Network, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	key, err := loadIdentity(o.KeyFile)
	if err != nil {
		return nil, err
	}
	n := &Network{opts: o, chain: o.Chain, log: o.Log, ids: protocolsOf(o.Params.Name)}
	n.gate = newGater(o.AllowPrivate, o.BanLocal)
	if o.Shelf != nil {
		if err := n.gate.bans.load(o.Shelf, time.Now()); err != nil {
			return nil, err
		}
	}
	n.peers = newTable(o.MaxPeers, o.AllowPrivate)
	n.account = &accountant{base: n.ids.base, peers: n.peers}
	if n.known, err = openKnown(o.Shelf, o.AllowPrivate, o.Log); err != nil {
		return nil, err
	}
	if n.host, err = openHost(&o, key, n.gate, n.ids, n.account, n.reach()...); err != nil {
		return nil, err
	}
	n.outbound = newOutbound(n)
	n.dialer = newDialer(n)
	n.budgets = newBudgets()
	n.lesser = rate.NewLimiter(lesserPerSec, lesserBurst)
	n.sync = newSyncer(n)
	n.txs = newTxRelay(n)
	n.blocks = newBlockFlow(n)
	return n, nil
}

// Close closes the host. Run does it at its end; only a Network that is never run needs it.
func (n *Network) Close() error {
	var err error
	n.closing.Do(func() { err = n.host.Close() })
	return err
}

// Run takes part in the network until ctx ends. It returns nil then, and an error only if the node itself fails, as when the chain cannot
// store a block.
func (n *Network) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	gossip, err := n.openGossip(ctx)
	if ctx.Err() != nil {
		err = nil // told to stop before it began
	}
	if gossip == nil {
		return errors.Join(err, n.Close())
	}
	n.blocks.gossip = gossip
	n.serve(ctx)
	notifee := n.watchConnections(ctx)
	parts := []func(context.Context) error{
		n.blocks.run, n.blocks.follow, gossip.drain, n.sync.run, n.txs.follow, n.txs.ask, n.txs.remind, n.txs.sayFees, n.dialer.run, n.lament,
	}
	if n.opts.Discovery {
		parts = append(parts, n.discover, n.known.run, n.outbound.run, n.listenToIdentify, n.outbound.tellSelf)
	}
	if n.opts.Discovery && n.opts.MDNS {
		parts = append(parts, n.searchLocally)
	}
	group, partsCtx := errgroup.WithContext(ctx)
	for _, part := range parts {
		group.Go(func() error { return part(partsCtx) })
	}
	err = group.Wait()

	n.outbound.saveAnchors()
	cancel()
	n.host.Network().StopNotify(notifee)
	n.stop()
	closeErr := n.Close()
	n.running.Wait()
	if err == nil && closeErr != nil {
		n.log.Debug("close libp2p host", "err", closeErr)
	}
	return err
}

// start runs f in a goroutine that Run waits for; false if the network is stopping.
func (n *Network) start(f func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return false
	}
	n.running.Go(f)
	return true
}

func (n *Network) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
}

// watchConnections attends every peer that connects, those that are connected already too.
func (n *Network) watchConnections(ctx context.Context) network.Notifiee {
	notifee := &network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { n.connected(ctx, c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { n.disconnected(c) },
	}
	n.host.Network().Notify(notifee)
	for _, c := range n.host.Network().Conns() {
		n.connected(ctx, c)
	}
	return notifee
}

// connected must not block: libp2p calls it.
func (n *Network) connected(ctx context.Context, c network.Conn) {
	if c.Stat().Limited {
		return // by a relay, which carries no more than the first packets of a hole punch
	}
	r, added, refused, evicted := n.peers.add(c)
	if evicted != nil {
		n.log.Debug("a peer has to make room", "peer", evicted.id, "addr", evicted.addr)
		n.dropFor(evicted, network.ConnResourceLimitExceeded)
	}
	switch {
	case refused:
		n.log.Debug("no slot for a peer", "peer", c.RemotePeer(), "addr", c.RemoteMultiaddr())
		n.start(func() { _ = c.CloseWithError(network.ConnResourceLimitExceeded) }) // it is refused either way
	case added:
		n.start(func() { n.attend(ctx, r) })
	case c.Stat().Direction == network.DirOutbound: // we dialled each other at once, and each may wait for the other
		wakeUp(r.dialled)
	}
}

func (n *Network) disconnected(c network.Conn) {
	if n.host.Network().Connectedness(c.RemotePeer()) == network.Connected {
		return // by another connection
	}
	if r := n.peers.remove(c.RemotePeer()); r != nil {
		close(r.gone)
	}
}

// blame charges a peer for an offence. Errors that are no breach blame nobody.
func (n *Network) blame(r *remote, err error) {
	var b breach
	if !errors.As(err, &b) {
		return
	}
	drop := r.blame(b.offence)
	n.log.Debug("peer broke the protocol", "peer", r.id, "offence", b.offence, "detail", b.detail, "score", r.points())
	if drop {
		n.ban(r, b)
	}
}

// ban disconnects a peer and refuses its address for a while.
func (n *Network) ban(r *remote, reason error) {
	now := time.Now()
	banned := false
	for _, c := range n.host.Network().ConnsToPeer(r.id) {
		ip, b := ipOf(c.RemoteMultiaddr()), ban{now, now.Add(n.opts.BanTime)}
		if !n.gate.ban(ip, b.until, now) {
			continue
		}
		banned = true
		if err := n.keepBan(hostPrefix(ip), b); err != nil {
			n.log.Error("a ban will end with this process", "addr", ip, "err", err)
		}
	}
	n.log.Info("disconnect a peer that broke the protocol", "peer", r.id, "addr", r.addr, "banned", banned, "err", reason)
	n.dropFor(r, network.ConnGated)
}

// drop disconnects a peer without blame.
func (n *Network) drop(r *remote) {
	n.start(func() {
		if err := n.host.Network().ClosePeer(r.id); err != nil {
			n.log.Debug("disconnect", "peer", r.id, "err", err)
		}
	})
}

// dropFor disconnects a peer and says why.
func (n *Network) dropFor(r *remote, why network.ConnErrorCode) {
	n.start(func() {
		for _, c := range n.host.Network().ConnsToPeer(r.id) {
			_ = c.CloseWithError(why) // it is gone either way
		}
	})
}

// lament says what to do if there are no peers.
func (n *Network) lament(ctx context.Context) error {
	wait := lonelyFirst
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = lonelyEvery
		if len(n.peers.ready()) == 0 && n.gate.isActive() {
			n.log.Info(fmt.Sprintf("no peers yet: start with --peer MULTIADDR of a node on network %s, or let others dial this one; there are no public boot nodes", n.opts.Params.Name))
		}
	}
}
