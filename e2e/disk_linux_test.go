package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"groat/internal/chaintest"
	"groat/internal/moddata"
	"groat/testnet"
)

const mib = 1 << 20

// smallDisk mounts a file system of the given size in memory.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// leave writes a file that takes all of the disk but the given bytes.
func leave(t *testing.T, disk string, bytes int64) {
	t.Helper()
	filler := filepath.Join(disk, "filler")
	if err := os.RemoveAll(filler); err != nil {
		t.Fatal(err)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(disk, &st); err != nil {
		t.Fatal(err)
	}
	if n := int64(st.Bavail)*st.Bsize - bytes; n > 0 {
		if err := os.WriteFile(filler, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk imports into a small disk that has ever more room: at first too little to begin, then too little to
// finish. Each time the import must stop with one clear line, and go on from where it was.
func TestFullDisk(t *testing.T) {
	file := moddata.BitcoinBlocks(t)
	want := importBitcoin(t, file, t.TempDir())
	disk := smallDisk(t, "160m")
	dir := filepath.Join(disk, "data")
	refused, midway := 0, 0
	for room := int64(56 * mib); ; room += 2 * mib {
		leave(t, disk, room)
		r := groat(t, "chain", "import", "--network", "bitcoin", "--datadir", dir, "--flush-every", "200", "--log-level", "error", file)
		if r.code == 0 {
			break
		}
		if strings.Contains(r.stderr, "panic") || !strings.Contains(r.stderr, "disk") || !strings.Contains(r.stderr, dir) || r.code != 1 {
			t.Fatalf("with %d MiB of room: exit code %d: %s", room/mib, r.code, r.stderr)
		}
		refused++
		if !strings.Contains(r.out, "height 0,") && strings.Contains(r.out, "height") {
			midway++
		}
	}
	t.Logf("%d runs stopped, %d of them in the middle", refused, midway)
	if refused == 0 || midway == 0 {
		t.Error("the disk was never full in the middle of an import")
	}
	if got := importBitcoin(t, file, dir); got != want {
		t.Errorf("coins %s, want %s", got, want)
	}
}

// TestFullDiskStopsNode fills the disk under a running node: it answers meanwhile, hands out no address that it cannot store, stops by itself, says why, and goes on
// where it was.
func TestFullDiskStopsNode(t *testing.T) {
	disk := smallDisk(t, "160m")
	w, err := testnet.Start(within(t, time.Minute), testnet.Config{Binary: binary, Nodes: 1, Dir: filepath.Join(disk, "net"), Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	n, to := w.Nodes[0], text(t, chaintest.KeyFor(1).Script(chaintest.P2WPKH))
	mine(t, n, 10, to)
	call(t, n, nil, "createwallet", "w", false, false, "", false, true, true)
	var before, after string
	if err := n.WalletCall(t.Context(), "w", &before, "getnewaddress"); err != nil {
		t.Fatal(err)
	}
	leave(t, disk, 0)
	if err := n.WalletCall(t.Context(), "w", nil, "getnewaddress"); err == nil || !strings.Contains(err.Error(), "disk of") {
		t.Errorf("an address on a full disk: %v", err)
	}
	var height int
	call(t, n, &height, "getblockcount")
	if err := n.Call(t.Context(), nil, "generatetoaddress", 1, to); err == nil {
		t.Error("mined a block on a full disk")
	}
	for ctx := within(t, 20*time.Second); n.Running(); {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the node goes on with a full disk")
		}
	}
	leave(t, disk, 1<<40)
	// The log is on that disk too, so the node's last words may be lost; it says them again when it is started on a disk without room.
	leave(t, disk, mib)
	if err := n.Start(within(t, time.Minute)); err == nil || !strings.Contains(err.Error(), "the disk of "+n.Dir) {
		t.Errorf("started on a full disk: %v", err)
	}
	if log := tail(filepath.Join(n.Dir, "log"), 3); strings.Contains(log, "panic") || strings.Contains(log, "SIGBUS") {
		t.Errorf("the node's last words: %s", log)
	}
	leave(t, disk, 1<<40)
	if err := n.Start(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if call(t, n, &height, "getblockcount"); height != 10 {
		t.Errorf("height %d after the disk was full, want 10", height)
	}
	if err := n.WalletCall(t.Context(), "w", &after, "getnewaddress"); err != nil || after == before {
		t.Errorf("an address after it: %s, %v", after, err)
	}
	mine(t, n, 1, to)
}

// A disk that may only be read is named by every command that would write, in one line.
func TestReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t, "96m")
	dir := filepath.Join(disk, "data")
	blocks := emptyFile(t)
	flags := []string{"--network", "regtest", "--datadir", dir, "--log-level", "error"}
	commands := map[string][]string{"import": {"chain", "import", blocks}, "node": {"node", "--rpc-listen", "127.0.0.1:0"}, "rebuild": {"chain", "rebuild"}, "verify": {"chain", "verify"}}
	refused := func(names ...string) {
		t.Helper()
		if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			groat(t, append(commands[name], flags...)...).wantError(t, 1, dir, "read-only file system", "--datadir")
		}
		if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT, ""); err != nil {
			t.Fatal(err)
		}
	}
	refused("import", "node")
	if r := groat(t, append(commands["import"], flags...)...); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	refused("import", "node", "rebuild", "verify")
}
