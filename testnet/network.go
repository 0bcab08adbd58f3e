package testnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config says which network to start.
type Config struct {
	Binary    string   // the groat to run
	Nodes     int      // how many
	Dir       string   // holds a directory for each node; "" for a new one among the system's temporary files
	Keep      bool     // Close leaves the files of the nodes; else it removes them
	Discovery bool     // nodes look for each other, told only of the first. Else each is linked to those before it, and to no other
	Detach    bool     // the nodes outlive this process
	Flags     []string // more flags of every node
}

// Check says what is wrong with the configuration.
func (c Config) Check() error {
	switch {
	case c.Binary == "":
		return errors.New("no groat binary was named")
	case c.Nodes < 1 || c.Nodes > maxNodes:
		return fmt.Errorf("%d nodes are not possible: take 1 to %d", c.Nodes, maxNodes)
	}
	return nil
}

// maxNodes bounds a network by what one machine carries.
const maxNodes = 100

// Network is a running network of nodes.
type Network struct {
	Dir   string
	Nodes []*Node

	keep bool // Close leaves the files
}

// Start starts a network and waits until every node is ready and linked. If that fails nothing is left running.
func Start(ctx context.Context, config Config) (*Network, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	w := &Network{Dir: config.Dir, keep: config.Keep}
	if w.Dir == "" {
		dir, err := os.MkdirTemp("", "groat-testnet-")
		if err != nil {
			return nil, fmt.Errorf("create a directory for the network: %w", err)
		}
		w.Dir = dir
	}
	for i := range config.Nodes {
		name := fmt.Sprintf("n%d", i)
		w.Nodes = append(w.Nodes, &Node{Name: name, Dir: filepath.Join(w.Dir, name), config: config})
	}
	err := w.start(ctx, config)
	if err == nil {
		err = w.link(ctx, config)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// start starts the nodes. With discovery the first one is the place where the others begin to look.
func (w *Network) start(ctx context.Context, config Config) error {
	var boot []string
	others := w.Nodes
	if config.Discovery {
		if err := w.Nodes[0].Start(ctx); err != nil {
			return err
		}
		for _, addr := range w.Nodes[0].Endpoint().Listen {
			boot = append(boot, "--peer", addr)
		}
		others = w.Nodes[1:]
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range others {
		group.Go(func() error { return n.Start(ctx, boot...) })
	}
	return group.Wait()
}

// link links the nodes, or waits until they have found each other.
func (w *Network) link(ctx context.Context, config Config) error {
	want := len(w.Nodes) - 1
	if config.Discovery {
		want = min(want, 2) // so that the first node is not needed any more
	} else {
		if err := w.dialAll(ctx, w.Nodes); err != nil {
			return err
		}
		want = min(want, linksEach)
	}
	for _, n := range w.Nodes {
		if err := n.AwaitPeers(ctx, want); err != nil {
			return err
		}
	}
	return nil
}

// linksEach is how many of the nodes before it each node dials.
const linksEach = 8

// dialAll tells each node to dial, and keep, the ones before it.
func (w *Network) dialAll(ctx context.Context, nodes []*Node) error {
	for i, n := range nodes {
		for _, m := range nodes[max(0, i-linksEach):i] {
			if err := ignore(n.Call(ctx, nil, "addnode", m.Endpoint().Listen[0], "add"), codeNodeAdded); err != nil {
				return err
			}
		}
	}
	return nil
}

// AwaitPeers waits until the node has at least want peers.
func (n *Node) AwaitPeers(ctx context.Context, want int) error {
	var have int
	err := poll(ctx, func() (bool, error) {
		err := n.Call(ctx, &have, "getconnectioncount")
		return have >= want, err
	})
	if err != nil {
		return fmt.Errorf("%s has %d peers, not %d: %w", n.Name, have, want, err)
	}
	return nil
}

// Close stops all nodes and removes their files unless they were to be kept.
func (w *Network) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	errs := make([]error, len(w.Nodes))
	var group sync.WaitGroup
	for i, n := range w.Nodes {
		group.Go(func() { errs[i] = n.Stop(ctx) })
	}
	group.Wait()
	errs = append(errs, w.remove())
	return errors.Join(errs...)
}

// remove removes what the network made in its directory, and then the directory if nothing else is in it.
func (w *Network) remove() error {
	err := os.Remove(filepath.Join(w.Dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if w.keep {
		return err
	}
	for _, n := range w.Nodes {
		err = errors.Join(err, os.RemoveAll(n.Dir))
	}
	if left, e := os.ReadDir(w.Dir); e == nil && len(left) == 0 {
		err = errors.Join(err, os.Remove(w.Dir))
	}
	return err
}

// running returns the nodes that run.
func (w *Network) running() []*Node {
	return slices.DeleteFunc(slices.Clone(w.Nodes), func(n *Node) bool { return !n.Running() })
}

// poll asks again and again until the answer is yes, an error, or ctx ends.
func poll(ctx context.Context, ask func() (bool, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		yes, err := ask()
		if err != nil || yes {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
