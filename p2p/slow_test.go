package p2p

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// Frames that come at a byte a second cost a stream for ten seconds, and no ban: the sender may only be slow.
func TestSlowSendersAreCutOff(t *testing.T) {
	for name, start := range map[string]func(protocols) (protocol.ID, []byte){
		"status":   func(p protocols) (protocol.ID, []byte) { return p.status, []byte{200, 1} },
		"headers":  func(p protocols) (protocol.ID, []byte) { return p.headers, []byte{200, 1} },
		"blocks":   func(p protocols) (protocol.ID, []byte) { return p.blocks, []byte{200, 1} },
		"blocktxn": func(p protocols) (protocol.ID, []byte) { return p.blockTxn, []byte{200, 1} },
		"txrelay":  func(p protocols) (protocol.ID, []byte) { return p.relay, []byte{relayTx, 200, 1} },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				s := w.stranger(w.start())
				id, head := start(s.ids)
				st, began := s.open(id), time.Now()
				for _, err := st.Write(head); err == nil; _, err = st.Write([]byte{0}) {
					time.Sleep(time.Second)
				}
				if took := time.Since(began); took > frameTimeout+2*time.Second {
					t.Errorf("read a byte a second for %v", took)
				}
				if s.banned() {
					t.Error("banned for being slow")
				}
			})
		})
	}
}

// A peer that opens all the streams it can and sends nothing on them has a few, for ten seconds, and others are served as before.
func TestStreamsAreBoundedPerPeer(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n, other := w.start(), w.start()
		s := w.bare(n)
		s.listen()
		s.shake()
		for _, id := range s.asking() {
			for range 50 {
				half := byte(33) // the length of something that never comes
				if id == s.ids.relay {
					half = relayTx
				}
				_, _ = s.open(id).Write([]byte{half}) // it may have been refused
			}
		}
		time.Sleep(time.Second)
		if got, most := s.held(), 4+4+4+8+2; got != most {
			t.Errorf("%d streams of one peer are open, not %d", got, most)
		}
		for range 20 {
			n.chain.mine()
		}
		other.dial(n)
		took := w.until(2*time.Second, "others are served", func() bool { return other.chain.Tip().Height == 20 })
		t.Log("another peer has 20 blocks after", took)
		w.until(frameTimeout+time.Second, "its streams have ended", func() bool { return s.held() == 0 })
	})
}

// held returns how many streams the victim holds open for the stranger.
func (s *stranger) held() int {
	open := 0
	for _, c := range s.victim.host.Network().ConnsToPeer(s.ID()) {
		for _, st := range c.GetStreams() {
			if st.Stat().Direction == network.DirInbound && slices.Contains(s.asking(), st.Protocol()) {
				open++
			}
		}
	}
	return open
}

// asking are the protocols by which the stranger asks something of the victim.
func (s *stranger) asking() []protocol.ID {
	return []protocol.ID{s.ids.status, s.ids.headers, s.ids.blocks, s.ids.blockTxn, s.ids.relay}
}
