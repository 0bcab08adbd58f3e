package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"groat/testnet"
)

// stopTime is how long a node may take to stop.
const stopTime = time.Minute

// The figures below depend on what else the machine does, so only much worse ones fail.
const (
	readyLimit = 5 * time.Second // aim: 1 s
	idleLimit  = 100 << 20
)

func TestReadyAndIdle(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 1})
	n := w.Nodes[0]
	t.Logf("ready for RPC %v after the start on an empty directory", n.ReadyIn())
	if n.ReadyIn() > readyLimit {
		t.Errorf("ready after %v, want 1 s", n.ReadyIn())
	}
	if rss, ok := memoryOf(n, "VmRSS"); ok {
		t.Logf("idle with %d MB of memory", rss>>20)
		if rss > idleLimit {
			t.Errorf("an idle node takes %d MB, want less than 100", rss>>20)
		}
	}
	if err := n.Stop(within(t, stopTime)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := n.Start(within(t, stopTime)); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready %v after the second start", time.Since(begin))
}

func TestLinkedNodesIdle(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 4, Discovery: true})
	mine(t, w.Nodes[0], 10, demoAddress)
	converged(t, w)
	for _, n := range w.Nodes {
		if rss, ok := memoryOf(n, "VmRSS"); ok && rss > idleLimit {
			t.Errorf("%s takes %d MB with nothing to do, want less than 100", n.Name, rss>>20)
		}
	}
}

// memoryOf returns how many bytes of memory a node has (VmRSS) or had at most (VmHWM), where the system tells.
func memoryOf(n *testnet.Node, field string) (bytes int64, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Endpoint().PID))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, field+": %d kB", &kib); n == 1 {
			return kib << 10, true
		}
	}
	return 0, false
}
