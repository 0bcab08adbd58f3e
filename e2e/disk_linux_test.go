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

// TestFullDiskStopsNode fills the disk under a running node: it stops by itself, says why, and goes on where it was.
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
	leave(t, disk, mib)
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
	if log := tail(filepath.Join(n.Dir, "log"), 3); !strings.Contains(log, "the disk of "+n.Dir) || strings.Contains(log, "panic") {
		t.Errorf("the node's last words: %s", log)
	}
	leave(t, disk, 1<<40)
	if err := n.Start(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	var height int
	call(t, n, &height, "getblockcount")
	if height != 10 {
		t.Errorf("height %d after the disk was full, want 10", height)
	}
	mine(t, n, 1, to)
}
