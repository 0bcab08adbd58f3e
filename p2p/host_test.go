package p2p

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"groat/consensus"
)

// An address and a subnet hold as many connections as the operator says, and open new ones at a pace; loopback is free of that, private
// addresses on a test network.
func TestConnectionsPerNetwork(t *testing.T) {
	o := DefaultOptions(consensus.Regtest())
	o.PerIP, o.PerSubnet = 3, 5
	for _, private := range []bool{true, false} {
		o.AllowPrivate = private
		r, err := newResources(&o, protocolsOf("regtest"))
		if err != nil {
			t.Fatal(err)
		}
		try := func(format string, hosts, each int) (open []network.ConnManagementScope) {
			for i := range hosts * each {
				addr := ma.StringCast(fmt.Sprintf(format, 1+i/each))
				if c, err := r.OpenConnection(network.DirInbound, false, addr); err == nil {
					open = append(open, c)
				}
			}
			return open
		}
		count := func(format string, hosts, each int) int {
			open := try(format, hosts, each)
			for _, c := range open {
				c.Done()
			}
			return len(open)
		}
		if n := count("/ip4/1.2.3.%d/udp/1/quic-v1", 1, 10); n != o.PerIP {
			t.Errorf("one address holds %d connections", n)
		}
		if n := count("/ip4/2.2.3.%d/udp/1/quic-v1", 10, 1); n != o.PerSubnet {
			t.Errorf("one subnet holds %d connections", n)
		}
		if n := count("/ip6/2001:db8::%d/udp/1/quic-v1", 10, 1); n != o.PerIP {
			t.Errorf("one /56 holds %d connections", n)
		}
		if n := count("/ip4/127.0.0.%d/udp/1/quic-v1", 1, 30); n != 30 {
			t.Errorf("loopback holds %d connections", n)
		}
		paced := 0
		for range 40 { // one after the other
			paced += count("/ip4/10.0.0.%d/udp/1/quic-v1", 1, 1)
		}
		if (paced == 40) != private {
			t.Errorf("a private address opens %d of 40 connections; free: %v", paced, private)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
