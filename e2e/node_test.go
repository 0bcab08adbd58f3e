package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"groat/testnet"
)

// demoAddress is anybody's address on regtest, from BIP173.
const demoAddress = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

func TestStopIsClean(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 1})
	n := w.Nodes[0]
	tip := mine(t, n, 5, demoAddress)
	for name, stop := range map[string]func(){
		"signal": func() {
			if err := n.Stop(within(t, stopTime)); err != nil {
				t.Error(err)
			}
		},
		"command": func() {
			if r := groat(t, "node", "stop", "--network", "regtest", "--datadir", n.Dir); r.code != 0 {
				t.Errorf("node stop: %+v", r)
			}
			awaitEnd(t, []int{n.Endpoint().PID})
		},
	} {
		t.Run(name, func(t *testing.T) {
			stop()
			for _, file := range []string{"ready.json", ".cookie"} {
				if _, err := os.Stat(filepath.Join(n.Dir, "regtest", file)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is still there: %v", file, err)
				}
			}
			if r := groat(t, "node", "status", "--network", "regtest", "--datadir", n.Dir, "--rpc-url", n.Endpoint().RPC); r.code != 3 {
				t.Errorf("status of a stopped node: %+v", r)
			}
			if err := n.Start(within(t, stopTime)); err != nil {
				t.Fatal(err)
			}
			if err := n.AwaitTip(within(t, stopTime), tip); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMineFlag(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 1, Flags: []string{"--mine", demoAddress, "--log-format", "json"}})
	begin := time.Now()
	for height := 0; height < 2; {
		call(t, w.Nodes[0], &height, "getblockcount")
		if time.Since(begin) > time.Minute {
			t.Fatal("no blocks are mined")
		}
	}
	if took := time.Since(begin); took < 500*time.Millisecond {
		t.Errorf("two blocks in %v, want one a second at most", took)
	}
	groat(t, "node", "--network", "regtest", "--datadir", t.TempDir(), "--rpc-listen", "127.0.0.1:0", "--mine", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "--log-level", "error").
		wantError(t, 2, "--mine", "no address of network regtest")
}

func TestLogFileAndLogin(t *testing.T) {
	log := filepath.Join(t.TempDir(), "groat.log")
	w := start(t, testnet.Config{Nodes: 1, Flags: []string{"--log-file", log, "--log-format", "json", "--rpc-user", "me", "--rpc-password", "secret"}})
	r := groatEnv(t, []string{"GROAT_RPC_PASSWORD=secret"}, "rpc", "--network", "regtest", "--datadir", w.Nodes[0].Dir, "--rpc-user", "me", "getblockcount")
	if r.code != 0 || r.out != "0\n" {
		t.Errorf("login with user and password: %+v", r)
	}
	if text := tail(log, 5); !strings.Contains(text, `"msg":"ready"`) {
		t.Errorf("the log file holds %s", text)
	}
}

func TestMovedActivation(t *testing.T) {
	moved := map[string]int{"bip34": 10, "bip66": 20, "bip65": 30, "csv": 40, "segwit": 50} // as getdeploymentinfo names them
	var flags []string
	for _, at := range []string{"bip34@10", "dersig@20", "cltv@30", "csv@40", "segwit@50"} {
		flags = append(flags, "--test-activation-height", at)
	}
	w := start(t, testnet.Config{Nodes: 1, Flags: flags})
	n := w.Nodes[0]
	for _, blocks := range []int{0, 9, 20, 19} { // to heights 0, 9, 29, 48
		if blocks > 0 {
			mine(t, n, blocks, demoAddress)
		}
		var info struct {
			Height      int
			Deployments map[string]struct {
				Height int
				Active bool
			}
		}
		call(t, n, &info, "getdeploymentinfo")
		for name, height := range moved {
			if got := info.Deployments[name]; got.Height != height || got.Active != (info.Height+1 >= height) {
				t.Errorf("after block %d %s is %+v", info.Height, name, got)
			}
		}
	}
	var block struct {
		Txs []struct {
			Outs []struct{} `json:"vout"`
		} `json:"tx"`
	}
	for height, outputs := range map[int]int{49: 1, 50: 2} { // the second one commits to the witnesses
		var have int
		if call(t, n, &have, "getblockcount"); have < 50 {
			mine(t, n, 50-have, demoAddress)
		}
		var hash string
		call(t, n, &hash, "getblockhash", height)
		call(t, n, &block, "getblock", hash, 2)
		if got := len(block.Txs[0].Outs); got != outputs {
			t.Errorf("the coinbase at height %d has %d outputs, want %d", height, got, outputs)
		}
	}
}

func TestPeerCommands(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 2})
	peer := func(args ...string) result {
		return groat(t, append([]string{"peer", "--network", "regtest", "--datadir", w.Nodes[1].Dir}, args...)...)
	}
	addr := w.Nodes[0].Endpoint().Listen[0]
	if r := peer("list"); r.code != 0 || !strings.Contains(r.out, w.Nodes[0].Endpoint().PeerID) {
		t.Errorf("list: %+v", r)
	}
	peer("add", addr).wantError(t, 1, "already added")
	if r := peer("remove", addr); r.code != 0 {
		t.Errorf("remove: %+v", r)
	}
	peer("remove", addr).wantError(t, 1, "not been added")
	peer("ban", "nobody").wantError(t, 1, "no peer that is connected")
	if r := peer("ban", w.Nodes[0].Endpoint().PeerID, "--for", "1h"); r.code != 0 {
		t.Error(r.stderr)
	}
	peer("ban", addr).wantError(t, 1, "already banned")
	if r := peer("unban", "127.0.0.1"); r.code != 0 {
		t.Error(r.stderr)
	}
	peer("unban", "127.0.0.1").wantError(t, 1, "not previously")
}
