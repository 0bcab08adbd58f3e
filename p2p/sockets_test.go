package p2p

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"groat/consensus"
)

// realNode runs a node on loopback, on ports that the system picks.
func realNode(t *testing.T, listen []string, peers ...string) (*Network, *fakeChain) {
	t.Helper()
	return realNodeWith(t, func(*Options) {}, listen, peers...)
}

func realNodeWith(t *testing.T, change func(*Options), listen []string, peers ...string) (*Network, *fakeChain) {
	t.Helper()
	chain := newFakeChain(consensus.Regtest())
	o := DefaultOptions(chain.params)
	o.Chain, o.Pool, o.Log, o.KeyFile, o.Listen, o.Peers = chain, newFakePool(), testLog("real"), filepath.Join(t.TempDir(), "key"), listen, peers
	change(&o)
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n, chain
}

// wait polls real time: sockets know no other.
func wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("not in time:", what)
		}
	}
}

// Five nodes on loopback that know only the first find each other, over TCP and QUIC, and agree on a block.
func TestFiveNodesOnLoopback(t *testing.T) {
	both := []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}
	boot, first := realNode(t, both)
	addrs := boot.Info().Listen
	if len(addrs) != 2 || !strings.HasSuffix(addrs[0], "/p2p/"+boot.ID().String()) {
		t.Fatalf("listens on %v", addrs)
	}
	nodes, chains := []*Network{boot}, []*fakeChain{first}
	for i := range 4 {
		n, c := realNode(t, both, addrs[i%2])
		nodes, chains = append(nodes, n), append(chains, c)
	}
	began := time.Now()
	wait(t, "all know all", func() bool {
		for _, n := range nodes {
			if n.Count() < 4 {
				return false
			}
		}
		return true
	})
	t.Log("all know all after", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	b := chains[4].mine()
	wait(t, "all have the block", func() bool {
		for _, c := range chains {
			if c.Tip().Hash != b.Hash() {
				return false
			}
		}
		return true
	})
	t.Log("block at all after", time.Since(began).Round(time.Millisecond))
}

// Whoever listens for browsers is reached by their transports, does the handshake and serves blocks there.
func TestBrowserTransports(t *testing.T) {
	for _, name := range []string{"/quic-v1/webtransport", "/webrtc-direct"} {
		listen := []string{"/ip4/127.0.0.1/udp/0" + name}
		a, chain := realNode(t, listen)
		b := chain.mine()
		addr := a.Info().Listen[0]
		if !strings.Contains(addr, name+"/certhash/") {
			t.Errorf("listens on %s, without the hash that a browser needs", addr)
		}
		n, synced := realNode(t, listen, addr)
		wait(t, "synced over "+name, func() bool { return synced.Tip().Hash == b.Hash() })
		if got := n.Peers()[0].Addr; !strings.Contains(got, name) {
			t.Errorf("connected by %s, not %s", got, name)
		}
	}
	tcpOnly, _ := realNode(t, []string{"/ip4/127.0.0.1/tcp/0"})
	if err := tcpOnly.TryNode(t.Context(), "/ip4/127.0.0.1/udp/9/webrtc-direct/p2p/"+tcpOnly.ID().String()); err == nil {
		t.Error("speaks WebRTC without having asked for it")
	}
}

func TestHostAndPort(t *testing.T) {
	a, _ := realNode(t, []string{"/ip4/127.0.0.1/tcp/0"})
	port, err := ma.StringCast(a.Info().Listen[0]).ValueForProtocol(ma.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := realNode(t, nil)
	if err := b.AddNode("127.0.0.1:" + port); err != nil {
		t.Fatal(err)
	}
	wait(t, "connected", func() bool { return a.Count() == 1 && b.Count() == 1 })
	if err := b.TryNode(t.Context(), "127.0.0.1:"+port); err != nil {
		t.Error("a second time:", err)
	}
}

func TestPortInUse(t *testing.T) {
	for _, listen := range []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"} {
		a, _ := realNode(t, []string{listen})
		used, _, _ := cutID(a.Info().Listen[0])
		chain := newFakeChain(consensus.Regtest())
		o := DefaultOptions(chain.params)
		o.Chain, o.Pool, o.Log, o.KeyFile = chain, newFakePool(), testLog("second"), filepath.Join(t.TempDir(), "key")
		o.Listen = []string{used}
		_, err := New(o)
		if want := "cannot listen on " + used + ": address already in use"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestBadListenAddress(t *testing.T) {
	chain := newFakeChain(consensus.Regtest())
	o := DefaultOptions(chain.params)
	o.Chain, o.Pool, o.Log, o.KeyFile = chain, newFakePool(), testLog("bad"), filepath.Join(t.TempDir(), "key")
	for _, addr := range []string{"0.0.0.0:80", "/ip4/127.0.0.1/tcp/x", "/ip4/127.0.0.1/sctp/9"} {
		o.Listen = []string{addr}
		if n, err := New(o); err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v", addr, err)
			if n != nil {
				_ = n.Close()
			}
		}
	}
	o.Listen = nil
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.Close(), n.Close()); err != nil { // never run
		t.Error(err)
	}
}
