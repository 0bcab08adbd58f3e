package p2p

import (
	"fmt"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	webrtc "github.com/libp2p/go-libp2p/p2p/transport/webrtc"
	webtransport "github.com/libp2p/go-libp2p/p2p/transport/webtransport"
	ma "github.com/multiformats/go-multiaddr"
)

// BrowserListen returns the addresses at which browsers can dial a node whose P2P port is port: WebTransport shares the port of QUIC, WebRTC cannot
// and takes the next one.
func BrowserListen(port uint16) []string {
	return []string{fmt.Sprintf("/ip4/0.0.0.0/udp/%d/quic-v1/webtransport", port), fmt.Sprintf("/ip4/0.0.0.0/udp/%d/webrtc-direct", port+1)}
}

// browserTransports are those that only browsers need, if we listen on any: both cost memory and code that an attacker can reach.
func browserTransports(listen []string) []libp2p.Option {
	var options []libp2p.Option
	named := func(name string) bool {
		return slices.ContainsFunc(listen, func(addr string) bool { return slices.Contains(strings.Split(addr, "/"), name) })
	}
	if named("webtransport") {
		options = append(options, libp2p.Transport(webtransport.New))
	}
	if named("webrtc-direct") {
		options = append(options, libp2p.Transport(webrtc.New))
	}
	return options
}

// forBrowsers says whether addr is of a transport that only browsers need.
func forBrowsers(addr ma.Multiaddr) bool {
	return slices.ContainsFunc(addr, func(c ma.Component) bool {
		code := c.Protocol().Code
		return code == ma.P_WEBTRANSPORT || code == ma.P_WEBRTC_DIRECT
	})
}

// isBrowser says whether a connection came by such a transport.
func isBrowser(c network.Conn) bool {
	name := c.ConnState().Transport // the other end's address does not always tell
	return name == "webtransport" || name == "webrtc-direct"
}

// withCertificates adds to an address that we listen on the hashes of the certificates that a browser has to expect there, if it is for browsers.
func withCertificates(h host.Host, addr ma.Multiaddr) ma.Multiaddr {
	s, ok := h.Network().(interface {
		TransportForListening(ma.Multiaddr) transport.Transport
	})
	if !ok || !forBrowsers(addr) {
		return addr
	}
	t, ok := s.TransportForListening(addr).(interface {
		AddCertHashes(ma.Multiaddr) (ma.Multiaddr, bool)
	})
	if !ok {
		return addr
	}
	if full, ok := t.AddCertHashes(addr); ok {
		return full
	}
	return addr
}
