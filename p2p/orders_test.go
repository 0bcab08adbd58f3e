package p2p

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"groat/consensus"
)

// Whatever a peer does with a compact block that it has announced, twice and in every order with its tip, its transactions and the whole block, the
// block arrives from another peer, and nothing of it is left behind (CVE-2024-35202).
func TestCompactBlockInEveryOrder(t *testing.T) {
	block := func(s consensus.State) *consensus.Block { return mineOn(s, nil, payment(1, nil), payment(2, nil)) }
	for _, txs := range []string{"silent", "missing", "other", "right"} {
		for _, whole := range []string{"silent", "missing", "mutated", "right"} {
			for _, tipFirst := range []bool{true, false} {
				t.Run(fmt.Sprint(txs, " ", whole, " ", tipFirst), func(t *testing.T) {
					simulate(t, func(t *testing.T, w *world) {
						n := w.start()
						good := block(n.chain.Tip())
						s := w.stranger(n)
						s.listen()
						s.answer(s.ids.blockTxn, txs, encodeTxs(good.Txs[1:]), encodeTxs([]*consensus.Tx{payment(3, nil), payment(4, nil)}))
						bad := consensus.AssembleBlock(good.Header, append(good.Txs[:2:2], payment(5, nil)))
						s.answer(s.ids.blocks, whole, good.Raw(), bad.Raw())
						state := n.chain.Tip().Next(&good.Header)
						st := s.open(s.ids.relay)
						for range 2 {
							tip := tipMessage{Header: good.Header, Height: 1, Work: state.Work}
							if tipFirst {
								s.try(st, relayTip, tip.encode())
							}
							compact := compactOf(good)
							s.try(st, relayBlock, compact.encode())
							s.try(st, relayTip, tip.encode())
							time.Sleep(100 * time.Millisecond)
						}
						honest := w.start()
						if _, err := honest.chain.AddBlock(t.Context(), good); err != nil {
							t.Fatal(err)
						}
						honest.dial(n)
						w.until(15*time.Second, "the block is here", w.all(atTip(good)))
						time.Sleep(10 * time.Second)
						n.blocks.mu.Lock()
						defer n.blocks.mu.Unlock()
						n.sync.mu.Lock()
						defer n.sync.mu.Unlock()
						if len(n.blocks.arriving)+len(n.blocks.queue)+len(n.sync.plan.jobs) != 0 || n.sync.plan.queued != 0 {
							t.Error("something of the block is left")
						}
					})
				})
			}
		}
	}
}

// try writes a frame to a stream that the victim may have ended.
func (s *stranger) try(st network.Stream, kind byte, payload []byte) {
	_ = (&frameWriter{dst: st, meter: &meter{}}).writeTyped(kind, payload)
}

// A malformed copy of a block from one peer does not end its download from another, slow one (CVE-2024-52921).
func TestMutatedBlockLeavesOtherDownloadsAlone(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		good := mineOn(n.chain.Tip(), nil, payment(1, nil))
		bad := consensus.AssembleBlock(good.Header, append(good.Txs[:1:1], payment(2, nil)))
		tip := n.chain.Tip().Next(&good.Header)
		var asked, served atomic.Int32
		for _, evil := range []bool{false, true} {
			s := w.bare(n)
			s.listen()
			s.serveHeaders(func(chainhash.Hash) []wire.BlockHeader { return []wire.BlockHeader{good.Header} })
			s.SetStreamHandler(s.ids.blocks, func(st network.Stream) {
				if evil {
					s.try(st, answerFound, bad.Raw())
					_ = st.Close()
					return
				}
				asked.Add(1)
				time.Sleep(4500 * time.Millisecond) // less than firstByteTimeout, and the other one is asked meanwhile
				s.try(st, answerFound, good.Raw())
				served.Add(1)
				_ = st.Close()
			})
			s.status.Height, s.status.Work, s.status.Tip = 1, tip.Work, tip.Hash
			s.shake()
			w.until(2*time.Second, "asked", func() bool { return evil || asked.Load() == 1 })
			if evil {
				w.until(10*time.Second, "the evil one is out", s.out)
			}
		}
		w.until(10*time.Second, "the block is here", w.all(atTip(good)))
		if asked.Load() != 1 || served.Load() != 1 {
			t.Errorf("the slow one was asked %d times", asked.Load())
		}
	})
}

// answer serves requests of a protocol in one of four ways.
func (s *stranger) answer(id protocol.ID, how string, right, wrong []byte) {
	s.SetStreamHandler(id, func(st network.Stream) {
		switch how {
		case "silent":
			return
		case "missing":
			s.try(st, answerMissing, nil)
		case "right":
			s.try(st, answerFound, right)
		default:
			s.try(st, answerFound, wrong)
		}
		_ = st.Close()
	})
}
