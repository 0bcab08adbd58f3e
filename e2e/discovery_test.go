package e2e

import (
	"testing"
	"time"

	"groat/testnet"
)

// Ten nodes that know only one address become a network; without the node of that address it goes on, a newcomer joins through any other, and who
// starts again finds the others by what it remembers.
func TestNetworkWithoutItsBootNode(t *testing.T) {
	began := time.Now()
	w := start(t, testnet.Config{Nodes: 10, Discovery: true})
	const enough = 4
	for _, n := range w.Nodes {
		if err := n.AwaitPeers(within(t, 20*time.Second), enough); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	t.Logf("ten nodes have %d peers or more after %v", enough, took)
	if took > 10*time.Second { // ten processes start on a machine that others share
		t.Errorf("it took %v", took)
	}
	if err := w.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	joins(t, w, w.Nodes[7].Endpoint().Listen[0], enough)

	tip := mineOne(t, w.Nodes[3])
	for _, n := range w.Nodes[1:] {
		if err := n.AwaitTip(within(t, 20*time.Second), tip); err != nil {
			t.Fatal(err)
		}
	}
	again := w.Nodes[5]
	if err := again.Stop(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := again.Start(within(t, 20*time.Second)); err != nil { // told of nobody
		t.Fatal(err)
	}
	if err := again.AwaitPeers(within(t, 20*time.Second), enough); err != nil {
		t.Errorf("it does not remember: %v", err)
	}
}

// joins starts another node of w that knows only the address boot.
func joins(t *testing.T, w *testnet.Network, boot string, enough int) {
	t.Helper()
	late := start(t, testnet.Config{Nodes: 1, Discovery: true, Flags: []string{"--peer", boot}})
	began := time.Now()
	if err := late.Nodes[0].AwaitPeers(within(t, 20*time.Second), enough); err != nil {
		t.Fatalf("the eleventh node found too few: %v", err)
	}
	t.Logf("the eleventh node has %d peers %v after it was ready", enough, time.Since(began))
}

// mineOne mines a block and returns its hash.
func mineOne(t *testing.T, n *testnet.Node) string {
	t.Helper()
	p := testnet.Party{Node: n, Wallet: "miner"}
	if err := p.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	address, err := p.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hashes, err := n.Mine(t.Context(), 1, address)
	if err != nil {
		t.Fatal(err)
	}
	return hashes[0]
}
