package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"groat/consensus"
	"groat/node"
)

// newNodeCommand builds "groat node" and the commands that ask a running one.
func newNodeCommand(a *app) *cobra.Command {
	flags := nodeFlags{Options: node.DefaultOptions(consensus.Main())}
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run a full node in the foreground, or ask a running one",
		Long: `Runs a full node in the foreground until Ctrl-C, SIGTERM or 'groat node stop'. A second Ctrl-C ends it at once;
the ledger opens all the same next time.

A node needs one peer to find the rest. There are no public boot nodes yet: name one with --peer, or mine
alone with --mine. When RPC answers, the node writes where to find it to the ready file.`,
		Example: `  groat node --network regtest
  groat node --network testnet --peer /ip4/192.0.2.7/tcp/19833/p2p/12D3KooW…
  groat node --network testnet --mine tgrt1q…
  groat node --network regtest --datadir /tmp/a --rpc-listen 127.0.0.1:0 --ready-file /tmp/a.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runNode(cmd, flags) },
	}
	flags.add(cmd)
	cmd.AddCommand(newNodeStatusCommand(a), newNodeStopCommand(a))
	return cmd
}

// nodeFlags are the flags of "groat node", in the form in which they are given.
type nodeFlags struct {
	node.Options
	noDiscovery bool
	noNAT       bool
	logFile     string
	activations []string
	rest        bool
	txIndex     bool
}

// add declares the flags on cmd.
func (n *nodeFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&n.RPCListen, "rpc-listen", "", "`HOST:PORT` of the RPC server; port 0 takes a free one (default 127.0.0.1 and the network's port)")
	f.StringVar(&n.RPCUser, "rpc-user", "", "`name` of an RPC login beside the cookie")
	f.StringVar(&n.RPCPassword, "rpc-password", "", "`password` of that login; better given as GROAT_RPC_PASSWORD")
	f.BoolVar(&n.Metrics, "metrics", false, "serve Prometheus metrics at /metrics of the RPC address; without login only if that is on loopback")
	f.BoolVar(&n.rest, "rest", false, "serve REST as well (not built yet)")
	f.StringArrayVar(&n.P2PListen, "p2p-listen", nil, "`multiaddr` to listen on for peers, such as /ip4/0.0.0.0/tcp/9833; repeatable")
	f.BoolVar(&n.Browsers, "browsers", false, "listen for browsers as well: WebTransport at the network's P2P port, WebRTC at the next")
	f.StringArrayVar(&n.Peers, "peer", nil, "`multiaddr` of a peer to dial and keep, ending in /p2p/ID, or /dnsaddr/NAME; repeatable")
	f.BoolVar(&n.noDiscovery, "no-discovery", false, "look for no peers beside those of --peer and 'groat peer add'")
	f.BoolVar(&n.MDNS, "mdns", false, "find peers on the local network by multicast DNS, and be found there (not with --no-discovery)")
	f.BoolVar(&n.noNAT, "no-nat", false, "do not try to become reachable behind a router (never tried on regtest)")
	f.BoolVar(&n.AllowPrivate, "allow-private", false, "treat peers with private addresses as any others (always so on regtest)")
	f.IntVar(&n.MaxPeers, "max-peers", n.MaxPeers, "most connected peers, as a `number`")
	f.IntVar(&n.MaxPerIP, "max-peers-per-ip", n.MaxPerIP, "most connections of one IPv4 address or IPv6 /56, as a `number`; loopback is free, private addresses with --allow-private")
	f.IntVar(&n.MaxPerSubnet, "max-peers-per-subnet", n.MaxPerSubnet, "most connections of one IPv4 /24 or IPv6 /48, as a `number`")
	f.StringVar(&n.Mine, "mine", "", "mine to this `address`, also while alone or behind")
	f.IntVar(&n.MineThreads, "mine-threads", n.MineThreads, "`number` of threads that mine")
	f.IntVar(&n.CacheMiB, "dbcache", n.CacheMiB, "`MiB` of memory for coins")
	f.IntVar(&n.MempoolMiB, "maxmempool", n.MempoolMiB, "`MiB` of memory for transactions that wait for a block")
	f.IntVar(&n.PruneMiB, "prune", 0, "keep about this many `MiB` of blocks, at least 550, and remove older ones; 0 keeps all")
	f.StringVar(&n.AssumeValid, "assume-valid", "", "take the scripts of this block's ancestors as valid; the `hash` of a block you trust")
	f.BoolVar(&n.txIndex, "txindex", false, "keep an index of all transactions (not built yet)")
	f.StringVar(&n.logFile, "log-file", "", "write the log to this `file`, turned over at 50 MiB, instead of to stderr")
	addActivationsFlag(f, &n.activations)
	f.StringVar(&n.ReadyFile, "ready-file", "", "`file` to write when RPC answers, beside DATADIR/NETWORK/ready.json")
	addCrashFlag(f, &n.CrashAt)
	f.VisitAll(func(flag *pflag.Flag) { markSetting(f, flag.Name) })
}

// options returns what the flags ask for.
func (n *nodeFlags) options(a *app) (node.Options, error) {
	o := n.Options
	params, err := a.params()
	if err != nil {
		return o, err
	}
	switch {
	case n.rest:
		return o, usagef("--rest is not built yet; leave it out")
	case n.txIndex:
		return o, usagef("--txindex is not built yet; leave it out")
	}
	if o.Params, err = withActivations(params, n.activations); err != nil {
		return o, err
	}
	if o.DataDir, err = filepath.Abs(a.shared.dataDir); err != nil {
		return o, fmt.Errorf("--datadir %s: %w", a.shared.dataDir, err)
	}
	if o.RPCListen == "" {
		o.RPCListen = node.DefaultOptions(params).RPCListen
	}
	o.Discovery = !n.noDiscovery
	o.NAT = !n.noNAT && !params.TestNetwork
	o.AllowPrivate = o.AllowPrivate || params.TestNetwork
	o.Version = version
	if err := o.Check(); err != nil {
		return o, withCode(exitUsage, err)
	}
	return o, nil
}

// withActivations returns p with soft forks moved as --test-activation-height asks, NAME@HEIGHT each.
func withActivations(p *consensus.Params, moves []string) (*consensus.Params, error) {
	if len(moves) == 0 {
		return p, nil
	}
	if !p.TestNetwork {
		return nil, usagef("--test-activation-height: soft forks can only be moved on regtest, not on %s", p.Name)
	}
	p = p.Clone()
	for _, move := range moves {
		name, height, _ := strings.Cut(move, "@")
		at, err := strconv.ParseInt(height, 10, 32)
		if err != nil || at < 0 {
			return nil, usagef("--test-activation-height %s: give NAME@HEIGHT, such as segwit@300", move)
		}
		if err := p.SetActivation(name, int32(at)); err != nil {
			return nil, usagef("--test-activation-height %s: %v", move, err)
		}
	}
	return p, nil
}

// runNode runs a node until it is told to stop.
func (a *app) runNode(cmd *cobra.Command, flags nodeFlags) error {
	options, err := flags.options(a)
	if err != nil {
		return err
	}
	log, closeLog, err := a.logger(a.err, flags.logFile)
	if err != nil {
		return err
	}
	options.Log = log
	return errors.Join(a.advise(flags.activations, node.Run(cmd.Context(), options)), closeLog())
}
