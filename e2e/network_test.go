package e2e

import (
	"slices"
	"testing"
	"time"

	"groat/testnet"
)

// parties opens a wallet on the first node, mines until it can pay, and opens another on the last node.
func parties(t *testing.T, w *testnet.Network) (payer, payee testnet.Party, mineTo string) {
	t.Helper()
	ctx := within(t, time.Minute)
	payer = testnet.Party{Node: w.Nodes[0], Wallet: "payer"}
	payee = testnet.Party{Node: w.Nodes[len(w.Nodes)-1], Wallet: "payee"}
	for _, p := range []testnet.Party{payer, payee} {
		if err := p.Open(ctx); err != nil {
			t.Fatal(err)
		}
	}
	mineTo, err := payer.Address(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := payer.Node.Mine(ctx, 101, mineTo); err != nil {
		t.Fatal(err)
	}
	converged(t, w)
	return payer, payee, mineTo
}

// converged waits until all running nodes agree, and returns on what.
func converged(t testing.TB, w *testnet.Network) testnet.View {
	t.Helper()
	v, err := w.Converged(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFiveNodesAgree(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 5, Discovery: true})
	payer, payee, mineTo := parties(t, w)
	p, err := w.Pay(within(t, time.Minute), payer, payee, "1.5")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("five nodes saw the payment within %v", p.Seen)
	if p.Seen > 2*time.Second {
		t.Errorf("a payment took %v to reach all, want 2 s at most", p.Seen)
	}
	if err := w.Confirm(within(t, time.Minute), w.Nodes[2], mineTo, &p); err != nil {
		t.Fatal(err)
	}
	t.Logf("five nodes had the block within %v", p.Confirmed)
	if v := converged(t, w); v.Height != 102 || p.Height != 102 {
		t.Errorf("the nodes agree on height %d, the payment is in block %d; want 102", v.Height, p.Height)
	}
	var balance float64
	if err := payee.Node.WalletCall(t.Context(), payee.Wallet, &balance, "getbalance"); err != nil {
		t.Fatal(err)
	}
	if balance != 1.5 {
		t.Errorf("the payee has %v, want 1.5", balance)
	}
}

func TestNodeThatWasDownCatchesUp(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 3})
	payer, payee, mineTo := parties(t, w)
	away := w.Nodes[1]
	for name, end := range map[string]func() error{
		"stopped": func() error { return away.Stop(t.Context()) },
		"killed":  away.Kill,
	} {
		t.Run(name, func(t *testing.T) {
			if err := end(); err != nil {
				t.Fatal(err)
			}
			p, err := w.Pay(within(t, time.Minute), payer, payee, "0.25")
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Confirm(within(t, time.Minute), w.Nodes[2], mineTo, &p); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Nodes[0].Mine(t.Context(), 20, mineTo); err != nil {
				t.Fatal(err)
			}
			if err := away.Start(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
			if err := w.Heal(within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
			v := converged(t, w)
			t.Logf("all three are at height %d", v.Height)
		})
	}
}

func TestSplitConverges(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 4})
	payer, payee, mineTo := parties(t, w)
	//        101 - light1(payment)          n0, n1
	//           \- heavy1 - heavy2 - heavy3    n2, n3
	light, heavy := w.Nodes[:2], w.Nodes[2:]
	if err := w.Cut(within(t, time.Minute), light...); err != nil {
		t.Fatal(err)
	}
	var txid string
	address, err := payee.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := payer.Node.WalletCall(t.Context(), payer.Wallet, &txid, "sendtoaddress", address, 1.5); err != nil {
		t.Fatal(err)
	}
	var block struct {
		Txs []string `json:"tx"`
	}
	lightTip := mine(t, light[0], 1, mineTo)
	call(t, light[0], &block, "getblock", lightTip)
	if !slices.Contains(block.Txs, txid) {
		t.Fatalf("the payment %s is not in the block of its side: %v", txid, block.Txs)
	}
	heavyTip := mine(t, heavy[0], 3, mineTo)
	awaitTip(t, light, lightTip)
	awaitTip(t, heavy, heavyTip)

	if err := w.Heal(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if v := converged(t, w); v.Tip != heavyTip {
		t.Errorf("the nodes agree on %s, want %s with the most work", v.Tip, heavyTip)
	}
	for _, n := range light { // those whose block was undone
		var pool []string
		call(t, n, &pool, "getrawmempool")
		if !slices.Contains(pool, txid) {
			t.Errorf("%s: the undone payment did not return to the pool", n.Name)
		}
	}
	call(t, light[0], &block, "getblock", mine(t, light[0], 1, mineTo))
	if !slices.Contains(block.Txs, txid) {
		t.Errorf("the payment is not in the next block")
	}
	converged(t, w)
}

// mine makes blocks on a node and returns the last one.
func mine(t *testing.T, n *testnet.Node, blocks int, address string) string {
	t.Helper()
	hashes, err := n.Mine(within(t, time.Minute), blocks, address)
	if err != nil {
		t.Fatal(err)
	}
	return hashes[len(hashes)-1]
}

// awaitTip waits until the nodes have a tip.
func awaitTip(t *testing.T, nodes []*testnet.Node, tip string) {
	t.Helper()
	ctx := within(t, time.Minute)
	for _, n := range nodes {
		if err := n.AwaitTip(ctx, tip); err != nil {
			t.Fatal(err)
		}
	}
}
