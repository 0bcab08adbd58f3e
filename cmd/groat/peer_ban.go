package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// newBanCommand builds "groat peer ban".
func newBanCommand(a *app) *cobra.Command {
	length := 24 * time.Hour
	cmd := &cobra.Command{
		Use:   "ban ADDRESS|SUBNET|PEER",
		Short: "Disconnect an address or subnet and refuse it for a while",
		Long: `Disconnect an address or subnet and refuse it for a while, also after a restart.
A PEER, named by its multiaddr, its id or its number in 'groat peer list', stands for its address.`,
		Example: `  groat peer ban 192.0.2.7
  groat peer ban 192.0.2.0/24 --for 168h`,
		Args: exactly(1, "the ADDRESS, SUBNET or PEER to ban"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if length < time.Second {
				return usagef("--for %v is no length of time that can be banned for", length)
			}
			return a.banPeer(cmd, args[0], length)
		},
	}
	cmd.Flags().DurationVar(&length, "for", length, "how `long`, such as 30m or 168h")
	return cmd
}

func (a *app) banPeer(cmd *cobra.Command, who string, length time.Duration) error {
	r, err := a.dial(cmd)
	if err != nil {
		return err
	}
	subnet, ok := bannable(who)
	if !ok {
		var peers []banTarget
		if err := r.call(cmd.Context(), &peers, "getpeerinfo"); err != nil {
			return err
		}
		i := slices.IndexFunc(peers, func(p banTarget) bool { return p.PeerID == who || strconv.FormatInt(p.ID, 10) == who })
		if i < 0 {
			return fmt.Errorf("%s is no address, no subnet, and no peer that is connected; 'groat peer list' shows those", who)
		}
		if subnet, _, err = net.SplitHostPort(peers[i].Addr); err != nil {
			return fmt.Errorf("peer %s has no address of its own: %s", who, peers[i].Addr)
		}
	}
	return r.call(cmd.Context(), nil, "setban", subnet, "add", int64(length/time.Second))
}

type banTarget struct {
	ID     int64  `json:"id"`
	Addr   string `json:"addr"`
	PeerID string `json:"peerid"`
}

// bannable returns who as an address or subnet, taken out of a multiaddr if it is one.
func bannable(who string) (string, bool) {
	if part := strings.Split(who, "/"); len(part) > 2 && part[0] == "" && (part[1] == "ip4" || part[1] == "ip6") {
		who = part[2]
	}
	host, _, _ := strings.Cut(who, "/")
	_, err := netip.ParseAddr(host)
	return who, err == nil
}
