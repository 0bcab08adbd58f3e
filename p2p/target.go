package p2p

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// parseTarget reads an address that an operator wrote: a multiaddr with or without /p2p/ID, or host:port, which means TCP. The
// ID is empty if it is not named; it is learnt at first contact.
func parseTarget(s string) (peer.AddrInfo, error) {
	if !strings.HasPrefix(s, "/") {
		return parseHostPort(s)
	}
	addr, err := ma.NewMultiaddr(s)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("not a multiaddr: %w", err)
	}
	rest, id := peer.SplitAddr(addr)
	if len(rest) == 0 {
		return peer.AddrInfo{}, errors.New("an address is missing before /p2p")
	}
	return peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{rest}}, nil
}

func parseHostPort(s string) (peer.AddrInfo, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return peer.AddrInfo{}, errors.New("not a multiaddr (/ip4/ADDRESS/tcp/PORT/p2p/ID) and not HOST:PORT")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return peer.AddrInfo{}, fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	kind := "dns"
	if ip, err := netip.ParseAddr(host); err == nil {
		kind = "ip6"
		if ip.Is4() {
			kind = "ip4"
		}
	}
	addr, err := ma.NewMultiaddr("/" + kind + "/" + host + "/tcp/" + port)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("host %q: %w", host, err)
	}
	return peer.AddrInfo{Addrs: []ma.Multiaddr{addr}}, nil
}

// ipOf returns the IP address of addr; invalid if it has none.
func ipOf(addr ma.Multiaddr) netip.Addr {
	ip, err := manet.ToIP(addr)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// isLocal reports whether ip belongs to this machine or a private network.
func isLocal(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
}
