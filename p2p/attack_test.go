package p2p

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"groat/consensus"
)

// stranger is a host that speaks the protocol by hand, and badly.
type stranger struct {
	host.Host
	t      *testing.T
	victim *node
	ids    protocols
	status status
}

// stranger connects a bare host to the victim and does the handshake, claiming to be at the genesis block.
func (w *world) stranger(victim *node) *stranger {
	w.t.Helper()
	s := w.bare(victim)
	s.shake()
	w.until(time.Second, "the stranger is a peer", func() bool {
		r := victim.peers.get(s.ID())
		return r != nil && r.isReady()
	})
	return s
}

// bare connects a bare host to the victim.
func (w *world) bare(victim *node) *stranger {
	w.t.Helper()
	w.strangers++
	ip := fmt.Sprintf("2.%d.0.1", w.strangers)
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/"+ip+"/udp/8000/quic-v1"), w.link(ip), libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.DisableMetrics(), libp2p.DisableRelay(), libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.atEnd = append(w.atEnd, func() { _ = h.Close() })
	s := &stranger{Host: h, t: w.t, victim: victim, ids: victim.ids}
	p := victim.opts.Params
	genesis := consensus.Genesis(p)
	s.status = status{Version: protocolVersion, Network: p.Name, Genesis: p.GenesisHash, Tip: genesis.Hash, Work: genesis.Work, UserAgent: "/stranger/"}
	if err := h.Connect(w.t.Context(), peer.AddrInfo{ID: victim.ID(), Addrs: victim.host.Addrs()}); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// answerStatus lets the stranger answer its victim, which asks from time to time.
func (s *stranger) answerStatus() {
	s.SetStreamHandler(s.ids.status, func(st network.Stream) {
		_, _ = newFrameReader(st, &meter{}, 64).next(maxStatusBytes, time.Second)
		_ = (&frameWriter{dst: st, meter: &meter{}}).write(s.status.encode()) // the victim may have gone
		_ = st.Close()
	})
}

func (s *stranger) shake() {
	s.t.Helper()
	s.answerStatus()
	st := s.open(s.ids.status)
	defer st.Close()
	s.frame(st, s.status.encode())
	if _, err := newFrameReader(st, &meter{}, 64).next(maxStatusBytes, time.Second); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stranger) open(id protocol.ID) network.Stream {
	s.t.Helper()
	st, err := s.NewStream(s.t.Context(), s.victim.ID(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

func (s *stranger) frame(st network.Stream, payload []byte) {
	s.t.Helper()
	if err := (&frameWriter{dst: st, meter: &meter{}}).write(payload); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stranger) typed(st network.Stream, kind byte, payload []byte) {
	s.t.Helper()
	if err := (&frameWriter{dst: st, meter: &meter{}}).writeTyped(kind, payload); err != nil {
		s.t.Fatal(err)
	}
}

// out says whether the victim has disconnected the stranger.
func (s *stranger) out() bool { return s.victim.peers.get(s.ID()) == nil }

// banned says whether the victim refuses the stranger's address.
func (s *stranger) banned() bool { return s.victim.gate.banned(ipOf(s.Addrs()[0]), time.Now()) }

func TestMalformedFramesAreBanned(t *testing.T) {
	long := binary.AppendUvarint(nil, 1<<40)
	inv := func(n int) []byte { return encodeInv(make([]invItem, n)) }
	for _, tc := range []struct {
		name string
		id   func(protocols) protocol.ID
		send []byte
	}{
		{"relay: unknown type", func(p protocols) protocol.ID { return p.relay }, []byte{99, 0}},
		{"relay: huge length", func(p protocols) protocol.ID { return p.relay }, append([]byte{relayTx}, long...)},
		{"relay: overlong number", func(p protocols) protocol.ID { return p.relay }, append([]byte{relayInv}, bytes.Repeat([]byte{0xff}, 11)...)},
		{"relay: too many announcements", func(p protocols) protocol.ID { return p.relay },
			append(binary.AppendUvarint([]byte{relayInv}, uint64(len(inv(maxInvIDs+1)))), inv(maxInvIDs+1)...)},
		{"relay: half a transaction", func(p protocols) protocol.ID { return p.relay }, []byte{relayTx, 3, 1, 2, 3}},
		{"headers: huge length", func(p protocols) protocol.ID { return p.headers }, long},
		{"headers: counts that do not fit", func(p protocols) protocol.ID { return p.headers }, []byte{2, 100, 0}},
		{"blocks: none", func(p protocols) protocol.ID { return p.blocks }, []byte{1, 0}},
		{"blocks: too many", func(p protocols) protocol.ID { return p.blocks }, []byte{1, maxBlocksPerAsk + 1}},
		{"blocktxn: huge length", func(p protocols) protocol.ID { return p.blockTxn }, long},
	} {
		t.Run(tc.name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				n := w.start()
				s := w.stranger(n)
				if _, err := s.open(tc.id(s.ids)).Write(tc.send); err != nil {
					t.Fatal(err)
				}
				w.until(time.Second, "out", s.out)
				if !s.banned() {
					t.Error("not banned")
				}
				if err := s.Connect(t.Context(), peer.AddrInfo{ID: n.ID(), Addrs: n.host.Addrs()}); err == nil {
					w.until(time.Second, "refused", func() bool { return len(s.Network().Peers()) == 0 })
				}
			})
		})
	}
}

func TestNoHandshakeNoConnection(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		s := w.bare(n)
		st := s.open(s.ids.headers) // waits for the handshake
		s.frame(st, headersRequest{}.encode())
		took := w.until(readySpare+2*time.Second, "out", s.out)
		if n.Count() != 0 {
			t.Error("counts as a peer")
		}
		t.Log("cut off after", took)
	})
}

// Announcements that are never served do not keep a transaction from arriving by another peer.
func TestAnnouncedAndNeverServed(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n, honest := w.start(), w.start()
		s := w.stranger(n)
		tx := payment(1, nil)
		s.typed(s.open(s.ids.relay), relayInv, encodeInv([]invItem{{ID: prefixOf(tx.WTxID()), VSize: 100}}))
		w.until(time.Second, "asked", func() bool { return n.txs.asking(prefixOf(tx.WTxID())) })
		honest.dial(n)
		honest.pay(tx)
		took := w.until(askTimeout+2*time.Second, "arrived", w.all(has(tx)))
		t.Log("arrived after", took)
	})
}

func (t *txRelay) asking(id wtxPrefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.plan.wants[id]
	return w != nil && w.asked != noPeer
}

func TestFloodOfAnnouncementsIsBounded(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		s := w.stranger(n)
		st := s.open(s.ids.relay)
		items := make([]invItem, maxInvIDs)
		next := uint64(0)
		for !s.out() {
			for i := range items {
				next++
				binary.LittleEndian.PutUint64(items[i].ID[:], next)
			}
			if (&frameWriter{dst: st, meter: &meter{}}).writeTyped(relayInv, encodeInv(items)) != nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
			n.txs.mu.Lock()
			if wants := len(n.txs.plan.wants); wants > maxAnnouncedPeer {
				t.Fatalf("%d announcements of one peer wait", wants)
			}
			n.txs.mu.Unlock()
		}
		w.until(time.Second, "out", s.out)
		t.Log("out after", next, "announcements")
	})
}

func TestInvalidTransactionsCostTheSender(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		s := w.stranger(n)
		st := s.open(s.ids.relay)
		for i := uint32(0); !s.out() && i < 10; i++ {
			msg := payment(i, nil).Msg
			msg.Version = 13 // fakePool finds its script wrong
			tx := consensus.NewTx(msg)
			s.typed(st, relayInv, encodeInv([]invItem{{ID: prefixOf(tx.WTxID())}}))
			time.Sleep(100 * time.Millisecond)
			if (&frameWriter{dst: st, meter: &meter{}}).writeTyped(relayTx, tx.Raw()) != nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !s.out() || !s.banned() || n.pool.adds() != 4 {
			t.Errorf("out %v, banned %v after %d invalid transactions", s.out(), s.banned(), n.pool.adds())
		}
	})
}

func TestUnaskedTransactionIsNotTaken(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		s := w.stranger(n)
		s.typed(s.open(s.ids.relay), relayTx, payment(1, nil).Raw())
		time.Sleep(time.Second)
		if n.pool.adds() != 0 || n.Peers()[0].Score != -float64(penalties[offUnasked].points) {
			t.Errorf("taken %d, score %v", n.pool.adds(), n.Peers()[0].Score)
		}
	})
}

func TestBlocksThatAPeerMustNotForward(t *testing.T) {
	genesis := consensus.Genesis(consensus.Regtest())
	noWork := func() []byte {
		b := mineOn(genesis, nil)
		h := b.Header
		for consensus.CheckWork(genesis.Params(), &h) == nil {
			h.Nonce++
		}
		c := compactOf(consensus.AssembleBlock(h, b.Txs))
		return c.encode()
	}
	tooOld := func() []byte {
		b := mineOn(genesis, nil)
		h := b.Header
		h.Timestamp = genesis.MedianTime()
		for consensus.CheckWork(genesis.Params(), &h) != nil {
			h.Nonce++
		}
		c := compactOf(consensus.AssembleBlock(h, b.Txs))
		return c.encode()
	}
	for name, raw := range map[string][]byte{"no work": noWork(), "too old": tooOld(), "half a message": noWork()[:90]} {
		for _, by := range []way{byPush, byGossip} {
			t.Run(fmt.Sprint(name, by), func(t *testing.T) {
				simulate(t, func(t *testing.T, w *world) {
					n := w.start()
					s := w.stranger(n)
					s.announce(raw, by)
					w.until(3*time.Second, "out", s.out)
					if !s.banned() {
						t.Error("not banned")
					}
				})
			})
		}
	}
}

// announce sends a compact block, as a miner's push or by gossip.
func (s *stranger) announce(raw []byte, by way) {
	s.t.Helper()
	if by == byPush {
		s.typed(s.open(s.ids.relay), relayBlock, raw)
		return
	}
	ps, err := pubsub.NewGossipSub(s.t.Context(), s.Host, s.victim.gossipOptions()...)
	if err != nil {
		s.t.Fatal(err)
	}
	topic, err := ps.Join(s.ids.topic)
	if err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond)
	if err := topic.Publish(s.t.Context(), raw); err != nil {
		s.t.Fatal(err)
	}
}

// A block whose merkle root is right and whose scripts are wrong is relayed by honest nodes. Nobody is blamed for it.
func TestBlockWithWrongScriptsBlamesNobody(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a, b, c := w.start(), w.start(), w.start()
		b.dial(a)
		c.dial(b)
		w.until(time.Second, "connected", w.all(peers(1)))
		time.Sleep(2 * time.Second) // the mesh forms
		s := w.stranger(a)
		bad := mineOn(a.chain.Tip(), badScript)
		compact := compactOf(bad)
		s.announce(compact.encode(), byPush)
		w.until(2*time.Second, "all have refused it", w.all(func(n *node) bool {
			info, err := n.chain.Info(bad.Hash())
			return err == nil && info.HaveData
		}))
		good := c.chain.mine()
		w.until(2*time.Second, "all at the good block", w.all(atTip(good)))
		for _, n := range w.nodes {
			for _, p := range n.Peers() {
				if p.Score != 0 {
					t.Errorf("%s blames %s: %v", n.name, p.Addr, p.Score)
				}
			}
		}
		if a.Count() != 2 || b.Count() != 2 || c.Count() != 1 {
			t.Error("a peer was lost")
		}
	})
}

// A peer that announces a block first and keeps back what is missing of it delays the block for a moment only.
func TestWithheldTransactionsOfABlock(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n, miner := w.start(), w.start()
		n.dial(miner)
		w.until(time.Second, "connected", w.all(peers(1)))
		s := w.stranger(n)
		s.SetStreamHandler(s.ids.blockTxn, func(network.Stream) {})
		block := mineOn(miner.chain.Tip(), nil, payment(1, nil), payment(2, nil))
		compact := compactOf(block)
		s.announce(compact.encode(), byPush)
		time.Sleep(50 * time.Millisecond)
		if _, err := miner.chain.AddBlock(t.Context(), block); err != nil {
			t.Fatal(err)
		}
		took := w.until(2*time.Second, "the block is here", w.all(atTip(block)))
		t.Log("delayed for", took)
	})
}

// A peer that claims much work and has no headers for it is asked and then believed no further.
func TestEmptyClaims(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n, honest := w.start(), w.start()
		for range 30 {
			honest.chain.mine()
		}
		s := w.bare(n)
		var asked atomic.Int32
		s.SetStreamHandler(s.ids.headers, func(st network.Stream) {
			asked.Add(1)
			_, _ = newFrameReader(st, &meter{}, 4096).next(1<<16, time.Second)
			s.frame(st, nil)
			_ = st.Close()
		})
		s.status.Height, s.status.Work, s.status.Tip = 1_000_000, consensus.Work{1}, chainhash.Hash{1}
		s.shake()
		time.Sleep(10 * time.Second)
		if n := asked.Load(); n == 0 || n > 2 {
			t.Errorf("asked %d times in 10 s", n)
		}
		n.dial(honest)
		w.until(3*time.Second, "synced", func() bool { return n.chain.Tip().Height == 30 })
	})
}

// A peer that serves another block under the hash of a good one is banned, and the good one is still taken from others.
func TestMutatedBlocks(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		honest, n := w.start(), w.start()
		good := honest.chain.mine(payment(1, nil))
		bad := consensus.AssembleBlock(good.Header, append(good.Txs[:1:1], payment(2, nil)))
		s := w.bare(n)
		s.SetStreamHandler(s.ids.headers, func(st network.Stream) {
			_, _ = newFrameReader(st, &meter{}, 4096).next(1<<16, time.Second)
			s.frame(st, encodeHeaders([]wire.BlockHeader{good.Header}))
			_ = st.Close()
		})
		s.SetStreamHandler(s.ids.blocks, func(st network.Stream) {
			_, _ = newFrameReader(st, &meter{}, 4096).next(1<<16, time.Second)
			s.typed(st, answerFound, bad.Raw())
			_ = st.Close()
		})
		tip := honest.chain.Tip()
		s.status.Height, s.status.Work, s.status.Tip = tip.Height, tip.Work, tip.Hash
		s.shake()
		w.until(3*time.Second, "out", s.out)
		if !s.banned() {
			t.Error("not banned")
		}
		n.dial(honest)
		w.until(3*time.Second, "synced", w.all(atTip(good)))
	})
}

// Peers that dial us, take requests for blocks and send nothing cost a second, and all that were asked go within ten.
func TestWithheldBlocks(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		honest := w.start()
		var headers []wire.BlockHeader
		for range 1000 {
			headers = append(headers, honest.chain.mine().Header)
		}
		tip := honest.chain.Tip()
		n := w.start()
		var silent []*stranger
		asked := map[*stranger]time.Time{}
		for range 12 {
			s := w.bare(n)
			s.listen()
			s.serveHeaders(func(chainhash.Hash) []wire.BlockHeader { return headers })
			s.SetStreamHandler(s.ids.blocks, func(network.Stream) { // takes the request and is silent
				w.mu.Lock()
				defer w.mu.Unlock()
				if asked[s].IsZero() {
					asked[s] = time.Now()
				}
			})
			s.status.Height, s.status.Work, s.status.Tip = tip.Height, tip.Work, tip.Hash
			s.shake()
			silent = append(silent, s)
		}
		w.until(3*time.Second, "headers", func() bool { return n.chain.BestHeader().Height == tip.Height })
		n.dial(honest)
		took := w.until(3*time.Second, "synced", func() bool { return n.chain.Tip().Height == tip.Height })
		t.Log("synced after", took)
		for _, s := range silent {
			w.mu.Lock()
			at := asked[s]
			w.mu.Unlock()
			if !at.IsZero() {
				w.until(time.Until(at.Add(10*time.Second)), "who took a request is out", s.out)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		t.Logf("%d of %d were asked", len(asked), len(silent))
	})
}
