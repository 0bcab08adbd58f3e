package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"groat/testnet"
)

// newTestnetCommand builds "groat testnet".
func newTestnetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "testnet",
		Short: "Networks of real nodes on this machine",
		Long: `Runs whole networks on this machine: each node is a process of this program on regtest, with its own data
directory and with ports that the system chose.`,
		Example: `  groat testnet up                     five nodes, payments and blocks until Ctrl-C
  groat testnet up --nodes 9 --detach  nine nodes that go on running
  groat testnet status                 what they agree on
  groat testnet down                   stop them and remove their files`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTestnetUpCommand(a), newTestnetStatusCommand(a), newTestnetDownCommand(a))
	return cmd
}

// detachedDir returns the directory of a detached network that was given none.
func (a *app) detachedDir(dir string) (string, error) {
	if dir == "" {
		dir = filepath.Join(a.shared.dataDir, "local")
	}
	return filepath.Abs(dir)
}

// newTestnetUpCommand builds "groat testnet up".
func newTestnetUpCommand(a *app) *cobra.Command {
	var up testnetUp
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a network, mine, pay, and show that all nodes agree",
		Long: `Starts nodes, waits until they have found each other, mines until coins can be spent, lets a wallet on one node
pay a wallet on another, and confirms the payment in a block. Then it makes a block every few seconds until Ctrl-C,
which stops every node and removes its files.

The first payment, its way through the pools of all nodes and into a block, and the ledger they agree on are shown.
With --demo that is all, and the exit code is 0 only if all nodes agree, else 10.`,
		Example: `  groat testnet up
  groat testnet up --nodes 7 --payments 20 --block-interval 1s
  groat testnet up --demo
  groat testnet up --detach --dir ./net && groat testnet status --dir ./net`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return up.run(cmd.Context(), a) },
	}
	f := cmd.Flags()
	f.IntVar(&up.nodes, "nodes", 5, "`number` of nodes")
	f.IntVar(&up.payments, "payments", 1, "`number` of payments before the summary")
	f.DurationVar(&up.interval, "block-interval", 2*time.Second, "`time` between two blocks")
	f.StringVar(&up.dir, "dir", "", "`directory` for the nodes, which is kept (default a temporary one; with --detach DATADIR/local)")
	f.BoolVar(&up.keep, "keep", false, "leave the nodes' files when they stop")
	f.BoolVar(&up.detach, "detach", false, "leave the nodes running; 'groat testnet down' stops them")
	f.BoolVar(&up.demo, "demo", false, "end after the payments with a statement of what was proved")
	f.DurationVar(&up.patience, "timeout", 2*time.Minute, "longest `time` for any one step")
	return cmd
}

// newTestnetStatusCommand builds "groat testnet status".
func newTestnetStatusCommand(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show what the nodes of a network hold, and whether they agree",
		Long:    "Asks every node of a running network for its ledger. The exit code is 0 if all run and agree, else 10.",
		Example: "  groat testnet status\n  groat testnet status --dir ./net",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.openNetwork(dir)
			if err != nil {
				return err
			}
			return a.printStatus(cmd.Context(), w)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "`directory` of the network (default DATADIR/local)")
	return cmd
}

// newTestnetDownCommand builds "groat testnet down".
func newTestnetDownCommand(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop a network",
		Long: `Stops the nodes that 'groat testnet up' started in a directory, and removes their files unless the directory was chosen
with --dir or they were to be kept. It touches no process but those on record, and those only while they still are what they were.`,
		Example: "  groat testnet down\n  groat testnet down --dir ./net",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			w, err := a.openNetwork(dir)
			if err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "stopped %d nodes in %s\n", len(w.Nodes), w.Dir)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "`directory` of the network (default DATADIR/local)")
	return cmd
}

// openNetwork opens the network that runs in dir.
func (a *app) openNetwork(dir string) (*testnet.Network, error) {
	dir, err := a.detachedDir(dir)
	if err != nil {
		return nil, err
	}
	w, err := testnet.Open(dir)
	if errors.Is(err, testnet.ErrNoNetwork) {
		return nil, fmt.Errorf("%w; start one with 'groat testnet up --detach', or name its directory with --dir", err)
	}
	return w, err
}

// printStatus prints the ledgers of all nodes of a network and fails if they differ or a node is down.
func (a *app) printStatus(ctx context.Context, w *testnet.Network) error {
	down := 0
	for _, n := range w.Nodes {
		if !n.Running() {
			down++
			fmt.Fprintf(a.out, "%s does not run (its log: %s)\n", n.Name, filepath.Join(n.Dir, "log"))
		}
	}
	views, err := w.Views(ctx)
	if err != nil {
		return err
	}
	a.printViews(views)
	if down > 0 {
		return withCode(exitAssertion, fmt.Errorf("%d of %d nodes do not run; end the rest with 'groat testnet down'", down, len(w.Nodes)))
	}
	if _, err := testnet.Agreed(views); err != nil {
		return withCode(exitAssertion, err)
	}
	return nil
}

// printViews prints a table of ledgers.
func (a *app) printViews(views []testnet.View) {
	table := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "node\theight\ttip\tpeers\tcoins\tcoin set hash")
	for _, v := range views {
		fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%d\t%s\n", v.Node, v.Height, short(v.Tip), v.Peers, v.Coins, short(v.UTXO))
	}
	table.Flush()
}

// short returns the beginning and the end of a hash, enough to tell it from another by eye.
func short(hash string) string {
	if len(hash) < 20 {
		return hash
	}
	return hash[:8] + "…" + hash[len(hash)-8:]
}

// thisBinary returns the path of the running program, of which every node is a process.
func thisBinary() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the path of this program: %w", err)
	}
	return path, nil
}
