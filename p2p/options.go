package p2p

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
	ma "github.com/multiformats/go-multiaddr"

	"groat/consensus"
)

// Options say what a Network is to be. DefaultOptions fills in what has a default.
type Options struct {
	Params *consensus.Params
	Chain  Chain
	Pool   Pool
	Log    *slog.Logger

	Shelf Shelf // keeps the address book and bans; nil: they end with the process

	KeyFile   string   // Ed25519 identity, made with mode 0600 if it does not exist
	Listen    []string // multiaddrs; port 0 picks one; none: the node only dials
	Peers     []string // static peers: dialled, and dialled again, for as long as the node runs
	UserAgent string

	Discovery    bool // find peers by the DHT; without it there are only static peers and those that dial us
	MDNS         bool // with Discovery: find peers on the local network as well, and be found there
	NAT          bool // become reachable behind a router: port mapping, AutoNATv2, relays, hole punching
	AllowPrivate bool // dial, announce and be found at loopback and private addresses: for test networks
	MaxPeers     int  // peers that are kept, the 8 or 10 that we dial ourselves among them; static peers come on top

	HideOrigin bool // tell two dialled peers of a transaction that began here, and everybody else seconds later; without it all hear at once

	PerIP     int // connections of one IPv4 address or IPv6 /56; loopback is free, private networks with AllowPrivate
	PerSubnet int // connections of one IPv4 /24 or IPv6 /48

	BanTime  time.Duration // how long an address is refused after its peer broke the protocol
	BanLocal bool          // also ban loopback and private addresses; without it their peers are only disconnected, for a test network on one machine would ban itself

	HostOptions []libp2p.Option // applied after our own: a simulated network in tests
}

// DefaultOptions returns the options of a node on the network of params. Chain, Pool, Log and KeyFile are left to the caller.
func DefaultOptions(params *consensus.Params) Options {
	return Options{
		Params:       params,
		Listen:       DefaultListen(params.P2PPort),
		UserAgent:    "/groat/",
		Discovery:    true,
		NAT:          !params.TestNetwork,
		AllowPrivate: params.TestNetwork,
		MaxPeers:     defaultMaxPeers,
		HideOrigin:   !params.TestNetwork, // where whoever watches owns all nodes there is nothing to hide, and tests want speed
		PerIP:        defaultPerIP,
		PerSubnet:    defaultPerSubnet,
		BanTime:      defaultBanTime,
	}
}

// DefaultListen returns the addresses that a node listens on: TCP and QUIC at port, on all interfaces.
func DefaultListen(port uint16) []string {
	return []string{fmt.Sprintf("/ip4/0.0.0.0/tcp/%d", port), fmt.Sprintf("/ip4/0.0.0.0/udp/%d/quic-v1", port)}
}

// Check says what is wrong with the options, in the words of the command line.
func (o *Options) Check() error {
	switch {
	case o.Params == nil || o.Chain == nil || o.Pool == nil || o.Log == nil:
		return errors.New("p2p: Params, Chain, Pool and Log must be set")
	case !o.Params.Network:
		return fmt.Errorf("network %s has no peers: it is for blocks from files", o.Params.Name)
	case o.KeyFile == "":
		return errors.New("p2p: KeyFile must be set")
	case len(o.UserAgent) > maxUserAgent:
		return fmt.Errorf("user agent is longer than %d bytes", maxUserAgent)
	case o.PerIP < 1 || o.PerSubnet < 1:
		return errors.New("p2p: PerIP and PerSubnet must be positive")
	case o.BanTime <= 0:
		return errors.New("p2p: BanTime must be positive")
	}
	return o.CheckGiven()
}

// CheckGiven says what is wrong with what an operator gives, Listen, Peers and MaxPeers, naming the flag.
func (o *Options) CheckGiven() error {
	if o.MaxPeers < 1 || o.MaxPeers > 1000 {
		return fmt.Errorf("--max-peers %d is not between 1 and 1000", o.MaxPeers)
	}
	for _, addr := range o.Listen {
		if _, err := ma.NewMultiaddr(addr); err != nil {
			return fmt.Errorf("--p2p-listen %s is not a multiaddr (/ip4/0.0.0.0/tcp/PORT): %w", addr, err)
		}
	}
	for _, addr := range o.Peers {
		if _, err := parseTarget(addr); err != nil {
			return fmt.Errorf("--peer %s: %w", addr, err)
		}
	}
	return nil
}
