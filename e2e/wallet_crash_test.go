package e2e

import (
	"math/rand/v2"
	"testing"
	"time"

	"groat/testnet"
)

// TestKilledWhileHandingOutAddresses kills a node while it hands out addresses. Whatever it said it has: it knows each of them after the next start, and hands
// out none of them again.
func TestKilledWhileHandingOutAddresses(t *testing.T) {
	n := start(t, testnet.Config{Nodes: 1}).Nodes[0]
	call(t, n, nil, "createwallet", "w", false, false, "", false, true, true)
	seen, lately := make(map[string]bool), []string{}
	for range soak(t, 4) {
		kill := time.AfterFunc(rand.N(300*time.Millisecond), func() { _ = n.Kill() }) // the moment of the kill
		for {
			var addr string
			if err := n.WalletCall(t.Context(), "w", &addr, "getnewaddress", "label"); err != nil {
				break
			}
			if seen[addr] {
				t.Fatalf("%s was handed out twice", addr)
			}
			seen[addr], lately = true, append(lately, addr)
		}
		kill.Stop()
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := n.Start(within(t, stopTime)); err != nil {
			t.Fatal(err)
		}
		for _, addr := range lately {
			var info struct {
				Mine   bool     `json:"ismine"`
				Labels []string `json:"labels"`
			}
			if err := n.WalletCall(t.Context(), "w", &info, "getaddressinfo", addr); err != nil || !info.Mine || len(info.Labels) != 1 {
				t.Fatalf("%s was handed out, and is not known any more: %+v, %v", addr, info, err)
			}
		}
		lately = lately[:0]
	}
	t.Logf("%d addresses", len(seen))
}
