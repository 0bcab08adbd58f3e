package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/rpc/client"
	"groat/testnet"
)

// longStory returns a file with 360 blocks of some 8,000 bytes.
func longStory(t *testing.T) (file, tip string) {
	t.Helper()
	g := chaintest.New(t, consensus.Regtest())
	large := chaintest.Coinbase(func(tx *wire.MsgTx) {
		for range 8 { // coins that cannot be spent are not kept, but their blocks are
			tx.AddTxOut(wire.NewTxOut(0, append([]byte{0x6a, 0x4d, 0xe8, 0x03}, make([]byte, 1000)...)))
		}
	})
	parent := "genesis"
	for n := range 360 {
		name := "n" + strconv.Itoa(n)
		g.Block(parent, name, large)
		parent = name
	}
	return write(t, "long.dat", storyBlocks(t, g, parent)), g.At(parent).State.Hash.String()
}

// TestPrune imports into a directory that keeps one MiB of blocks, killed while it removes files, and runs a node on it.
func TestPrune(t *testing.T) {
	file, tip := longStory(t)
	dir := t.TempDir()
	args := []string{"chain", "import", "--network", "regtest", "--datadir", dir, "--prune", "1", "--flush-every", "20"}
	for _, point := range []string{"prune-after-index", "prune-after-file", "prune-after-file:2"} {
		cmd := exec.Command(binary, append(args, "--crash-at", point, file)...)
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("not killed at %s: %v", point, err)
		}
		if r := groat(t, "chain", "verify", "--network", "regtest", "--datadir", dir); r.code != 0 {
			t.Fatalf("after %s: %+v", point, r)
		}
	}
	if r := groat(t, append(args, file)...); r.code != 0 || !strings.Contains(r.out, tip) {
		t.Fatalf("import: %+v", r)
	}
	groat(t, "chain", "rebuild", "--network", "regtest", "--datadir", dir).wantError(t, 1, "pruned", "cannot be rebuilt", "sync again")
	groat(t, "chain", "verify", "--deep", "--network", "regtest", "--datadir", dir).wantError(t, 1, "pruned", "--deep")
	groat(t, "chain", "export", "--network", "regtest", "--datadir", dir, filepath.Join(t.TempDir(), "x.dat")).wantError(t, 1, "pruned")
	groat(t, "node", "--network", "testnet", "--datadir", t.TempDir(), "--prune", "100").wantError(t, 2, "--prune", "550")

	w := start(t, testnet.Config{Nodes: 1, Flags: []string{"--prune", "1"}})
	n := w.Nodes[0]
	if err := n.Stop(within(t, stopTime)); err != nil {
		t.Fatal(err)
	}
	if r := groat(t, "chain", "import", "--network", "regtest", "--datadir", n.Dir, "--prune", "1", file); r.code != 0 {
		t.Fatalf("import: %+v", r)
	}
	for range 2 {
		if err := n.Start(within(t, stopTime)); err != nil {
			t.Fatal(err)
		}
		checkPruned(t, n, tip)
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPrunedPeer syncs from a node that has the last blocks only. Who needs no others gets them; who does gets the headers, and the blocks when somebody
// else comes who has them. Nobody is blamed.
func TestPrunedPeer(t *testing.T) {
	file, tip := longStory(t)
	w := start(t, testnet.Config{Nodes: 4})
	pruned, near, far, whole := w.Nodes[0], w.Nodes[1], w.Nodes[2], w.Nodes[3]
	for _, n := range w.Nodes {
		if err := n.Stop(within(t, stopTime)); err != nil {
			t.Fatal(err)
		}
	}
	near300 := exportedTo(t, file, 300)
	for _, c := range []struct {
		n     *testnet.Node
		file  string
		flags []string
	}{{pruned, file, []string{"--prune", "1"}}, {near, near300, nil}, {whole, file, nil}} {
		args := append([]string{"chain", "import", "--network", "regtest", "--datadir", c.n.Dir}, c.flags...)
		if r := groat(t, append(args, c.file)...); r.code != 0 {
			t.Fatalf("import: %+v", r)
		}
	}
	for _, n := range []*testnet.Node{pruned, near, far} {
		if err := n.Start(within(t, stopTime)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []*testnet.Node{near, far} {
		call(t, n, nil, "addnode", pruned.Endpoint().Listen[0], "add")
	}
	if err := near.AwaitTip(within(t, time.Minute), tip); err != nil {
		t.Fatal(err)
	}
	var info struct{ Blocks, Headers int }
	for ctx := within(t, time.Minute); info.Headers != 360; {
		if call(t, far, &info, "getblockchaininfo"); ctx.Err() != nil {
			t.Fatalf("the headers did not come: %+v", info)
		}
	}
	if err := whole.Start(within(t, stopTime)); err != nil {
		t.Fatal(err)
	}
	call(t, far, nil, "addnode", whole.Endpoint().Listen[0], "add")
	if err := far.AwaitTip(within(t, time.Minute), tip); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*testnet.Node{pruned, near, far} {
		var bans []any
		if call(t, n, &bans, "listbanned"); len(bans) > 0 {
			t.Errorf("%s has banned %v", n.Name, bans)
		}
	}
}

// exportedTo returns a file with the blocks of another one, which is a chain from the first block on, up to a height.
func exportedTo(t *testing.T, file string, height int) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	magic := consensus.Regtest().Magic
	records := bytes.SplitAfterN(raw, magic[:], height+2) // before the first, and up to each magic
	return write(t, "part.dat", bytes.TrimSuffix(bytes.Join(records[:height+1], nil), magic[:]))
}

// checkPruned checks what a node says that has pruned the long story.
func checkPruned(t *testing.T, n *testnet.Node, tip string) {
	t.Helper()
	var info struct {
		Best      string `json:"bestblockhash"`
		Pruned    bool   `json:"pruned"`
		Height    int    `json:"pruneheight"`
		Automatic bool   `json:"automatic_pruning"`
		Target    int    `json:"prune_target_size"`
	}
	call(t, n, &info, "getblockchaininfo")
	if info.Best != tip || !info.Pruned || info.Height < 20 || info.Height > 360-288 || !info.Automatic || info.Target != 1<<20 {
		t.Errorf("getblockchaininfo: %+v", info)
	}
	var hash, raw string
	call(t, n, &hash, "getblockhash", 5)
	var answer *client.Error
	if err := n.Call(t.Context(), &raw, "getblock", hash, 0); !errors.As(err, &answer) || answer.Code != -1 || answer.Message != "Block not available (pruned data)" {
		t.Errorf("a pruned block: %v", err)
	}
	call(t, n, &hash, "getblockhash", info.Height)
	call(t, n, &raw, "getblock", hash, 0)

	// A wallet that wants to look through what is gone is told so, and nothing else comes of it.
	name := "w" + strconv.Itoa(n.Endpoint().PID)
	call(t, n, nil, "createwallet", name)
	if err := n.WalletCall(t.Context(), name, nil, "rescanblockchain", 0); !errors.As(err, &answer) || answer.Code != -1 || !strings.HasPrefix(answer.Message, "Can't rescan beyond pruned data.") {
		t.Errorf("rescan: %v", err)
	}
	if err := n.WalletCall(t.Context(), name, nil, "rescanblockchain", info.Height); err != nil {
		t.Errorf("rescan of what is there: %v", err)
	}
	var offers struct {
		Services []string `json:"localservicesnames"`
	}
	if call(t, n, &offers, "getnetworkinfo"); !slices.Equal(offers.Services, []string{"WITNESS", "NETWORK_LIMITED"}) {
		t.Errorf("it offers %v", offers.Services)
	}
	call(t, n, &raw, "getblock", hash, 0)
}
