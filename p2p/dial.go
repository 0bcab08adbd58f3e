package p2p

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"
)

// dialer keeps the peers connected that an operator asked for.
type dialer struct {
	n      *Network                                                    // set once
	lookup func(context.Context, ma.Multiaddr) ([]ma.Multiaddr, error) // set once; of names in the DNS
	wake   chan struct{}

	mu    sync.Mutex
	plan  dialPlan
	learn map[string]peer.ID // ids of addresses that were given without one
}

func newDialer(n *Network) *dialer {
	d := &dialer{n: n, lookup: madns.DefaultResolver.Resolve, wake: make(chan struct{}, 1), learn: map[string]peer.ID{}}
	for _, addr := range n.opts.Peers {
		d.plan.add(addr)
	}
	return d
}

// run dials until ctx ends.
func (d *dialer) run(ctx context.Context) error {
	tick := time.NewTicker(redialFirst)
	defer tick.Stop()
	for {
		if d.n.gate.isActive() {
			for _, addr := range d.due() {
				d.n.start(func() { d.dialPlanned(ctx, addr) })
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-d.wake:
		}
	}
}

func (d *dialer) due() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plan.plan(time.Now(), func(addr string) bool { return d.peerAt(addr) != nil })
}

// peerAt returns the connected peer of an address; the caller holds the lock.
func (d *dialer) peerAt(addr string) *remote {
	info, err := parseTarget(addr)
	if err != nil {
		return nil
	}
	if info.ID == "" {
		info.ID = d.learn[addr]
	}
	return d.n.peers.get(info.ID)
}

func (d *dialer) dialPlanned(ctx context.Context, addr string) {
	err := d.dial(ctx, addr)
	d.mu.Lock()
	d.plan.done(addr, err, time.Now())
	d.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		d.n.log.Debug("dial", "addr", addr, "err", err)
	}
}

// dial connects to the peer at addr, whose id is learnt if addr does not name it.
func (d *dialer) dial(ctx context.Context, addr string) error {
	info, err := parseTarget(addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	if isSeed(info) {
		return d.dialSeed(ctx, addr, info.Addrs[0])
	}
	if info.ID == "" {
		d.mu.Lock()
		info.ID = d.learn[addr]
		d.mu.Unlock()
	}
	if info.ID == "" {
		if info.ID, err = d.learnID(ctx, info); err != nil {
			return err
		}
	}
	met, done, err := d.connect(ctx, info)
	defer done()
	var mismatch sec.ErrPeerIDMismatch
	if errors.As(err, &mismatch) {
		d.forget(addr) // another node is there now
		return fmt.Errorf("at %s is %s, not %s", addr, mismatch.Actual, mismatch.Expected)
	}
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.learn[addr] = info.ID
	d.mu.Unlock()
	if err := d.n.awaitDirect(ctx, info.ID, met); err != nil {
		return err
	}
	return d.n.awaitReady(ctx, met)
}

// awaitDirect waits for a direct connection to a peer that is connected by a relay: both ends punch a hole for it then.
func (n *Network) awaitDirect(ctx context.Context, id peer.ID, why *intent) error {
	if n.host.Network().Connectedness(id) != network.Limited {
		return nil
	}
	select {
	case <-why.here:
		return nil
	case <-ctx.Done():
		return errors.New("it was reached by the relay only, and routers on the way let no direct connection through")
	}
}

// awaitReady waits until a peer that was dialled takes part, or says why it does not.
func (n *Network) awaitReady(ctx context.Context, why *intent) error {
	r := n.peers.metBy(why)
	if r == nil {
		return errors.New("there is no slot for the peer")
	}
	select {
	case <-r.ready:
		return nil
	case <-r.left:
		if err := r.whyRefused(); err != nil {
			return fmt.Errorf("peer refused: %w", err)
		}
		return errors.New("the peer has hung up")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *dialer) forget(addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.learn, addr)
}

// learnID dials as if a peer with an id that nobody has were at the address; the refusal says who is there.
func (d *dialer) learnID(ctx context.Context, info peer.AddrInfo) (peer.ID, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return "", err
	}
	if info.ID, err = peer.IDFromPrivateKey(key); err != nil {
		return "", err
	}
	_, done, err := d.connect(ctx, info)
	done()
	d.n.host.Peerstore().ClearAddrs(info.ID)
	d.n.host.Peerstore().RemovePeer(info.ID)
	var mismatch sec.ErrPeerIDMismatch
	if !errors.As(err, &mismatch) {
		return "", fmt.Errorf("learn the id of %s: %w", info.Addrs[0], err)
	}
	return mismatch.Actual, nil
}

// connect dials a peer. The connection is the operator's until done is called.
func (d *dialer) connect(ctx context.Context, info peer.AddrInfo) (why *intent, done func(), err error) {
	h := d.n.host
	if info.ID == h.ID() {
		return nil, func() {}, errors.New("that is this node")
	}
	defer d.n.gate.permit(info.ID)()
	d.n.dropPassing(ctx, info.ID)
	why, done = d.n.peers.intend(info.ID, manualPeer)
	if s, ok := h.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(info.ID) // we have a backoff of our own
	}
	h.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	return why, done, h.Connect(network.WithDialPeerTimeout(ctx, dialTimeout), info)
}

// retry dials everything again soon, after the network was switched on.
func (d *dialer) retry() {
	d.mu.Lock()
	d.plan.soon()
	d.mu.Unlock()
	wakeUp(d.wake)
}
