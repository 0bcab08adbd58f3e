package rpc

import (
	"testing"
	"time"

	"groat/consensus"
	"groat/internal/ledger"
)

func TestBans(t *testing.T) {
	r := newRig(t)
	r.wants("listbanned", `[]`, "[]")
	r.wants("setban", `["1.2.3.4","add"]`, "null")
	r.refuses("setban", `["1.2.3.4","add"]`, -23, "Error: IP/Subnet already banned")
	r.refuses("setban", `["1.2.3.4/32","add"]`, -23, "Error: IP/Subnet already banned")
	r.wants("setban", `["10.1.2.0/255.255.252.0","add",100]`, "null")
	r.refuses("setban", `["10.1.3.9","add"]`, -23, "Error: IP/Subnet already banned")
	if got := r.net.bans[1].Subnet.String(); got != "10.1.0.0/22" {
		t.Errorf("banned %s", got)
	}
	for _, bad := range []string{"x", "1.2.3", "1.2.3.4/33", "1.2.3.4/255.0.255.0", "1.2.3.4/", "::1%eth0", ""} {
		r.refuses("setban", `["`+bad+`","add"]`, -30, "Error: Invalid IP/Subnet")
	}
	r.refuses("setban", `["2.2.2.2","add",1,true]`, -8, "Error: Absolute timestamp is in the past")
	r.wants("setban", `["2001:db8::/32","add",4000000000,true]`, "null")
	if got := r.net.bans[2].Until.Unix(); got != 4_000_000_000 {
		t.Errorf("banned until %d", got)
	}
	r.wants("setban", `["9.9.9.9","add",9223372036854775807]`, "null")
	r.refuses("setban", `["7.7.7.7","remove"]`, -30, "Error: Unban failed. Requested address/subnet was not previously manually banned.")
	r.wants("setban", `["1.2.3.4","remove"]`, "null")
	r.wants("clearbanned", `[]`, "null")
	r.wants("listbanned", `[]`, "[]")
}

func TestNodeAddresses(t *testing.T) {
	r := newRig(t)
	seen := time.Unix(1000, 0)
	r.net.addresses = []ledger.NodeAddress{
		{Peer: "12D3A", Addr: "/ip4/1.2.3.4/tcp/9833", Seen: seen},
		{Peer: "12D3B", Addr: "/ip6/2001:4860::1/udp/9833/quic-v1", Seen: seen},
	}
	const first = `{"time":1000,"services":1033,"address":"1.2.3.4","port":9833,"network":"ipv4","multiaddr":"/ip4/1.2.3.4/tcp/9833/p2p/12D3A"}`
	const second = `{"time":1000,"services":1033,"address":"2001:4860::1","port":9833,"network":"ipv6","multiaddr":"/ip6/2001:4860::1/udp/9833/quic-v1/p2p/12D3B"}`
	r.wants("getnodeaddresses", `[]`, "["+first+"]")
	r.wants("getnodeaddresses", `[0]`, "["+first+","+second+"]")
	r.wants("getnodeaddresses", `[5,"IPv6"]`, "["+second+"]")
	r.wants("getnodeaddresses", `[5,"onion"]`, "[]")
	r.refuses("getnodeaddresses", `[-1]`, -8, "Address count out of range")
	r.refuses("getnodeaddresses", `[1,"x"]`, -8, "Network not recognized: x")
	r.use(Parts{Params: consensus.Bitcoin()})
	r.refuses("getnodeaddresses", `[]`, -31, "Error: Peer-to-peer functionality missing or disabled")
}
