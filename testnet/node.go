package testnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"groat/rpc/client"
)

// pollInterval is how often a state of another process is looked at that nothing announces.
const pollInterval = 10 * time.Millisecond

// Endpoint is where a running node can be reached: what its ready file says.
type Endpoint struct {
	PID    int      `json:"pid"`
	RPC    string   `json:"rpc"`    // URL
	Cookie string   `json:"cookie"` // path of the cookie file
	PeerID string   `json:"peer_id"`
	Listen []string `json:"listen"` // multiaddrs, each with the peer id
}

// Node is one node of a network.
type Node struct {
	Name string // n0, n1, …
	Dir  string // its data directory

	config Config // set once

	mu       sync.Mutex    // guards all below
	run      run           // the present or last one; nil before the first
	endpoint Endpoint      // of the last run that got ready
	readyIn  time.Duration // from its start until it was ready
	client   *client.Client
	ports    []string // flags that take the ports of the last run again
}

// Endpoint returns where the node can be reached, or could while it ran.
func (n *Node) Endpoint() Endpoint {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.endpoint
}

// Client returns a client of the node's RPC server.
func (n *Node) Client() *client.Client {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.client
}

// Call calls an RPC method of the node. The result may be nil.
func (n *Node) Call(ctx context.Context, result any, method string, params ...any) error {
	if err := n.Client().Call(ctx, method, params, result); err != nil {
		return fmt.Errorf("%s: %s: %w", n.Name, method, err)
	}
	return nil
}

// WalletCall calls an RPC method of one of the node's wallets. The result may be nil.
func (n *Node) WalletCall(ctx context.Context, wallet string, result any, method string, params ...any) error {
	if err := n.Client().Wallet(wallet).Call(ctx, method, params, result); err != nil {
		return fmt.Errorf("%s: wallet %s: %s: %w", n.Name, wallet, method, err)
	}
	return nil
}

// Running reports whether the node's process is there.
func (n *Node) Running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.run != nil && n.run.running()
}

// Start starts the node and waits until it is ready. More flags may be given for this run. A node that ran before takes the same
// ports, so that its peers find it again.
func (n *Node) Start(ctx context.Context, flags ...string) error {
	if n.Running() {
		return fmt.Errorf("%s runs already", n.Name)
	}
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	if err := os.Remove(n.readyFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("start %s: remove the ready file of its last run: %w", n.Name, err)
	}
	begin := time.Now()
	p, err := startProcess(n.config.Binary, n.arguments(flags), n.logFile(), n.config.Detach)
	if err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	n.mu.Lock()
	n.run = p
	n.mu.Unlock()
	if err := n.awaitReady(ctx, p); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.readyIn = time.Since(begin)
	return nil
}

// ReadyIn returns how long the node's last start took until it answered.
func (n *Node) ReadyIn() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.readyIn
}

// arguments returns the command line of the next run.
func (n *Node) arguments(flags []string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	args := []string{"node", "--network", "regtest", "--datadir", n.Dir, "--dbcache", "32"} // many nodes share the machine
	if n.ports == nil {
		args = append(args, "--rpc-listen", "127.0.0.1:0", "--p2p-listen", "/ip4/127.0.0.1/tcp/0", "--p2p-listen", "/ip4/127.0.0.1/udp/0/quic-v1")
	}
	args = append(args, n.ports...)
	if !n.config.Discovery {
		args = append(args, "--no-discovery")
	}
	return append(append(args, n.config.Flags...), flags...)
}

// awaitReady waits for the ready file of the run p.
func (n *Node) awaitReady(ctx context.Context, p *process) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		var e Endpoint
		data, err := os.ReadFile(n.readyFile())
		if err == nil && json.Unmarshal(data, &e) == nil && e.PID == p.pid() {
			n.attach(e)
			return nil
		}
		select {
		case <-tick.C:
		case <-p.gone:
			return fmt.Errorf("%s ended while starting: %s", n.Name, n.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s did not get ready: %w; its log is %s", n.Name, ctx.Err(), n.logFile())
		}
	}
}

// attach takes note of where the node answers.
func (n *Node) attach(e Endpoint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.endpoint, n.client = e, client.New(e.RPC, client.CookieFile(e.Cookie))
	n.ports = []string{"--rpc-listen", strings.TrimPrefix(e.RPC, "http://")}
	for _, addr := range e.Listen {
		listen, _, _ := strings.Cut(addr, "/p2p/")
		n.ports = append(n.ports, "--p2p-listen", listen)
	}
}

// Stop ends the node cleanly and waits until it is gone.
func (n *Node) Stop(ctx context.Context) error {
	n.mu.Lock()
	r := n.run
	n.mu.Unlock()
	if r == nil || !r.running() {
		return nil
	}
	err := r.stop(ctx, func(ctx context.Context) error {
		if n.Client() == nil {
			return errors.New("it was not ready yet and was killed")
		}
		return n.Call(ctx, nil, "stop")
	})
	if err != nil {
		return fmt.Errorf("stop %s: %w; its log is %s", n.Name, err, n.logFile())
	}
	return nil
}

// Kill ends the node as a power cut would, without a chance to write anything.
func (n *Node) Kill() error {
	n.mu.Lock()
	r := n.run
	n.mu.Unlock()
	if r == nil || !r.running() {
		return nil
	}
	if err := r.kill(); err != nil {
		return fmt.Errorf("kill %s: %w", n.Name, err)
	}
	return nil
}

func (n *Node) readyFile() string { return filepath.Join(n.Dir, "regtest", "ready.json") }

// logFile returns where the node's output goes.
func (n *Node) logFile() string { return filepath.Join(n.Dir, "log") }

// lastWords returns the last line of the node's log, which says why it ended.
func (n *Node) lastWords() string {
	data, err := os.ReadFile(n.logFile())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], "groat: ")
}
