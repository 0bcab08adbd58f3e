package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"

	"groat/consensus"
	"groat/internal/address"
	"groat/p2p"
)

// Options says which node to run.
type Options struct {
	Params  *consensus.Params // the network
	DataDir string            // holds a directory for each network
	Version string            // of the program, for peers and RPC clients
	Log     *slog.Logger

	RPCListen   string // host:port; port 0 takes a free one
	RPCUser     string // together with RPCPassword: a login beside the cookie
	RPCPassword string
	Metrics     bool   // serve metrics on the RPC address; without login if that is on loopback
	ReadyFile   string // written when the node is ready, as ready.json in the network's directory is; "" for that one only

	P2PListen    []string // multiaddrs; none for the defaults of the network
	Browsers     bool     // listen for browsers too, at the network's port and the next
	Peers        []string // multiaddrs to dial and keep
	Discovery    bool     // look for peers nobody named
	MDNS         bool     // find peers on the local network, and be found there
	NAT          bool     // make the node reachable behind a router
	AllowPrivate bool     // treat private addresses as public ones
	MaxPeers     int
	MaxPerIP     int // connections of one IPv4 address or IPv6 /56; loopback is free, private addresses with AllowPrivate
	MaxPerSubnet int // connections of one IPv4 /24 or IPv6 /48

	Mine        string // an address: mine to it
	MineThreads int

	CacheMiB    int    // memory for coins, Badger included
	MempoolMiB  int    // memory for transactions that wait
	FlushEvery  int32  // blocks between two writes of the coins; 0 leaves it to size and time
	PruneMiB    int    // of block and undo files to keep, those of the last chain.KeepBlocks blocks in any case; 0 keeps all
	CrashAt     string // NAME or NAME:N on a test network: the process kills itself when it comes by a chain.Points the N-th time
	AssumeValid string // hash of a block whose ancestors' scripts are taken as valid
}

// DefaultOptions returns the options of a node of network p that was asked for nothing special.
func DefaultOptions(p *consensus.Params) Options {
	peers := p2p.DefaultOptions(p)
	return Options{
		Params:       p,
		DataDir:      ".",
		Log:          slog.New(slog.DiscardHandler),
		RPCListen:    net.JoinHostPort("127.0.0.1", fmt.Sprint(p.RPCPort)),
		Discovery:    true,
		NAT:          !p.TestNetwork,
		AllowPrivate: p.TestNetwork,
		MaxPeers:     peers.MaxPeers,
		MaxPerIP:     peers.PerIP,
		MaxPerSubnet: peers.PerSubnet,
		MineThreads:  1,
		CacheMiB:     450,
		MempoolMiB:   300,
	}
}

// Check says what is wrong with the options, naming the flag that gave it.
func (o Options) Check() error {
	switch {
	case o.Params == nil:
		return errors.New("no network was chosen")
	case (o.RPCUser == "") != (o.RPCPassword == ""):
		return errors.New("--rpc-user and --rpc-password belong together; give both or neither")
	case o.PruneMiB < 0 || o.PruneMiB > 0 && o.PruneMiB < minPruneMiB && !o.Params.TestNetwork:
		return fmt.Errorf("--prune %d is too small; at least %d MiB are kept, or leave it out to keep all blocks", o.PruneMiB, minPruneMiB)
	case o.MaxPerIP < 1:
		return errors.New("--max-peers-per-ip must be at least 1")
	case o.MaxPerSubnet < o.MaxPerIP:
		return fmt.Errorf("--max-peers-per-subnet %d is below --max-peers-per-ip %d: an address is part of a subnet", o.MaxPerSubnet, o.MaxPerIP)
	case o.CacheMiB < minCacheMiB:
		return fmt.Errorf("--dbcache %d is too small; at least %d MiB are needed", o.CacheMiB, minCacheMiB)
	case o.CacheMiB > maxMiB || o.MempoolMiB > maxMiB || o.PruneMiB > maxMiB:
		return fmt.Errorf("--dbcache, --maxmempool and --prune are in MiB: %d is too much", max(o.CacheMiB, o.MempoolMiB, o.PruneMiB))
	case o.MempoolMiB < minMempoolMiB:
		return fmt.Errorf("--maxmempool %d is too small; at least %d MiB are needed", o.MempoolMiB, minMempoolMiB)
	case o.MineThreads < 1:
		return errors.New("--mine-threads must be at least 1")
	}
	if _, _, err := net.SplitHostPort(o.RPCListen); err != nil {
		return fmt.Errorf("--rpc-listen %s is not HOST:PORT", o.RPCListen)
	}
	if _, err := o.crashPoint(); err != nil {
		return err
	}
	if _, err := o.mineTo(); err != nil {
		return err
	}
	given := p2p.Options{Listen: o.P2PListen, Peers: o.Peers, MaxPeers: o.MaxPeers}
	if err := given.CheckGiven(); err != nil {
		return err
	}
	_, err := o.assumeValid()
	return err
}

// mineTo returns the script that --mine pays to, nil without.
func (o Options) mineTo() ([]byte, error) {
	if o.Mine == "" {
		return nil, nil
	}
	script, err := address.Decode(o.Params, o.Mine)
	if err != nil {
		return nil, fmt.Errorf("--mine %s is no address of network %s: %w", o.Mine, o.Params.Name, err)
	}
	return script, nil
}

// The smallest budgets that a node works with.
const (
	minCacheMiB   = 4
	minMempoolMiB = 5
	minPruneMiB   = 550 // as in Bitcoin Core
)

// maxMiB is more than any machine has, and far from where bytes overflow.
const maxMiB = 1 << 24

// dir returns the directory of the network.
func (o Options) dir() string { return filepath.Join(o.DataDir, o.Params.Name) }

// readyFiles returns where the ready file goes: always into the directory of the network, where the commands look for it.
func (o Options) readyFiles() []string {
	files := []string{filepath.Join(o.dir(), "ready.json")}
	if o.ReadyFile != "" {
		files = append(files, o.ReadyFile)
	}
	return files
}
