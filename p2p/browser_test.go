package p2p

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// fakeConn is a connection that the n-th identity has opened.
type fakeConn struct {
	network.Conn
	n         int
	transport string
}

func (c fakeConn) RemotePeer() peer.ID { return idOf(c.n) }
func (c fakeConn) RemoteMultiaddr() ma.Multiaddr {
	return ma.StringCast("/ip4/1.2.3.4/udp/9")
}
func (c fakeConn) LocalMultiaddr() ma.Multiaddr { return ma.StringCast("/ip4/1.1.1.1/udp/9833") }
func (c fakeConn) Stat() network.ConnStats {
	return network.ConnStats{Stats: network.Stats{Direction: network.DirInbound}}
}
func (c fakeConn) ConnState() network.ConnectionState {
	return network.ConnectionState{Transport: c.transport}
}

// Browsers, of which anybody can open as many as he likes, take some of the slots, and none from nodes.
func TestBrowsersHaveTheirOwnSlots(t *testing.T) {
	table := newTable(100, false)
	for i := range 60 {
		name := []string{"webtransport", "webrtc-direct", "quic-v1"}[i%3]
		r, added, refused, evicted := table.add(fakeConn{n: i, transport: name})
		if name == "quic-v1" && (!added || evicted != nil) {
			t.Fatalf("node %d: refused %v, for it goes %v", i, refused, evicted)
		}
		if added {
			close(r.ready)
		}
		if evicted != nil && !evicted.browser {
			t.Fatal("a node goes for a browser")
		}
	}
	table.mu.Lock()
	defer table.mu.Unlock()
	if n := table.browsers(); n != maxBrowsers {
		t.Errorf("%d browsers", n)
	}
	if n := table.count(inboundPeer) - table.browsers(); n != 20 {
		t.Errorf("%d nodes of 20", n)
	}
}
