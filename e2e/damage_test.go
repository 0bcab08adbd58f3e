package e2e

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"groat/testnet"
)

// TestDataDirectoryThatIsNone names what cannot be a data directory, or what a part of it cannot be. Each is refused in one line, which says where.
func TestDataDirectoryThatIsNone(t *testing.T) {
	blocks := emptyFile(t)
	for name, place := range map[string]string{"the directory itself": "", "of the network": "regtest", "of the database": "regtest/db", "of the blocks": "regtest/blocks", "of the wallets": "regtest/wallets"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			bad := filepath.Join(dir, place)
			if err := os.MkdirAll(filepath.Dir(bad), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(bad, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			flags := []string{"--network", "regtest", "--datadir", dir, "--log-level", "error"}
			groat(t, append([]string{"node", "--rpc-listen", "127.0.0.1:0", "--p2p-listen", "/ip4/127.0.0.1/tcp/0"}, flags...)...).
				wantError(t, 1, bad, "not a directory")
			if place != "regtest/wallets" {
				groat(t, append(append([]string{"chain", "import"}, flags...), blocks)...).wantError(t, 1, bad, "not a directory")
			}
		})
	}
}

// emptyFile returns a file of blocks in which there are none.
func emptyFile(t *testing.T) string { return write(t, "none.dat", make([]byte, 8)) }

// A link to a directory is as good as the directory, and both are one.
func TestDataDirectoryByLink(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 1})
	n := w.Nodes[0]
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(n.Dir, link); err != nil {
		t.Skipf("needs the right to make links: %v", err)
	}
	pid := strconv.Itoa(n.Endpoint().PID)
	groat(t, "chain", "verify", "--network", "regtest", "--datadir", link).wantError(t, 1, "another groat (pid "+pid+")")
	if err := n.Stop(within(t, stopTime)); err != nil {
		t.Fatal(err)
	}
	if r := groat(t, "chain", "verify", "--network", "regtest", "--datadir", link); r.code != 0 {
		t.Errorf("%+v", r)
	}
	if err := os.Symlink(filepath.Join(t.TempDir(), "nowhere"), link+"2"); err != nil {
		t.Fatal(err)
	}
	groat(t, "chain", "import", "--network", "regtest", "--datadir", link+"2", emptyFile(t)).wantError(t, 1, link+"2")
}

// damage does one thing to one file of dir that can happen to files, and says what.
func damage(t *testing.T, dir string, random *rand.Rand) string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := files[random.IntN(len(files))]
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	what := []string{"flipped", "cut", "emptied", "zeroed", "removed"}[random.IntN(5)]
	switch at := random.IntN(len(raw) + 1); {
	case what == "removed":
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return what + " " + path
	case what == "flipped" && at < len(raw):
		raw[at] ^= 1 << random.IntN(8)
	case what == "cut":
		raw = raw[:at]
	case what == "emptied":
		raw = nil
	case what == "zeroed":
		clear(raw[at:])
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return what + " " + path
}

// TestDamagedNode damages one file of a stopped node, whichever it may be. The node starts all the same, or says in its last line what is damaged and what
// to do. If it starts, its tip is one it had, and it goes on or stops saying so.
func TestDamagedNode(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 1, Flags: []string{"--log-level", "error"}})
	n := w.Nodes[0]
	call(t, n, nil, "createwallet", "w", false, false, "", false, true, true)
	var to string
	if err := n.WalletCall(t.Context(), "w", &to, "getnewaddress"); err != nil {
		t.Fatal(err)
	}
	tips, err := n.Mine(within(t, time.Minute), 12, to)
	if err != nil {
		t.Fatal(err)
	}
	call(t, n, nil, "setban", "192.0.2.0/24", "add")
	if err := n.Stop(within(t, stopTime)); err != nil {
		t.Fatal(err)
	}
	dir, good := filepath.Join(n.Dir, "regtest"), copyDir(t, n.Dir)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 5))
	started, refused := 0, 0
	for range soak(t, 20) {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(good, "regtest"))); err != nil {
			t.Fatal(err)
		}
		what := damage(t, dir, random)
		if err := n.Start(within(t, stopTime)); err != nil {
			refused++
			wantAdvice(t, n, what, err)
			continue
		}
		started++
		var tip string
		if err := n.Call(t.Context(), &tip, "getbestblockhash"); err != nil || !slices.Contains(tips, tip) && tip != genesisHash {
			t.Errorf("%s: the tip is %s, %v", what, tip, err)
		}
		if _, err := n.Mine(within(t, time.Minute), 1, to); err != nil {
			wantAdvice(t, n, what, err)
		}
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d started, %d refused to", started, refused)
}

const genesisHash = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"

// wantAdvice demands that the last line of a node's log names damage and what to do about it. What the marker says may have become another network's name.
func wantAdvice(t *testing.T, n *testnet.Node, what string, err error) {
	t.Helper()
	last := tail(filepath.Join(n.Dir, "log"), 1)
	if strings.HasSuffix(what, "groat.json") && strings.Contains(last, "--datadir") {
		return
	}
	advised := strings.Contains(last, "groat chain rebuild") || strings.Contains(last, "remove it") || strings.Contains(last, "delete that file")
	if !strings.Contains(last, "damaged") || !advised {
		t.Errorf("%s: %v; the node ended with %.2000s", what, err, tail(filepath.Join(n.Dir, "log"), 30))
	}
}
