package rpc

import (
	"context"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"groat/internal/ledger"
)

// defaultBan is how long setban bans if it is not told.
const defaultBan = 24 * time.Hour

func (a *api) banMethods() []Method {
	return []Method{
		{
			Name: "setban", Category: "network", Run: a.networked(a.setBan),
			Args: []Arg{
				{Name: "subnet", Type: ArgString, Required: true, Help: "The IP/Subnet (see getpeerinfo for nodes IP) with an optional netmask (default is /32 = single IP)"},
				{Name: "command", Type: ArgString, Required: true, Help: "'add' to add an IP/Subnet to the list, 'remove' to remove an IP/Subnet from the list"},
				{Name: "bantime", Type: ArgInt64, Default: "0", Help: "time in seconds how long (or until when if [absolute] is set) the IP is banned (0 or empty means using the default time of 24h)"},
				{Name: "absolute", Type: ArgBool, Default: "false", Help: "If set, the bantime must be an absolute timestamp expressed in UNIX epoch time"},
			},
			Help: "Attempts to add or remove an IP/Subnet from the banned list.", Result: "null",
		},
		{
			Name: "listbanned", Category: "network", Run: a.networked(a.listBanned),
			Help: "List all manually banned IPs/Subnets, and those of peers that broke the protocol.", Result: "[{address, ban_created, banned_until, ban_duration, time_remaining}, ...]",
		},
		{
			Name: "clearbanned", Category: "network", Run: a.networked(a.clearBanned),
			Help: "Clear all banned IPs.", Result: "null",
		},
		{
			Name: "getnodeaddresses", Category: "network", Run: a.networked(a.getNodeAddresses),
			Args: []Arg{
				{Name: "count", Type: ArgInt64, Default: "1", Help: "The maximum number of addresses to return. Specify 0 to return all known addresses."},
				{Name: "network", Type: ArgString, Default: "all networks", Help: "Return only addresses of the specified network. Can be one of: ipv4, ipv6, onion, i2p, cjdns."},
			},
			Help: "Return known addresses, after filtering for quality and recency.\nThese can potentially be used to find new peers in the network.", Result: "[{time, services, address, port, network}, ...]",
		},
	}
}

// parseSubnet reads an IP address or a subnet with a length or a netmask; false if it is none.
func parseSubnet(text string) (netip.Prefix, bool) {
	host, mask, isSubnet := strings.Cut(text, "/")
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, false
	}
	ip = ip.Unmap()
	bits := ip.BitLen()
	if isSubnet {
		if bits, err = strconv.Atoi(mask); err != nil {
			bits = maskBits(mask)
		}
	}
	p, err := ip.Prefix(bits)
	return p, err == nil
}

// maskBits returns the length of a netmask such as 255.255.252.0, -1 if it is none.
func maskBits(mask string) int {
	ip, err := netip.ParseAddr(mask)
	if err != nil {
		return -1
	}
	ones, size := net.IPMask(ip.AsSlice()).Size()
	if size == 0 {
		return -1
	}
	return ones
}

func (a *api) setBan(_ context.Context, c *Call) (any, error) {
	command := c.String(1)
	if command != "add" && command != "remove" {
		return nil, errorf(CodeMisc, "%s", c.Method.usage())
	}
	subnet, ok := parseSubnet(c.String(0))
	if !ok {
		return nil, errorf(CodeInvalidSubnet, "Error: Invalid IP/Subnet")
	}
	now := a.now()
	bans := a.Network.Bans()
	listed := slices.ContainsFunc(bans, func(b ledger.Ban) bool { return b.Subnet == subnet })
	if command == "remove" {
		if !listed {
			return nil, errorf(CodeInvalidSubnet, "Error: Unban failed. Requested address/subnet was not previously manually banned.")
		}
		return nil, a.Network.Unban(subnet)
	}
	covered := slices.ContainsFunc(bans, func(b ledger.Ban) bool { return subnet.IsSingleIP() && b.Subnet.Contains(subnet.Addr()) })
	if listed || covered {
		return nil, errorf(CodeNodeAdded, "Error: IP/Subnet already banned")
	}
	until := now.Add(defaultBan)
	seconds := c.IntOr(2, 0)
	switch {
	case c.BoolOr(3, false) && seconds < now.Unix():
		return nil, errorf(CodeInvalidParameter, "Error: Absolute timestamp is in the past")
	case c.BoolOr(3, false):
		until = time.Unix(seconds, 0)
	case seconds > 0:
		until = now.Add(time.Duration(min(seconds, math.MaxInt64/int64(time.Second)/2)) * time.Second)
	}
	return nil, a.Network.Ban(subnet, until)
}

func (a *api) listBanned(context.Context, *Call) (any, error) {
	type banJSON struct {
		Address   string `json:"address"`
		Created   int64  `json:"ban_created"`
		Until     int64  `json:"banned_until"`
		Duration  int64  `json:"ban_duration"`
		Remaining int64  `json:"time_remaining"`
	}
	now := a.now().Unix()
	list := []banJSON{}
	for _, b := range a.Network.Bans() {
		created, until := b.Created.Unix(), b.Until.Unix()
		list = append(list, banJSON{b.Subnet.String(), created, until, until - created, until - now})
	}
	return list, nil
}

func (a *api) clearBanned(context.Context, *Call) (any, error) { return nil, a.Network.ClearBans() }

func (a *api) getNodeAddresses(_ context.Context, c *Call) (any, error) {
	type nodeJSON struct {
		Time     int64  `json:"time"`
		Services int    `json:"services"`
		Address  string `json:"address"`
		Port     int    `json:"port"`
		Network  string `json:"network"`

		Multiaddr string `json:"multiaddr"`
	}
	count, network := c.IntOr(0, 1), c.String(1)
	if count < 0 {
		return nil, errorf(CodeInvalidParameter, "Address count out of range")
	}
	if c.Has(1) && !slices.Contains([]string{"ipv4", "ipv6", "onion", "i2p", "cjdns"}, strings.ToLower(network)) {
		return nil, errorf(CodeInvalidParameter, "Network not recognized: %s", network)
	}
	list := []nodeJSON{}
	for _, n := range a.Network.Addresses(math.MaxInt32) {
		host, portText, _ := splitMultiaddr(n.Addr) // the book has no others
		port, err := strconv.Atoi(portText)
		j := nodeJSON{Time: n.Seen.Unix(), Services: serviceBits, Address: host, Port: port, Network: networkOf(host), Multiaddr: n.Addr + "/p2p/" + n.Peer}
		if err != nil || c.Has(1) && j.Network != strings.ToLower(network) {
			continue
		}
		list = append(list, j)
		if count > 0 && int64(len(list)) == count {
			break
		}
	}
	return list, nil
}
