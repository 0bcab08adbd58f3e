package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// newNodeStatusCommand builds "groat node status".
func newNodeStatusCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show where a running node stands",
		Example: "  groat node status --network regtest",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.nodeStatus(cmd) },
	}
	addClientFlags(cmd)
	return cmd
}

// nodeStatus prints what an operator asks first.
func (a *app) nodeStatus(cmd *cobra.Command) error {
	params, err := a.params()
	if err != nil {
		return err
	}
	r, err := a.dial(cmd)
	if err != nil {
		return err
	}
	var chain struct {
		Chain    string  `json:"chain"`
		Blocks   int32   `json:"blocks"`
		Headers  int32   `json:"headers"`
		Best     string  `json:"bestblockhash"`
		Progress float64 `json:"verificationprogress"`
		Initial  bool    `json:"initialblockdownload"`
		Disk     int64   `json:"size_on_disk"`
	}
	var net struct {
		Version     string `json:"subversion"`
		Connections int    `json:"connections"`
	}
	var pool struct {
		Count int   `json:"size"`
		Bytes int64 `json:"bytes"`
	}
	var uptime int64
	for _, ask := range []struct {
		method string
		result any
	}{{"getblockchaininfo", &chain}, {"getnetworkinfo", &net}, {"getmempoolinfo", &pool}, {"uptime", &uptime}} {
		if err := r.call(cmd.Context(), ask.result, ask.method); err != nil {
			return err
		}
	}
	state := "in step with its peers"
	switch {
	case chain.Blocks < chain.Headers:
		state = fmt.Sprintf("catching up, %.1f %%", chain.Progress*100)
	case !params.Network:
		state = "from files; this network opens no connections"
	case net.Connections == 0:
		state = "alone; name a peer with 'groat peer add MULTIADDR'"
	case chain.Initial:
		state = "waiting for a recent block"
	}
	table := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(table, "node\t%s, %s, up %v\n", r.url, net.Version, time.Duration(uptime)*time.Second)
	fmt.Fprintf(table, "chain\t%s, block %d of %d, %s\n", chain.Chain, chain.Blocks, chain.Headers, state)
	fmt.Fprintf(table, "tip\t%s\n", chain.Best)
	fmt.Fprintf(table, "peers\t%d\n", net.Connections)
	fmt.Fprintf(table, "pool\t%d transactions, %d vbytes\n", pool.Count, pool.Bytes)
	fmt.Fprintf(table, "disk\t%d MiB of blocks\n", chain.Disk>>20)
	return table.Flush()
}

// newNodeStopCommand builds "groat node stop".
func newNodeStopCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "stop",
		Short:   "Stop a running node and wait until it is gone",
		Example: "  groat node stop --network regtest",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.dial(cmd)
			if err != nil {
				return err
			}
			if err := r.call(cmd.Context(), nil, "stop"); err != nil {
				return err
			}
			return r.awaitGone(cmd.Context())
		},
	}
	addClientFlags(cmd)
	return cmd
}

// awaitGone waits until the node has removed its ready file, which is the last thing it does, or for one that was found without until it
// answers no more.
func (r *remote) awaitGone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if r.gone(ctx) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return withCode(exitTimeout, fmt.Errorf("the node was told to stop but is still there after %v; look at its log", r.timeout))
		}
	}
}

// gone reports whether a node that was told to stop has done so.
func (r *remote) gone(ctx context.Context) bool {
	if r.ready == "" {
		return exitCode(r.call(ctx, nil, "uptime")) == exitNoConnection
	}
	_, err := os.Stat(r.ready)
	return errors.Is(err, fs.ErrNotExist)
}
