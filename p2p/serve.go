package p2p

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"groat/consensus"
	"groat/internal/ledger"
)

// handler answers a stream of a peer. A breach that it returns is charged to the peer.
type handler func(ctx context.Context, r *remote, s network.Stream) error

// serve answers the streams of peers until ctx ends.
func (n *Network) serve(ctx context.Context) {
	n.handle(ctx, n.ids.status, false, n.answerStatus)
	n.handle(ctx, n.ids.relay, true, n.readRelay)
	n.handle(ctx, n.ids.headers, true, n.answerHeaders)
	n.handle(ctx, n.ids.blocks, true, n.answerBlocks)
	n.handle(ctx, n.ids.blockTxn, true, n.answerBlockTxn)
	if n.opts.Discovery {
		n.handle(ctx, n.ids.peers, true, n.answerPeers)
	}
}

// handle lets h answer streams of a protocol. afterHandshake says that they wait for it: the end that finishes it first may open a stream
// before the other one has.
func (n *Network) handle(ctx context.Context, id protocol.ID, afterHandshake bool, h handler) {
	n.host.SetStreamHandler(id, func(s network.Stream) {
		started := n.start(func() {
			if err := n.answer(ctx, s, afterHandshake, h); err != nil {
				_ = s.Reset() // the stream has failed already
				return
			}
			_ = s.Close() // the answer is written
		})
		if !started {
			_ = s.Reset() // we are closing
		}
	})
}

func (n *Network) answer(ctx context.Context, s network.Stream, afterHandshake bool, h handler) error {
	r := n.peers.get(s.Conn().RemotePeer())
	if r == nil {
		return errors.New("no peer")
	}
	if afterHandshake {
		select {
		case <-r.ready:
		case <-r.gone:
			return errors.New("peer has gone")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(handshakeTimeout):
			return errors.New("no handshake")
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	err := h(ctx, r, s)
	if err != nil && ctx.Err() == nil {
		n.log.Debug("stream", "peer", r.id, "protocol", s.Protocol(), "err", err)
		n.blame(r, err)
	}
	return err
}

func (n *Network) answerHeaders(ctx context.Context, r *remote, s network.Stream) error {
	limit := maxLocator*32 + 64
	payload, err := newFrameReader(s, &r.meter, limit).next(limit, frameTimeout)
	if err != nil {
		return err
	}
	ask, err := decodeHeadersRequest(payload)
	if err != nil {
		return err
	}
	if err := r.headers.Wait(ctx); err != nil {
		return err
	}
	w := frameWriter{dst: s, meter: &r.meter}
	return w.write(encodeHeaders(n.chain.HeadersAfter(ask.Locator, ask.Stop, maxHeaders)))
}

func (n *Network) answerBlocks(ctx context.Context, r *remote, s network.Stream) error {
	limit := maxBlocksPerAsk*32 + 1
	payload, err := newFrameReader(s, &r.meter, limit).next(limit, frameTimeout)
	if err != nil {
		return err
	}
	hashes, err := decodeBlocksRequest(payload)
	if err != nil {
		return err
	}
	w, sent := frameWriter{dst: s, meter: &r.meter}, 0
	for _, hash := range hashes {
		if sent > maxBlocksAnswer {
			return nil
		}
		raw, err := n.blocks.raw(hash)
		if err != nil {
			if !notHere(err) {
				n.log.Error("read a block for a peer", "hash", hash, "err", err)
			}
			if err := w.writeTyped(answerMissing, nil); err != nil {
				return err
			}
			continue
		}
		if err := r.serving.WaitN(ctx, max(len(raw), serveMinimumBytes)); err != nil {
			return err
		}
		if err := w.writeTyped(answerFound, raw); err != nil {
			return err
		}
		sent += len(raw)
	}
	return nil
}

func (n *Network) answerBlockTxn(ctx context.Context, r *remote, s network.Stream) error {
	limit := 32 + 3*(maxBlockTxs+1)
	payload, err := newFrameReader(s, &r.meter, 4<<10).next(limit, frameTimeout)
	if err != nil {
		return err
	}
	ask, err := decodeBlockTxnRequest(payload)
	if err != nil {
		return err
	}
	w := frameWriter{dst: s, meter: &r.meter}
	block, err := n.blocks.block(ask.Block)
	if err != nil {
		return w.writeTyped(answerMissing, nil)
	}
	txs, size := make([]*consensus.Tx, 0, len(ask.Indexes)), 0
	for _, i := range ask.Indexes {
		if i >= len(block.Txs) {
			return breachf(offFrame, "transaction %d of a block of %d", i, len(block.Txs))
		}
		txs = append(txs, block.Txs[i])
		size += block.Txs[i].Size() + 5
	}
	if size > maxBlockBytes {
		return w.writeTyped(answerMissing, nil)
	}
	if err := r.serving.WaitN(ctx, max(size, serveMinimumBytes)); err != nil {
		return fmt.Errorf("serve transactions: %w", err)
	}
	return w.writeTyped(answerFound, encodeTxs(txs))
}

// notHere reports whether err only says that a block is not here.
func notHere(err error) bool {
	return errors.Is(err, ledger.ErrUnknownBlock) || errors.Is(err, ledger.ErrNoData) || errors.Is(err, ledger.ErrPruned)
}
