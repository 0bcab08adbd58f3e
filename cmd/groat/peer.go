package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// newPeerCommand builds "groat peer".
func newPeerCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "peer",
		Short: "Peers of a running node",
		Example: `  groat peer list --network testnet
  groat peer add --network testnet /ip4/192.0.2.7/tcp/19833/p2p/12D3KooW…`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	addClientFlags(cmd)
	cmd.AddCommand(
		&cobra.Command{
			Use:     "list",
			Short:   "List the connected peers",
			Example: "  groat peer list --network regtest",
			Args:    noArgs,
			RunE:    func(cmd *cobra.Command, _ []string) error { return a.listPeers(cmd) },
		},
		&cobra.Command{
			Use:     "add MULTIADDR",
			Short:   "Dial a peer and keep it",
			Example: "  groat peer add /ip4/192.0.2.7/tcp/9833/p2p/12D3KooW…",
			Args:    exactly(1, "the MULTIADDR of a peer, ending in /p2p/ID"),
			RunE:    func(cmd *cobra.Command, args []string) error { return a.changePeer(cmd, args[0], "add") },
		},
		&cobra.Command{
			Use:     "remove MULTIADDR",
			Short:   "Keep a peer no longer that 'groat peer add' added",
			Example: "  groat peer remove /ip4/192.0.2.7/tcp/9833/p2p/12D3KooW…",
			Args:    exactly(1, "the MULTIADDR that was added"),
			RunE:    func(cmd *cobra.Command, args []string) error { return a.changePeer(cmd, args[0], "remove") },
		},
		&cobra.Command{
			Use:   "ban PEER",
			Short: "Ban a peer (not built yet)",
			RunE: func(*cobra.Command, []string) error {
				return fmt.Errorf("banning is not built yet; 'groat peer remove' lets go of a peer that was added")
			},
		},
	)
	return cmd
}

// changePeer adds or removes a peer.
func (a *app) changePeer(cmd *cobra.Command, addr, change string) error {
	r, err := a.dial(cmd)
	if err != nil {
		return err
	}
	return r.call(cmd.Context(), nil, "addnode", addr, change)
}

// listPeers prints a table of the connected peers.
func (a *app) listPeers(cmd *cobra.Command) error {
	r, err := a.dial(cmd)
	if err != nil {
		return err
	}
	var peers []struct {
		ID        int64   `json:"id"`
		Addr      string  `json:"addr"`
		Inbound   bool    `json:"inbound"`
		Connected int64   `json:"conntime"`
		Ping      float64 `json:"pingtime"`
		Height    int32   `json:"startingheight"`
		Version   string  `json:"subver"`
		PeerID    string  `json:"peerid"`
	}
	if err := r.call(cmd.Context(), &peers, "getpeerinfo"); err != nil {
		return err
	}
	if len(peers) == 0 {
		_, err := fmt.Fprintln(a.out, "no peers; name one with 'groat peer add MULTIADDR'")
		return err
	}
	table := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "id\tdirection\tconnected\tping ms\theight\tversion\tpeer\taddress")
	for _, p := range peers {
		direction := "out"
		if p.Inbound {
			direction = "in"
		}
		since := time.Since(time.Unix(p.Connected, 0)).Round(time.Second)
		fmt.Fprintf(table, "%d\t%s\t%v\t%.0f\t%d\t%s\t%s\t%s\n", p.ID, direction, since, p.Ping*1000, p.Height, p.Version, p.PeerID, p.Addr)
	}
	return table.Flush()
}
