package p2p

import (
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"groat/internal/ledger"
)

// Names of protocols in the counts of bytes. Every other name is a part of a protocol id.
const (
	negotiation    = "negotiation" // of which protocol a stream is for
	otherProtocols = "other"
	maxProtocols   = 32 // that are counted apart
)

// traffic counts the bytes of streams by protocol, without what encryption and multiplexing add. Its zero value is ready.
type traffic struct {
	mu    sync.Mutex
	flows map[string]ledger.Flow
}

func (t *traffic) add(name string, f ledger.Flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.flows == nil {
		t.flows = make(map[string]ledger.Flow)
	}
	have, ok := t.flows[name]
	if !ok && len(t.flows) >= maxProtocols {
		name = otherProtocols
		have = t.flows[name]
	}
	t.flows[name] = ledger.Flow{Sent: have.Sent + f.Sent, Received: have.Received + f.Received}
}

// all returns the counts by protocol, and their sum.
func (t *traffic) all() (flows map[string]ledger.Flow, sum ledger.Flow) {
	t.mu.Lock()
	flows = maps.Clone(t.flows)
	t.mu.Unlock()
	for _, f := range flows {
		sum.Sent += f.Sent
		sum.Received += f.Received
	}
	return flows, sum
}

// accountant is told by libp2p of all bytes of all streams, those of gossip and the DHT too. libp2p's own counter would keep every peer that
// ever was connected; this one keeps the connected ones.
type accountant struct {
	base  string // what the ids of our protocols begin with
	peers *table
	total traffic
}

// protocolName returns a word for a protocol: blocks for /groat/regtest/blocks/1, id for /ipfs/id/1.0.0.
func (a *accountant) protocolName(id protocol.ID) string {
	if id == "" {
		return negotiation
	}
	rest, ours := strings.CutPrefix(string(id), a.base+"/")
	if !ours {
		_, rest, _ = strings.Cut(strings.TrimPrefix(string(id), "/"), "/")
	}
	name, _, _ := strings.Cut(rest, "/")
	if name == "" {
		return otherProtocols
	}
	return name
}

func (a *accountant) count(id protocol.ID, from peer.ID, f ledger.Flow) {
	name := a.protocolName(id)
	a.total.add(name, f)
	if r := a.peers.get(from); r != nil {
		r.traffic.add(name, f)
	}
}

// LogSentMessageStream counts bytes that were written to a stream.
func (a *accountant) LogSentMessageStream(n int64, id protocol.ID, to peer.ID) {
	a.count(id, to, ledger.Flow{Sent: uint64(n)})
}

// LogRecvMessageStream counts bytes that were read from a stream.
func (a *accountant) LogRecvMessageStream(n int64, id protocol.ID, from peer.ID) {
	a.count(id, from, ledger.Flow{Received: uint64(n)})
}

// The rest of metrics.Reporter is for those who ask libp2p's own counter; nobody does.

func (*accountant) LogSentMessage(int64)                                  {}
func (*accountant) LogRecvMessage(int64)                                  {}
func (*accountant) GetBandwidthForPeer(peer.ID) (s metrics.Stats)         { return s }
func (*accountant) GetBandwidthForProtocol(protocol.ID) (s metrics.Stats) { return s }
func (*accountant) GetBandwidthTotals() (s metrics.Stats)                 { return s }
func (*accountant) GetBandwidthByPeer() map[peer.ID]metrics.Stats         { return nil }
func (*accountant) GetBandwidthByProtocol() map[protocol.ID]metrics.Stats { return nil }
func (*accountant) Reset()                                                {}
func (*accountant) TrimIdle(time.Time)                                    {}
