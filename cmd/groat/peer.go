package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
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
		newPeerListCommand(a),
		&cobra.Command{
			Use:   "add MULTIADDR|HOST:PORT",
			Short: "Dial a peer and keep it",
			Long: `Has the node dial a peer and keep it connected, until it stops or 'groat peer remove'. Waits a few seconds to say whether that
works; if not, the node goes on trying. Without /p2p/ID the peer's id is learnt at first contact.`,
			Example: "  groat peer add /ip4/192.0.2.7/tcp/9833/p2p/12D3KooW…\n  groat peer add 192.0.2.7:9833",
			Args:    exactly(1, "the MULTIADDR or HOST:PORT of a peer"),
			RunE:    func(cmd *cobra.Command, args []string) error { return a.addPeer(cmd, args[0]) },
		},
		&cobra.Command{
			Use:     "remove MULTIADDR",
			Short:   "Keep a peer no longer that 'groat peer add' added",
			Example: "  groat peer remove /ip4/192.0.2.7/tcp/9833/p2p/12D3KooW…",
			Args:    exactly(1, "the MULTIADDR that was added"),
			RunE: func(cmd *cobra.Command, args []string) error {
				r, err := a.dial(cmd)
				if err != nil {
					return err
				}
				return r.call(cmd.Context(), nil, "addnode", args[0], "remove")
			},
		},
		newBanCommand(a),
		&cobra.Command{
			Use:     "unban ADDRESS|SUBNET",
			Short:   "Let an address or subnet in again",
			Example: "  groat peer unban 192.0.2.0/24",
			Args:    exactly(1, "the ADDRESS or SUBNET that was banned ('groat rpc listbanned' shows them)"),
			RunE: func(cmd *cobra.Command, args []string) error {
				r, err := a.dial(cmd)
				if err != nil {
					return err
				}
				return r.call(cmd.Context(), nil, "setban", args[0], "remove")
			},
		},
	)
	return cmd
}

// newPeerListCommand builds "groat peer list".
func newPeerListCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the connected peers",
		Long: `Lists the connected peers: how long, ping and shortest ping in milliseconds, the last block in common, bytes, how long ago
the last new block and transaction came, minus the points for what it has done wrong (banned at -100), and what gossip thinks of it
(+ if it is sent blocks at once).`,
		Example: "  groat peer list --network regtest\n  groat peer list --network regtest --json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.listPeers(cmd, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all that is known of them")
	return cmd
}

// addPatience is how long "groat peer add" waits for the connection.
const addPatience = 5 * time.Second

// addPeer has the node keep a peer, and says whether it is connected.
func (a *app) addPeer(cmd *cobra.Command, addr string) error {
	r, err := a.dial(cmd)
	if err != nil {
		return err
	}
	if err := r.call(cmd.Context(), nil, "addnode", addr, "add"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), addPatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var nodes []struct {
			Connected bool   `json:"connected"`
			Error     string `json:"last_error"`
		}
		if err := r.call(cmd.Context(), &nodes, "getaddednodeinfo", addr); err != nil {
			return err
		}
		switch {
		case len(nodes) > 0 && nodes[0].Connected:
			_, err := fmt.Fprintln(a.out, "connected")
			return err
		case len(nodes) > 0 && nodes[0].Error != "":
			_, err := fmt.Fprintf(a.out, "not connected: %s; the node goes on trying\n", nodes[0].Error)
			return err
		}
		select {
		case <-ctx.Done():
			_, err := fmt.Fprintln(a.out, "not connected yet; the node goes on trying")
			return err
		case <-tick.C:
		}
	}
}

// peerRow is what the table of peers shows of one.
type peerRow struct {
	ID        int64   `json:"id"`
	Addr      string  `json:"addr"`
	Kind      string  `json:"connection_type"`
	Connected int64   `json:"conntime"`
	Ping      float64 `json:"pingtime"`
	MinPing   float64 `json:"minping"`
	Height    int32   `json:"synced_headers"`
	Sent      int64   `json:"bytessent"`
	Received  int64   `json:"bytesrecv"`
	Block     int64   `json:"last_block"`
	Tx        int64   `json:"last_transaction"`
	Version   string  `json:"subver"`
	PeerID    string  `json:"peerid"`
	Score     float64 `json:"score"`
	Gossip    float64 `json:"gossip_score"`
	InMesh    bool    `json:"in_mesh"`
}

// listPeers prints the connected peers: as a table, or all that is known of them.
func (a *app) listPeers(cmd *cobra.Command, asJSON bool) error {
	r, err := a.dial(cmd)
	if err != nil {
		return err
	}
	var all json.RawMessage
	if err := r.call(cmd.Context(), &all, "getpeerinfo"); err != nil {
		return err
	}
	if asJSON {
		var text bytes.Buffer
		if err := json.Indent(&text, all, "", "  "); err != nil {
			return err
		}
		_, err := fmt.Fprintln(a.out, text.String())
		return err
	}
	var peers []peerRow
	if err := json.Unmarshal(all, &peers); err != nil {
		return fmt.Errorf("read the list of peers: %w", err)
	}
	if len(peers) == 0 {
		_, err := fmt.Fprintln(a.out, "no peers; name one with 'groat peer add MULTIADDR'")
		return err
	}
	table := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "id\tkind\tconnected\tping\tmin\theight\tsent\treceived\tblock\ttx\tscore\tgossip\tversion\tpeer\taddress")
	now := time.Now()
	for _, p := range peers {
		fmt.Fprintln(table, p.line(now))
	}
	return table.Flush()
}

// line returns the row with its columns parted by tabs.
func (p peerRow) line(now time.Time) string {
	kind := p.Kind
	switch kind {
	case "inbound":
		kind = "in"
	case "outbound-full-relay":
		kind = "out"
	}
	height := "-"
	if p.Height >= 0 {
		height = strconv.Itoa(int(p.Height))
	}
	ping, shortest := "-", "-" // not measured yet
	if p.Ping > 0 {
		ping, shortest = fmt.Sprintf("%.1f", p.Ping*1000), fmt.Sprintf("%.1f", p.MinPing*1000)
	}
	mesh := ""
	if p.InMesh {
		mesh = "+"
	}
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.0f\t%.1f%s\t%s\t%s\t%s", p.ID, kind, ago(now, p.Connected), ping, shortest,
		height, kibibytes(p.Sent), kibibytes(p.Received), ago(now, p.Block), ago(now, p.Tx), p.Score, p.Gossip, mesh, p.Version, p.PeerID, p.Addr)
}

// ago returns how long ago a moment was, in seconds since 1970; a dash for never.
func ago(now time.Time, moment int64) string {
	if moment == 0 {
		return "-"
	}
	return max(now.Sub(time.Unix(moment, 0)), 0).Round(time.Second).String()
}

// kibibytes writes a number of bytes in a unit that keeps it short.
func kibibytes(n int64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%dK", (n+1023)>>10)
	}
	return fmt.Sprintf("%dM", n>>20)
}
