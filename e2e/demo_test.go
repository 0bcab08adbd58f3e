package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDemo(t *testing.T) {
	temp := t.TempDir()
	r := groatEnv(t, []string{"TMPDIR=" + temp}, "testnet", "up", "--nodes", "5", "--demo", "--block-interval", "500ms")
	if r.code != 0 || !strings.Contains(r.out, "proved: 5 real nodes") {
		t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.stderr)
	}
	t.Log("\n" + r.out)
	nothingLeft(t, temp)
}

func TestInterruptLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	up, lines := upInBackground(t, temp)
	awaitLine(t, lines, "all nodes are linked")
	pids := processesIn(t, temp)
	if len(pids) != 2 {
		t.Fatalf("%d nodes run, not 2", len(pids))
	}
	if err := up.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range lines {
		continue // until it has ended
	}
	if err := up.Wait(); err != nil {
		t.Errorf("an interrupted network ends with %v", err)
	}
	nothingLeft(t, temp)
	awaitEnd(t, pids)
}

func TestNodesEndWithTheirLauncher(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends the children of a process that was killed")
	}
	temp := t.TempDir()
	up, lines := upInBackground(t, temp)
	awaitLine(t, lines, "all nodes are linked")
	pids := processesIn(t, temp)
	if err := up.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, pids)
}

func TestDetachedNetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	up := groat(t, "testnet", "up", "--nodes", "3", "--detach", "--dir", dir, "--block-interval", "100ms")
	t.Cleanup(func() { groat(t, "testnet", "down", "--dir", dir) })
	if up.code != 0 {
		t.Fatalf("up: %s%s", up.out, up.stderr)
	}
	pids := processesIn(t, dir)
	groat(t, "testnet", "up", "--nodes", "3", "--detach", "--dir", dir).wantError(t, 1, "runs in "+dir+" already", "testnet down")
	status := groat(t, "testnet", "status", "--dir", dir)
	if status.code != 0 || strings.Count(status.out, "\n") != 4 {
		t.Errorf("status: exit code %d\n%s%s", status.code, status.out, status.stderr)
	}
	if down := groat(t, "testnet", "down", "--dir", dir); down.code != 0 {
		t.Errorf("down: %s%s", down.out, down.stderr)
	}
	awaitEnd(t, pids)
	groat(t, "testnet", "status", "--dir", dir).wantError(t, 1, "no test network", "testnet up")
}

// upInBackground starts "testnet up" with two nodes below temp and returns the lines it prints. It is ended with the test.
func upInBackground(t *testing.T, temp string) (*exec.Cmd, <-chan string) {
	t.Helper()
	up := exec.CommandContext(within(t, 2*time.Minute), binary, "testnet", "up", "--nodes", "2")
	up.Env = append(os.Environ(), "TMPDIR="+temp)
	up.Stderr = os.Stderr
	out, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			select {
			case lines <- scan.Text():
			case <-t.Context().Done():
				return
			}
		}
	}()
	return up, lines
}

// awaitLine waits for a line that holds the words.
func awaitLine(t *testing.T, lines <-chan string, words string) {
	t.Helper()
	for line := range lines {
		if strings.Contains(line, words) {
			return
		}
	}
	t.Fatalf("it ended without a line that says %q", words)
}

// processesIn returns the nodes whose locks lie below dir.
func processesIn(t *testing.T, dir string) []int {
	t.Helper()
	var pids []int
	for _, pattern := range []string{"*/regtest/.lock", "*/*/regtest/.lock"} {
		locks, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, lock := range locks {
			data, err := os.ReadFile(lock)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// awaitEnd waits until the processes are gone.
func awaitEnd(t *testing.T, pids []int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	ctx := within(t, 20*time.Second)
	for _, pid := range pids {
		for alive(pid) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("process %d is still there", pid)
			}
		}
	}
}

// alive reports whether a process is there and has not ended.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil || p.Signal(syscall.Signal(0)) != nil {
		return false
	}
	// Nobody may have waited for it yet: then it has ended all the same.
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

// nothingLeft demands that a directory is empty.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("left behind: %s", entry.Name())
	}
}
