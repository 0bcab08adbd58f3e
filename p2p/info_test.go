package p2p

import (
	"math"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"groat/internal/ledger"
)

// What an operator is told of a peer that brings a payment and a block.
func TestPeersAreDescribed(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b := w.start(), w.start()
		b.dial(a)
		w.until(time.Second, "connected", w.all(peers(1)))
		w.until(5*time.Second, "in the mesh", w.all(func(n *node) bool { return n.Peers()[0].InMesh }))
		began := time.Now()
		tx := payment(1, nil)
		a.pay(tx)
		w.until(time.Second, "paid", w.all(has(tx)))
		w.until(time.Second, "confirmed", w.all(atTip(a.chain.mine(tx))))
		b.Ping()
		time.Sleep(2 * time.Second)

		p, info := b.Peers()[0], b.Info()
		if p.LastTx.Before(began) || p.LastBlock.Before(began) || p.LastRecv.Before(p.LastTx) {
			t.Errorf("last transaction %v, block %v, anything %v; want after %v", p.LastTx, p.LastBlock, p.LastRecv, began)
		}
		if p.MinPing <= 0 || p.MinPing > p.Ping {
			t.Errorf("ping %v, shortest %v", p.Ping, p.MinPing)
		}
		if p.SyncedHeaders != 1 || p.SyncedBlocks != 1 || p.InFlight == nil || len(p.InFlight) != 0 {
			t.Errorf("synced to %d and %d, in flight %v", p.SyncedHeaders, p.SyncedBlocks, p.InFlight)
		}
		if p.Score != 0 || math.Signbit(p.Score) {
			t.Errorf("score %v", p.Score)
		}
		if p.GossipScore <= 0 {
			t.Errorf("gossip thinks %v of a peer that brought a block", p.GossipScore)
		}
		for _, name := range []string{"status", "txrelay", "meshsub", "id"} {
			if f := p.Traffic[name]; f.Sent == 0 || f.Received == 0 {
				t.Errorf("%s: %+v", name, f)
			}
		}
		sent := uint64(0)
		for name, f := range p.Traffic {
			sent += f.Sent
			if info.Traffic[name] != f {
				t.Errorf("%s: %+v with the only peer, %+v in all", name, f, info.Traffic[name])
			}
		}
		if sent != p.BytesSent || info.BytesSent != sent {
			t.Errorf("sent %d by protocol, %d to the peer, %d in all", sent, p.BytesSent, info.BytesSent)
		}
		for what, d := range map[string]ledger.Delays{"payment": info.TxDelays, "block": info.BlockDelays} {
			if d.Number != 1 || d.Sum > time.Second || d.UpTo[len(d.UpTo)-1].Number != 1 {
				t.Errorf("delays of the %s: %+v", what, d)
			}
		}
		if own := a.Info(); own.TxDelays.Number != 0 || own.BlockDelays.Number != 0 {
			t.Errorf("what began here is counted as relayed: %+v, %+v", own.TxDelays, own.BlockDelays)
		}

		a.halt()
		w.until(time.Minute, "gone", func() bool { return b.Count() == 0 })
		if got := b.Info(); got.BytesSent < sent {
			t.Errorf("%d bytes in all after the peer has gone, %d before", got.BytesSent, sent)
		}
	})
}

func TestProtocolNames(t *testing.T) {
	a := accountant{base: "/groat/regtest"}
	for id, want := range map[protocol.ID]string{
		"": "negotiation", "/groat/regtest/blocks/1": "blocks", "/groat/regtest/kad/1.0.0": "kad", "/groat/regtest/meshsub/1.2.0": "meshsub",
		"/ipfs/id/1.0.0": "id", "/libp2p/circuit/relay/0.2.0/hop": "circuit", "/libp2p/dcutr": "dcutr",
		"/": "other", "x": "other", "/groat/regtest/": "other", "/groat/testnet/blocks/1": "testnet",
	} {
		if got := a.protocolName(id); got != want {
			t.Errorf("%q is %q, want %q", id, got, want)
		}
	}
}

func TestTrafficIsBounded(t *testing.T) {
	var all traffic
	for i := range rune(100) {
		all.add(string('a'+i), ledger.Flow{Sent: 1, Received: 2})
	}
	flows, sum := all.all()
	if len(flows) > maxProtocols+1 || sum != (ledger.Flow{Sent: 100, Received: 200}) {
		t.Errorf("%d protocols, %+v in all", len(flows), sum)
	}
}

func TestDelaysAreSorted(t *testing.T) {
	var d delays
	for _, took := range []time.Duration{0, 5 * time.Millisecond, 6 * time.Millisecond, time.Hour} {
		d.observe(took)
	}
	h := d.histogram()
	if h.Number != 4 || h.Sum != time.Hour+11*time.Millisecond || h.UpTo[0].Number != 2 || h.UpTo[1].Number != 3 || h.UpTo[len(h.UpTo)-1].Number != 3 {
		t.Errorf("%+v", h)
	}
}
