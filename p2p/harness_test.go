package p2p

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"

	"groat/consensus"
)

// world is a simulated network of real hosts in virtual time.
type world struct {
	t     *testing.T
	net   *simnet.Simnet
	nodes []*node

	strangers int
	bytes     atomic.Int64 // sent in packets
	loss      atomic.Int64 // one packet of so many is lost; 0 for none
	atEnd     []func()

	mu    sync.Mutex
	sides map[string]int // of a split network, by IP
}

// node is a Network with a chain and a pool in memory.
type node struct {
	*Network
	world  *world
	name   string
	ip     string
	chain  *fakeChain
	pool   *fakePool
	cancel context.CancelFunc
	done   chan error
}

// simulate runs story in virtual time, on links of 20 ms and 50 Mbit/s.
func simulate(t *testing.T, story func(t *testing.T, w *world)) {
	t.Helper()
	simulateOn(t, simnet.StaticLatency(20*time.Millisecond), story)
}

// simulateOn is simulate with links of the given latency.
func simulateOn(t *testing.T, latency func(*simnet.Packet) time.Duration, story func(t *testing.T, w *world)) {
	t.Helper()
	inBubble(t, func(t *testing.T) {
		w := &world{t: t, sides: map[string]int{}}
		w.net = &simnet.Simnet{LatencyFunc: latency, Logger: testLog("net")}
		w.net.Start()
		story(t, w)
		for _, n := range w.nodes {
			n.halt()
		}
		for _, f := range w.atEnd {
			f()
		}
		w.net.Close()
	})
}

// inBubble runs story in virtual time. The race detector watches it on one processor, which hides no race from it: it looks for order, not for
// coincidence. On two the runtime may fire two timers of a bubble at once, from the goroutines that look at their channels, in one context
// of the detector, which ends the process with "CHECK failed: slot_locked" (golang/go#78156; timer.unlockAndRun of Go 1.26).
func inBubble(t *testing.T, story func(t *testing.T)) {
	t.Helper()
	if underRace {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	synctest.Test(t, story)
}

// start adds a node and runs it. change may alter its options.
func (w *world) start(change ...func(*Options)) *node {
	w.t.Helper()
	return w.startWith(newFakeChain(consensus.Regtest()), newFakePool(), change...)
}

func (w *world) startWith(chain *fakeChain, pool *fakePool, change ...func(*Options)) *node {
	w.t.Helper()
	return w.startOn(fmt.Sprintf("1.%d.0.1", len(w.nodes)+1), chain, pool, change...) // a /16 of its own
}

// startAt adds a node at an IP address.
func (w *world) startAt(ip string, change ...func(*Options)) *node {
	w.t.Helper()
	return w.startOn(ip, newFakeChain(consensus.Regtest()), newFakePool(), change...)
}

func (w *world) startOn(ip string, chain *fakeChain, pool *fakePool, change ...func(*Options)) *node {
	w.t.Helper()
	i := len(w.nodes)
	n := &node{world: w, name: fmt.Sprint("n", i), ip: ip, chain: chain, pool: pool}
	chain.onBlock = pool.confirm
	o := DefaultOptions(chain.params)
	o.HideOrigin = true
	o.Chain, o.Pool = chain, pool
	o.KeyFile = filepath.Join(w.t.TempDir(), "key")
	o.Listen = []string{"/ip4/" + ip + "/udp/8000/quic-v1"}
	o.Discovery = false
	o.Log = testLog(n.name)
	o.HostOptions = []libp2p.Option{w.link(ip), libp2p.DisableIdentifyAddressDiscovery()}
	for _, f := range change {
		f(&o)
	}
	var err error
	if n.Network, err = New(o); err != nil {
		w.t.Fatal(err)
	}
	w.nodes = append(w.nodes, n)
	n.run()
	return n
}

func testLog(name string) *slog.Logger {
	var out io.Writer = io.Discard
	if os.Getenv("P2P_TEST_LOG") != "" {
		out = os.Stderr
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", name)
}

func (n *node) run() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel, n.done = cancel, make(chan error, 1)
	go func() { n.done <- n.Run(ctx) }()
}

// halt ends the node and waits for it.
func (n *node) halt() {
	if n.cancel == nil {
		return
	}
	n.cancel()
	if err := <-n.done; err != nil {
		n.world.t.Errorf("%s: %v", n.name, err)
	}
	n.cancel = nil
}

// addr is where the node can be dialled.
func (n *node) addr() string { return n.Info().Listen[0] }

// dial connects n to other.
func (n *node) dial(other *node) {
	n.world.t.Helper()
	if err := n.TryNode(context.Background(), other.addr()); err != nil {
		n.world.t.Fatal(err)
	}
}

// link connects a host to the simulated network.
func (w *world) link(ip string) libp2p.Option {
	speed := simnet.LinkSettings{BitsPerSecond: 50 * simlibp2p.OneMbps}
	source := net.ParseIP(ip)
	open := func(_ string, a *net.UDPAddr) (net.PacketConn, error) {
		w.mu.Lock() // NewEndpoint is not for several goroutines at once
		defer w.mu.Unlock()
		c := w.net.NewEndpoint(a, simnet.NodeBiDiLinkSettings{Downlink: speed, Uplink: speed})
		return &switchedConn{SimConn: c, world: w, ip: ip}, nil
	}
	return libp2p.ChainOptions(libp2p.SwarmOpts(swarm.WithDialRanker(onlySimulated)), libp2p.QUICReuse(
		func(l fx.Lifecycle, reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
			cm, err := quicreuse.NewConnManager(reset, token, opts...)
			if err == nil {
				l.Append(fx.StopHook(cm.Close))
			}
			return cm, err
		},
		quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return sourceIP(source), nil }),
		quicreuse.OverrideListenUDP(open)))
}

// onlySimulated keeps TCP from being dialled: that would leave the simulation, for addresses that tests have made up.
func onlySimulated(addrs []ma.Multiaddr) []network.AddrDelay {
	list := swarm.DefaultDialRanker(addrs)
	return slices.DeleteFunc(list, func(a network.AddrDelay) bool {
		_, err := a.Addr.ValueForProtocol(ma.P_QUIC_V1)
		return err != nil
	})
}

type sourceIP net.IP

func (s sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return net.IP(s), nil
}

// switchedConn loses packets to the other side of a split.
type switchedConn struct {
	*simnet.SimConn
	world *world
	ip    string
}

func (c *switchedConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if c.world.split(c.ip, to.(*net.UDPAddr).IP.String()) {
		return len(p), nil
	}
	c.world.bytes.Add(int64(len(p)))
	if one := c.world.loss.Load(); one > 0 && rand.Int64N(one) == 0 {
		return len(p), nil
	}
	return c.SimConn.WriteTo(p, to)
}

func (w *world) split(a, b string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sides[a] != w.sides[b]
}

// cut puts nodes on the other side of a split; without nodes it heals.
func (w *world) cut(nodes ...*node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.sides)
	for _, n := range nodes {
		w.sides[n.ip] = 1
	}
}

// until waits in virtual time for cond, and says how long it took.
func (w *world) until(limit time.Duration, what string, cond func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for !cond() {
		if time.Since(began) > limit {
			w.t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond) // virtual
	}
	return time.Since(began)
}

// all says whether cond holds for every running node.
func (w *world) all(cond func(*node) bool) func() bool {
	return func() bool {
		for _, n := range w.nodes {
			if n.cancel != nil && !cond(n) {
				return false
			}
		}
		return true
	}
}

func atTip(b *consensus.Block) func(*node) bool {
	return func(n *node) bool { return n.chain.Tip().Hash == b.Hash() }
}

func has(tx *consensus.Tx) func(*node) bool {
	return func(n *node) bool { _, ok := n.pool.GetWitness(tx.WTxID()); return ok }
}

func peers(k int) func(*node) bool { return func(n *node) bool { return n.Count() >= k } }

// pay puts transactions into the pool of n, as its wallet does.
func (n *node) pay(txs ...*consensus.Tx) {
	n.world.t.Helper()
	for _, tx := range txs {
		if _, err := n.pool.Add(context.Background(), tx); err != nil {
			n.world.t.Fatal(err)
		}
	}
}

// again starts a node that was halted, with what it had.
func (n *node) again() {
	n.world.t.Helper()
	var err error
	if n.Network, err = New(n.opts); err != nil {
		n.world.t.Fatal(err)
	}
	n.run()
}

// cutID takes /p2p/ID off an address.
func cutID(addr string) (rest, id string, ok bool) { return strings.Cut(addr, "/p2p/") }
