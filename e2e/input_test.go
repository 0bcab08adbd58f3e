package e2e

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"groat/testnet"
)

// write writes a file for a test and returns its path.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsedPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	groat(t, "node", "--network", "regtest", "--datadir", t.TempDir(), "--rpc-listen", "127.0.0.1:"+port).
		wantError(t, 1, "127.0.0.1:"+port, "in use", "--rpc-listen")
}

func TestUsedPeerPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := "/ip4/127.0.0.1/tcp/" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	r := groat(t, "node", "--network", "regtest", "--datadir", t.TempDir(), "--rpc-listen", "127.0.0.1:0", "--p2p-listen", addr, "--log-level", "error")
	r.wantError(t, 1, addr, "in use", "--p2p-listen")
}

func TestSecondProcessOnDataDirectory(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 1})
	n := w.Nodes[0]
	pid := strconv.Itoa(n.Endpoint().PID)
	groat(t, "node", "--network", "regtest", "--datadir", n.Dir, "--rpc-listen", "127.0.0.1:0").
		wantError(t, 1, "another groat (pid "+pid+")", n.Dir, "--datadir")
	groat(t, "chain", "export", "--network", "regtest", "--datadir", n.Dir, filepath.Join(t.TempDir(), "blocks.dat")).
		wantError(t, 1, "another groat (pid "+pid+")")
	var height int
	call(t, n, &height, "getblockcount") // the first one goes on
}

func TestBadConfiguration(t *testing.T) {
	dir := t.TempDir()
	node := func(config string) result {
		return groat(t, "node", "--network", "regtest", "--datadir", dir, "--rpc-listen", "127.0.0.1:0", "--config", config)
	}
	node(filepath.Join(dir, "absent.toml")).wantError(t, 1, "absent.toml", "cannot be read", "--config")
	node(write(t, "a.toml", []byte("max-peers = 8\nno-such-key = 1\n"))).wantError(t, 2, "a.toml line 2", `unknown key "no-such-key"`)
	node(write(t, "b.toml", []byte("max-peers = 8\n= oops\n"))).wantError(t, 2, "b.toml line 2")
	node(write(t, "c.toml", []byte("max-peers = \"many\"\n"))).wantError(t, 2, "c.toml line 1", "max-peers")
}

func TestUnusablePlaces(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "file", nil)
	node := func(flags ...string) result {
		return groat(t, append([]string{"node", "--network", "regtest", "--rpc-listen", "127.0.0.1:0"}, flags...)...)
	}
	node("--datadir", file).wantError(t, 1, "data directory", "--datadir")
	node("--datadir", "").wantError(t, 2, "--datadir")
	node("--datadir", dir, "--log-file", filepath.Join(file, "log")).wantError(t, 1, "log file", "--log-file")
	node("--datadir", dir, "--log-file", dir).wantError(t, 1, "log file", "directory", "--log-file")
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the directory that was named as log file was moved: %v", err)
	}
}

func TestDataDirectoryOfAnotherKind(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "regtest"), 0o700); err != nil {
		t.Fatal(err)
	}
	marker := filepath.Join(dir, "regtest", "groat.json")
	try := func(content string) result {
		if err := os.WriteFile(marker, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return groat(t, "node", "--network", "regtest", "--datadir", dir, "--rpc-listen", "127.0.0.1:0")
	}
	try(`{"network":"testnet","genesis":"00","version":1}`).wantError(t, 1, "belongs to network testnet", "--datadir")
	try(`{"network":"regtest","genesis":"00","version":99}`).wantError(t, 1, "newer groat", "--datadir")
	try(`{`).wantError(t, 1, "groat.json is damaged")
}

// exported returns the blocks of a short regtest chain as a file holds them.
func exported(t *testing.T) []byte {
	t.Helper()
	w := start(t, testnet.Config{Nodes: 1})
	parties(t, w)
	if err := w.Nodes[0].Stop(within(t, stopTime)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "blocks.dat")
	if r := groat(t, "chain", "export", "--network", "regtest", "--datadir", w.Nodes[0].Dir, file); r.code != 0 || !strings.Contains(r.out, "102 blocks") {
		t.Fatalf("export: exit code %d\n%s%s", r.code, r.out, r.stderr)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestImportOfBadFiles(t *testing.T) {
	good := exported(t)
	third := len(good) / 3
	noise := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(noise) // it never fails
	otherNetwork := bytes.ReplaceAll(good, good[:4], []byte{0xf9, 0xbe, 0xb4, 0xd9})
	damaged := bytes.Clone(good)
	damaged[len(good)-60] ^= 1 // in an output of the last block

	tests := []struct {
		name   string
		data   []byte
		height string // that is reached all the same; "" for none
		words  []string
	}{
		{"truncated.dat", good[:len(good)-10], "height 100", []string{"cut off", "get the whole file"}},
		{"noise.dat", noise, "", []string{"no block file"}},
		{"network.dat", otherNetwork, "", []string{"network bitcoin, not of regtest", "--network bitcoin"}},
		{"torn.dat", append(bytes.Clone(good), noise...), "height 101", []string{"no block begins at byte", "good copy"}},
		{"damaged.dat", damaged, "height 100", []string{"is invalid", "bad-txnmrklroot"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			r := importFile(t, dir, write(t, test.name, test.data))
			r.wantError(t, 1, append(test.words, test.name)...)
			if test.height != "" && !strings.Contains(r.out, test.height) {
				t.Errorf("want %s, got %s", test.height, r.out)
			}
			// A good copy goes on from there.
			again := importFile(t, dir, write(t, "good.dat", good))
			if again.code != 0 || !strings.Contains(again.out, "height 101") {
				t.Errorf("the good file: exit code %d\n%s%s", again.code, again.out, again.stderr)
			}
		})
	}
	t.Run("absent", func(t *testing.T) {
		importFile(t, t.TempDir(), "/nowhere/blocks.dat").wantError(t, 1, "/nowhere/blocks.dat", "cannot be read")
	})
	t.Run("order", func(t *testing.T) { // of arrival, as Bitcoin's own files have it; zeros end the file
		r := importFile(t, t.TempDir(), write(t, "second.dat", append(bytes.Clone(good[blockAfter(good, third):]), make([]byte, 100)...)), write(t, "first.dat", good[:blockAfter(good, third)]))
		if r.code != 0 || !strings.Contains(r.out, "height 101") {
			t.Errorf("exit code %d\n%s%s", r.code, r.out, r.stderr)
		}
	})
}

// importFile imports files into dir.
func importFile(t *testing.T, dir string, files ...string) result {
	t.Helper()
	return groat(t, append([]string{"chain", "import", "--network", "regtest", "--datadir", dir}, files...)...)
}

// blockAfter returns where the first block at or after a place of a file begins.
func blockAfter(file []byte, place int) int {
	return place + bytes.Index(file[place:], file[:4])
}

func TestRPCExitCodes(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 1})
	rpc := func(args ...string) result {
		return groat(t, append([]string{"rpc", "--network", "regtest", "--datadir", w.Nodes[0].Dir}, args...)...)
	}
	if r := rpc("getblockcount"); r.code != 0 || r.out != "0\n" {
		t.Errorf("a number: %+v", r)
	}
	if r := rpc("getbestblockhash"); r.code != 0 || r.out != "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206\n" {
		t.Errorf("a string: %+v", r)
	}
	if r := rpc("getblockheader", "verbose=false", "blockhash=0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"); r.code != 0 || len(r.out) != 161 {
		t.Errorf("arguments by name: %+v", r)
	}
	if r := rpc("getblockhash", "5"); r.code != 1 || r.stderr != "error code: -8\nerror message:\nBlock height out of range\n" {
		t.Errorf("an RPC error: %+v", r)
	}
	rpc().wantError(t, 2, "METHOD")
	rpc("--rpc-user", "nobody", "--rpc-password", "wrong", "uptime").wantError(t, 4, "login")
	rpc("--rpc-url", "http://127.0.0.1:1", "uptime").wantError(t, 3, "groat node")
}
