package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"groat/mempool"
	"groat/miner"
	"groat/p2p"
	"groat/rpc"
	"groat/wallet"
)

// node is one running node: its parts, in the order in which they stand on each other.
type node struct {
	Options
	clock   *clock
	dir     *dataDir
	server  *rpc.Server
	ledger  *openedLedger
	pool    *mempool.Pool
	miner   *miner.Miner
	payTo   []byte       // script that --mine pays to; nil without
	network *p2p.Network // nil on a network that opens no host
	wallets *wallet.Wallets
}

// Run runs a node until ctx ends, a client says stop, or a part fails, and then closes everything in order. It returns nil after a stop
// that was asked for. An error is one line that says what the operator can do.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.Check(); err != nil {
		return err
	}
	o.checkLimits()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	n := &node{Options: o, clock: &clock{}}
	if n.dir, err = openDataDir(o.dir(), o.Params); err != nil {
		return err
	}
	defer func() { err = o.closed(err, n.dir.close()) }()
	if err := removeReady(o.readyFiles()); err != nil { // a killed node leaves its own
		return err
	}
	defer func() { err = o.closed(err, removeReady(o.readyFiles())) }() // last: 'groat node stop' waits for it
	if n.server, err = listenRPC(o, n.dir, n.clock, stop); err != nil {
		return err
	}
	serving := startEarly(ctx, n.server.Run)
	defer func() { err = o.closed(err, serving.stop()) }()

	if err := n.open(ctx); err != nil {
		return ignoreCancel(ctx, err)
	}
	defer func() { err = o.closed(err, n.close()) }()
	if err := n.ready(); err != nil {
		return err
	}
	return supervise(ctx, o.Log, append(n.parts(), part{"rpc", serving.run}))
}

// open opens the parts in order. What was opened before a failure is closed again.
func (n *node) open(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = n.closed(err, n.close())
		}
	}()
	n.server.SetPhase("Loading block index…")
	if n.ledger, err = openLedger(ctx, n.Options, n.clock.now, n.dir); err != nil {
		return err
	}
	if err := n.openPool(); err != nil {
		return err
	}
	n.miner = miner.New(miner.Options{Chain: n.ledger.chain, Pool: n.pool, Scripts: n.ledger.scripts, Now: n.clock.now, Log: n.Log})
	if n.payTo, err = n.mineTo(); err != nil {
		return err
	}
	n.server.SetPhase("Loading wallets…")
	n.wallets, err = wallet.Open(wallet.Options{
		Dir: filepath.Join(n.dir.path, "wallets"), Params: n.Params, Chain: n.ledger.chain, Pool: n.pool, Now: n.clock.now, Log: n.Log,
	})
	if err != nil || !n.Params.Network {
		return err
	}
	n.server.SetPhase("Starting network…")
	return n.openNetwork()
}

// openPool makes the pool with the memory that it may take.
func (n *node) openPool() error {
	policy := mempool.DefaultPolicy()
	policy.MaxBytes = int64(n.MempoolMiB) << 20
	if err := policy.Check(); err != nil {
		return fmt.Errorf("--maxmempool %d: %w", n.MempoolMiB, err)
	}
	n.pool = mempool.New(mempool.Options{Chain: n.ledger.chain, Scripts: n.ledger.scripts, Policy: policy, Now: n.clock.now, Log: n.Log})
	n.ledger.memory.pool = func() int64 { return n.pool.Info().Usage }
	return nil
}

// openNetwork opens the libp2p host.
func (n *node) openNetwork() (err error) {
	o := p2p.DefaultOptions(n.Params)
	o.Chain, o.Pool, o.Log = n.ledger.chain, n.pool, n.Log
	o.Shelf = n.ledger.db.Prefix("p2p")
	o.KeyFile = filepath.Join(n.dir.path, "identity")
	if len(n.P2PListen) > 0 {
		o.Listen = n.P2PListen
	}
	if n.Browsers {
		o.Listen = append(slices.Clone(o.Listen), p2p.BrowserListen(n.Params.P2PPort)...)
	}
	o.Peers = n.Peers
	o.UserAgent = "/groat:" + n.Version + "/"
	o.Discovery = n.Discovery
	o.MDNS = n.MDNS
	o.NAT = n.NAT
	o.AllowPrivate = n.AllowPrivate
	o.MaxPeers, o.PerIP, o.PerSubnet = n.MaxPeers, n.MaxPerIP, n.MaxPerSubnet
	n.network, err = p2p.New(o)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; stop the program that uses it, or choose another address with --p2p-listen", err)
	}
	return err
}

// parts returns what runs, each after what it depends on.
func (n *node) parts() []part {
	parts := []part{
		{"chain", n.ledger.chain.Run},
		{"memory", func(ctx context.Context) error { return n.ledger.memory.follow(ctx, n.ledger.chain) }},
		{"mempool", func(ctx context.Context) error {
			wake, stop := n.ledger.chain.Watch()
			defer stop()
			return n.pool.Run(ctx, wake)
		}},
		{"wallet", n.wallets.Run},
	}
	peers := func() int { return 0 }
	if n.network != nil {
		parts = append(parts, part{"p2p", n.network.Run})
		peers = n.network.Count
	}
	parts = append(parts, part{"log", (&observer{chain: n.ledger.chain, peers: peers, log: n.Log}).run})
	if n.payTo != nil {
		parts = append(parts, part{"miner", func(ctx context.Context) error {
			return n.miner.Run(ctx, miner.MineOptions{Script: n.payTo, Threads: n.MineThreads})
		}})
	}
	return parts
}

// ready lets the RPC server answer and writes where the node is.
func (n *node) ready() error {
	parts := rpc.Parts{Params: n.Params, Chain: n.ledger.chain, Pool: n.pool, Miner: n.miner, Wallets: wallets{n.wallets}}
	r := Ready{
		PID: os.Getpid(), Network: n.Params.Name, RPC: n.server.URL(), Cookie: filepath.Join(n.dir.path, cookieFile),
		Listen: []string{}, Version: n.Version,
	}
	if n.network != nil {
		parts.Network = network{n.network}
		info := n.network.Info()
		r.PeerID, r.Listen = info.Peer, info.Listen
	}
	if n.Params.TestNetwork {
		parts.Clock = n.clock
	}
	n.server.Ready(parts)
	tip := n.ledger.chain.Tip()
	n.Log.Info("ready", "network", n.Params.Name, "height", tip.Height, "hash", tip.Hash, "rpc", r.RPC, "peer", r.PeerID, "listen", r.Listen)
	return r.write(n.readyFiles())
}

// close closes what is open, what was opened last first.
func (n *node) close() error {
	var errs []error
	if n.network != nil {
		errs = append(errs, n.network.Close())
	}
	if n.wallets != nil {
		errs = append(errs, n.wallets.Close())
	}
	if n.ledger != nil {
		errs = append(errs, n.ledger.close())
	}
	return errors.Join(errs...)
}

// closed returns what ended the work, or else what closing said. A failure often makes closing fail as well, which the operator need not read in
// the same breath.
func (o Options) closed(err, closing error) error {
	if err == nil {
		return closing
	}
	if closing != nil {
		o.Log.Info("closing failed as well", "err", closing)
	}
	return err
}

// ignoreCancel returns nil instead of an error that only says that the node was told to stop while it was opening.
func ignoreCancel(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
