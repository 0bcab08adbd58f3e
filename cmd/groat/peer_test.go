package main

import (
	"testing"
	"time"
)

func TestPeerRow(t *testing.T) {
	now := time.Unix(1_700_000_100, 0)
	for want, p := range map[string]peerRow{
		"3\tin\t1m40s\t12.5\t10.0\t9\t1K\t11M\t-\t2s\t-25\t1.5+\t/groat/\t12D3A\t10.0.0.1:1": {
			ID: 3, Addr: "10.0.0.1:1", Kind: "inbound", Connected: 1_700_000_000, Ping: 0.0125, MinPing: 0.01, Height: 9, Sent: 5, Received: 12_000_000,
			Tx: 1_700_000_098, Version: "/groat/", PeerID: "12D3A", Score: -25, Gossip: 1.5, InMesh: true,
		},
		"4\tmanual\t0s\t-\t-\t-\t0K\t0K\t-\t-\t0\t0.0\t\t\t": {ID: 4, Kind: "manual", Connected: 1_700_000_101, Height: -1},
	} {
		if got := p.line(now); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
