package p2p

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// openHost makes the libp2p host and lets it listen. reach says how it deals with routers in between.
func openHost(o *Options, key crypto.PrivKey, gate *gater, ids protocols, bytes metrics.Reporter, reach ...libp2p.Option) (host.Host, error) {
	resources, err := newResources(o, ids)
	if err != nil {
		return nil, err
	}
	conns, err := connmgr.NewConnManager(o.MaxPeers+16, o.MaxPeers+48)
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	options := append([]libp2p.Option{
		libp2p.NoListenAddrs, // we listen below, where the error says which address
		libp2p.Identity(key),
		libp2p.UserAgent(o.UserAgent),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()), // with it two nodes could share a port and not notice
		libp2p.Transport(quic.NewTransport),
		libp2p.Security(tls.ID, tls.New), // TLS first: it moved blocks twice as fast as Noise
		libp2p.Security(noise.ID, noise.New),
		libp2p.ResourceManager(resources),
		libp2p.ConnectionManager(conns),
		libp2p.ConnectionGater(gate),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.NonPublicAddrPublishing(o.AllowPrivate),
		libp2p.DisableMetrics(),
		libp2p.BandwidthReporter(bytes),
	}, slices.Concat(browserTransports(o.Listen), reach, o.HostOptions)...)
	h, err := libp2p.New(options...)
	if err != nil {
		return nil, fmt.Errorf("open libp2p host: %w", err)
	}
	if err := listen(h, o.Listen); err != nil {
		_ = h.Close() // the first error is the one to report
		return nil, err
	}
	return h, nil
}

// listen opens every address, so that a port in use is an error even if another address works.
func listen(h host.Host, addrs []string) error {
	for _, s := range addrs {
		addr, err := ma.NewMultiaddr(s)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", s, err)
		}
		if err := listenOn(h, addr); err != nil {
			return fmt.Errorf("cannot listen on %s: %w", s, listenReason(err))
		}
	}
	return nil
}

// listenOn goes around Network.Listen, which turns its errors into text and succeeds if one address of many does.
func listenOn(h host.Host, addr ma.Multiaddr) error {
	if s, ok := h.Network().(interface{ AddListenAddr(ma.Multiaddr) error }); ok {
		return s.AddListenAddr(addr)
	}
	return h.Network().Listen(addr)
}

// listenReason shortens libp2p's list of errors to the reason that a user can act on.
func listenReason(err error) error {
	var reason syscall.Errno
	if errors.As(err, &reason) {
		return reason
	}
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}

// newResources sets the limits of the host explicitly; what is not named here has the library's scaled default.
func newResources(o *Options, ids protocols) (network.ResourceManager, error) {
	peers := rcmgr.LimitVal(o.MaxPeers)
	perPeer := map[protocol.ID]rcmgr.ResourceLimits{}
	for id, streams := range map[protocol.ID]rcmgr.LimitVal{ids.status: 4, ids.relay: 2, ids.headers: 4, ids.blocks: 4, ids.blockTxn: 8, ids.peers: 2} {
		perPeer[id] = rcmgr.ResourceLimits{StreamsInbound: streams, StreamsOutbound: 2 * streams, Streams: 3 * streams}
	}
	scaled := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&scaled)
	limits := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: 2*peers + 64, ConnsInbound: peers + 32, ConnsOutbound: peers + 64,
			Streams: 32*peers + 512, StreamsInbound: 16*peers + 256, StreamsOutbound: 16*peers + 256,
			Memory: 512 << 20, FD: rcmgr.LimitVal(2*o.MaxPeers + 128),
		},
		Transient:    rcmgr.ResourceLimits{Conns: 96, ConnsInbound: 32, ConnsOutbound: 64, Streams: 512, StreamsInbound: 256, StreamsOutbound: 256},
		PeerDefault:  rcmgr.ResourceLimits{Conns: 4, ConnsInbound: 2, ConnsOutbound: 4, Streams: 128, StreamsInbound: 64, StreamsOutbound: 64},
		ProtocolPeer: perPeer,
	}.Build(scaled.AutoScale())
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits), subnetLimits(o.AllowPrivate, o.PerIP, o.PerSubnet)...)
	if err != nil {
		return nil, fmt.Errorf("resource manager: %w", err)
	}
	return m, nil
}

// subnetLimits bound how many connections one network holds, and how fast it opens new ones: 16 at once and one every 5 s for each address, as libp2p has
// it. Loopback has no limit, private networks none on a test network.
func subnetLimits(allowPrivate bool, perIP, perSubnet int) []rcmgr.Option {
	free := []string{"127.0.0.0/8", "::1/128"}
	if allowPrivate {
		free = append(free, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")
	}
	var v4, v6 []rcmgr.NetworkPrefixLimit
	var unhurried []rate.PrefixLimit
	for _, s := range free {
		limit := rcmgr.NetworkPrefixLimit{Network: netip.MustParsePrefix(s), ConnCount: math.MaxInt}
		unhurried = append(unhurried, rate.PrefixLimit{Prefix: limit.Network})
		if limit.Network.Addr().Is4() {
			v4 = append(v4, limit)
			continue
		}
		v6 = append(v6, limit)
	}
	return []rcmgr.Option{
		rcmgr.WithNetworkPrefixLimit(v4, v6),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: perIP}, {PrefixLength: 24, ConnCount: perSubnet}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: perIP}, {PrefixLength: 48, ConnCount: perSubnet}},
		),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: unhurried,
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: rate.Limit{RPS: 0.2, Burst: 16}}},
				IPv6SubnetLimits: []rate.SubnetLimit{
					{PrefixLength: 56, Limit: rate.Limit{RPS: 0.2, Burst: 16}}, {PrefixLength: 48, Limit: rate.Limit{RPS: 0.5, Burst: 80}},
				},
				GracePeriod: time.Minute,
			},
		}),
	}
}

// protocols are the ids that a network's peers speak.
type protocols struct {
	base                                            string // what the ids of our own begin with
	status, relay, headers, blocks, blockTxn, peers protocol.ID
	mesh                                            []protocol.ID // of gossipsub
	dht                                             protocol.ID   // prefix
	topic                                           string
}

// What the id of the status protocol of any network begins and ends with.
const (
	protocolsPrefix = "/groat/"
	statusSuffix    = "/status/1"
)

func protocolsOf(network string) protocols {
	base := protocolsPrefix + network
	id := func(name string) protocol.ID { return protocol.ID(base + name) }
	return protocols{
		base:   base,
		status: id(statusSuffix), relay: id("/txrelay/1"), headers: id("/headers/1"), blocks: id("/blocks/1"), blockTxn: id("/blocktxn/1"), peers: id("/peers/1"),
		mesh: []protocol.ID{id("/meshsub/1.2.0"), id("/meshsub/1.1.0")}, dht: id(""), topic: base + "/blk/1",
	}
}
