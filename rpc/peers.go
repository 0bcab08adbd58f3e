package rpc

import (
	"cmp"
	"context"

	"groat/internal/ledger"
)

// peerJSON is a peer as getpeerinfo shows it: Core's fields, then those of libp2p.
type peerJSON struct {
	ID              int64             `json:"id"`
	Addr            string            `json:"addr"`
	AddrBind        string            `json:"addrbind,omitempty"`
	Network         string            `json:"network"`
	Services        string            `json:"services"`
	ServiceNames    []string          `json:"servicesnames"`
	RelayTxs        bool              `json:"relaytxes"`
	LastSend        int64             `json:"lastsend"`
	LastRecv        int64             `json:"lastrecv"`
	LastTx          int64             `json:"last_transaction"`
	LastBlock       int64             `json:"last_block"`
	BytesSent       uint64            `json:"bytessent"`
	BytesRecv       uint64            `json:"bytesrecv"`
	ConnTime        int64             `json:"conntime"`
	TimeOffset      int               `json:"timeoffset"`
	Ping            Float             `json:"pingtime,omitempty"`
	MinPing         Float             `json:"minping,omitempty"`
	Version         int               `json:"version"`
	Subversion      string            `json:"subver"`
	Inbound         bool              `json:"inbound"`
	FastTo          bool              `json:"bip152_hb_to"`
	FastFrom        bool              `json:"bip152_hb_from"`
	StartHeight     int32             `json:"startingheight"`
	Presynced       int32             `json:"presynced_headers"`
	SyncedHeaders   int32             `json:"synced_headers"`
	SyncedBlocks    int32             `json:"synced_blocks"`
	InFlight        []int32           `json:"inflight"`
	AddrRelay       bool              `json:"addr_relay_enabled"`
	AddrProcessed   int               `json:"addr_processed"`
	AddrRateLimited int               `json:"addr_rate_limited"`
	Permissions     []string          `json:"permissions"`
	MinFeeFilter    Amount            `json:"minfeefilter"`
	SentByMessage   map[string]uint64 `json:"bytessent_per_msg"`
	RecvByMessage   map[string]uint64 `json:"bytesrecv_per_msg"`
	ConnectionType  string            `json:"connection_type"`
	Transport       string            `json:"transport_protocol_type"`
	SessionID       string            `json:"session_id"`

	PeerID    string   `json:"peerid"`
	Multiaddr string   `json:"multiaddr"`
	Protocols []string `json:"protocols"`
	Score     Float    `json:"score"`
	Gossip    Float    `json:"gossip_score"`
	InMesh    bool     `json:"in_mesh"`
}

func (a *api) getPeerInfo(context.Context, *Call) (any, error) {
	peers := a.Network.Peers()
	list := make([]peerJSON, len(peers))
	for i, p := range peers {
		list[i] = peerView(p)
	}
	return list, nil
}

func peerView(p ledger.PeerInfo) peerJSON {
	host, _, _ := splitMultiaddr(p.Addr) // without one it is on no network that Core has a name for
	j := peerJSON{
		ID: p.ID, Addr: hostPort(p.Addr), Network: networkOf(host),
		Services: services, ServiceNames: serviceNames(), RelayTxs: true,
		LastSend: unixTime(p.LastSend), LastRecv: unixTime(p.LastRecv), LastTx: unixTime(p.LastTx), LastBlock: unixTime(p.LastBlock),
		BytesSent: p.BytesSent, BytesRecv: p.BytesRecv, ConnTime: unixTime(p.Connected),
		Ping: Float(p.Ping.Seconds()), MinPing: Float(p.MinPing.Seconds()),
		Version: protocolVersion, Subversion: p.UserAgent, Inbound: p.Inbound,
		StartHeight: p.StartHeight, Presynced: -1, SyncedHeaders: p.SyncedHeaders, SyncedBlocks: p.SyncedBlocks,
		InFlight: p.InFlight, AddrRelay: true, Permissions: []string{}, MinFeeFilter: Amount(p.FeeFilter),
		SentByMessage: make(map[string]uint64, len(p.Traffic)), RecvByMessage: make(map[string]uint64, len(p.Traffic)),
		ConnectionType: cmp.Or(p.ConnectionType, "outbound-full-relay"), Transport: "libp2p",
		PeerID: p.Peer, Multiaddr: p.Addr, Protocols: p.Protocols, Score: Float(p.Score),
		Gossip: Float(p.GossipScore), InMesh: p.InMesh,
	}
	for protocol, flow := range p.Traffic {
		j.SentByMessage[protocol], j.RecvByMessage[protocol] = flow.Sent, flow.Received
	}
	if j.InFlight == nil {
		j.InFlight = []int32{}
	}
	if p.LocalAddr != "" {
		j.AddrBind = hostPort(p.LocalAddr)
	}
	if j.Protocols == nil {
		j.Protocols = []string{}
	}
	return j
}
