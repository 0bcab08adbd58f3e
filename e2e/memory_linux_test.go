package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/loadchain"
	"groat/testnet"
)

// cacheMiB is what the nodes here get for coins and database.
const cacheMiB = 32

// budget is what a process may take with a chain of so many blocks while its pool is empty.
func budget(blocks int) int64 { return cacheMiB<<20 + 100_000_000 + 200*int64(blocks) }

// TestMemoryOfALongChain holds a process to its memory however many blocks there are. GROAT_SOAK counts thousands of them.
func TestMemoryOfALongChain(t *testing.T) {
	s := loadchain.Growth{Params: consensus.Regtest(), Blocks: 1_000 * soak(t, 20), Coins: 1, Last: time.Now()}
	n := importWithin(t, s)
	idle := anonymous(t, n.Endpoint().PID)
	t.Logf("idle with %d blocks: %d MB", s.Blocks, idle/1e6)
	if idle > idleLimit+200*int64(s.Blocks) {
		t.Errorf("with %d blocks a node idles with %d MB", s.Blocks, idle/1e6)
	}
}

// TestMemoryOfManyCoins does so with more coins than fit into their cache, spent at all ages, in an import and in a download. GROAT_SOAK counts blocks.
func TestMemoryOfManyCoins(t *testing.T) {
	s := loadchain.Growth{Params: consensus.Regtest(), Blocks: soak(t, 120), Coins: 5_000, Spends: 1_000, Last: time.Now()}
	n := importWithin(t, s)
	var tip string
	call(t, n, &tip, "getbestblockhash")
	late := start(t, testnet.Config{Nodes: 1, Flags: []string{"--dbcache", fmt.Sprint(cacheMiB), "--peer", n.Endpoint().Listen[0]}}).Nodes[0]
	most := watchMemory(t, late.Endpoint().PID)
	if err := late.AwaitTip(within(t, 30*time.Minute), tip); err != nil {
		t.Fatal(err)
	}
	checkMemory(t, "download", most(), s.Blocks)
}

// importWithin imports a chain, watching the memory, and returns a node that has it.
func importWithin(t *testing.T, s loadchain.Growth) *testnet.Node {
	t.Helper()
	file, dir := filepath.Join(t.TempDir(), "long.dat"), t.TempDir()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	err = loadchain.Grow(s, func(b *consensus.Block) error { return blockfile.Write(w, s.Params, b.Raw()) })
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	cache := fmt.Sprint(cacheMiB)
	cmd := exec.CommandContext(within(t, 30*time.Minute), binary,
		"chain", "import", "--network", "regtest", "--datadir", filepath.Join(dir, "n0"), "--dbcache", cache, file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	most := watchMemory(t, cmd.Process.Pid)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	checkMemory(t, "import", most(), s.Blocks)
	return start(t, testnet.Config{Nodes: 1, Dir: dir, Flags: []string{"--dbcache", cache}}).Nodes[0]
}

func checkMemory(t *testing.T, what string, most int64, blocks int) {
	t.Helper()
	t.Logf("%s of %d blocks: at most %d MB of %d", what, blocks, most/1e6, budget(blocks)/1e6)
	if most > budget(blocks) {
		t.Errorf("%s of %d blocks takes %d MB of memory, more than %d", what, blocks, most/1e6, budget(blocks)/1e6)
	}
}

// watchMemory looks at the memory of a process again and again, until the result is called, which returns the most.
func watchMemory(t *testing.T, pid int) (stop func() int64) {
	t.Helper()
	done, result := make(chan struct{}), make(chan int64, 1)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		most := int64(0)
		for {
			most = max(most, anonymous(t, pid))
			select {
			case <-tick.C:
			case <-done:
				result <- most
				return
			}
		}
	}()
	return func() int64 {
		close(done)
		return <-result
	}
}

// anonymous returns the memory of a process that nobody else can have; zero if it has ended. Pages of files are the system's to take back.
func anonymous(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}
