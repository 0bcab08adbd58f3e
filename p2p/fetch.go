package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"groat/consensus"
	"groat/internal/ledger"
)

// request opens a stream, sends one frame and closes its own half. The caller reads the answer and calls done.
func (n *Network) request(ctx context.Context, r *remote, id protocol.ID, payload []byte) (s network.Stream, done func(), err error) {
	s, err = n.open(ctx, r, id)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	done = func() {
		stop()
		_ = s.Reset() // what is left of the answer is not wanted; a stream that is only closed would stay counted
	}
	w := frameWriter{dst: s, meter: &r.meter}
	if err := w.write(payload); err != nil {
		done()
		return nil, nil, fmt.Errorf("send request: %w", err)
	}
	if err := s.CloseWrite(); err != nil {
		done()
		return nil, nil, fmt.Errorf("send request: %w", err)
	}
	return s, done, nil
}

// fetchHeaders asks a peer for headers and gives them to the chain.
func (s *syncer) fetchHeaders(ctx context.Context, r *remote) {
	answer, err := s.n.fetchHeaders(ctx, r)
	if err != nil {
		if ctx.Err() == nil {
			s.n.log.Debug("fetch headers", "peer", r.id, "err", err)
			s.n.blame(r, err)
		}
		s.change(func(p *syncPlan) { p.noHeaders(r.num, time.Now()) })
		return
	}
	s.change(func(p *syncPlan) { p.gotHeaders(r.num, answer, time.Now()) })
}

func (n *Network) fetchHeaders(ctx context.Context, r *remote) (headersAnswer, error) {
	ask := r.trail.request(n.chain.Locator())
	s, done, err := n.request(ctx, r, n.ids.headers, ask.encode())
	if err != nil {
		return headersAnswer{}, err
	}
	defer done()
	payload, err := newFrameReader(s, &r.meter, 4<<10).next(maxHeaders*headerBytes, headersTimeout)
	if err != nil {
		return headersAnswer{}, err
	}
	headers, err := decodeHeaders(payload)
	if err != nil {
		return headersAnswer{}, err
	}
	answer, err := n.takeHeaders(ctx, r, headers)
	var rule consensus.RuleError
	switch {
	case blockOffence(err):
		return answer, breachf(offHeader, "%v", err)
	case err != nil && !errors.As(err, &rule) && !errors.As(err, new(breach)) && !errors.Is(err, errStrayed) && ctx.Err() == nil:
		n.log.Error("add headers", "err", err)
	}
	return answer, err
}

// fetchBlocks asks a peer for blocks and gives them to the chain one by one, as they come.
func (s *syncer) fetchBlocks(ctx context.Context, r *remote, a blocksAsk) {
	began, size := time.Now(), 0
	missing, err := s.n.fetchBlocks(ctx, r, a, func(b *consensus.Block) error {
		size += b.Size()
		if err := s.contested(b); err != nil {
			return err
		}
		var wanted bool
		s.change(func(p *syncPlan) { wanted = p.arrived(b.Hash(), b.Size()) })
		if wanted {
			s.n.blocks.enqueue(b, r)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.n.log.Debug("fetch blocks", "peer", r.id, "blocks", len(a.Blocks), "err", err)
		s.n.blame(r, err)
	}
	result := askResult{Missing: missing, Failed: size == 0 && missing == 0}
	result.Silent = result.Failed && isTimeout(err) && !errors.Is(err, network.ErrReset)
	if took := time.Since(began).Seconds(); took > 0 {
		result.BytesPerSec = float64(size) / took
	}
	s.change(func(p *syncPlan) { p.ended(a, result, time.Now()) })
}

// contested checks a block that others have been asked for too before it ends their requests: whoever sends a copy that is malformed must not
// stop the download from another peer.
func (s *syncer) contested(b *consensus.Block) error {
	asked := 0
	s.mu.Lock()
	if job := s.plan.jobs[b.Hash()]; job != nil {
		asked = len(job.asks)
	}
	s.mu.Unlock()
	if asked < 2 {
		return nil
	}
	parent, err := s.n.chain.Info(b.Header.PrevBlock)
	if err != nil {
		return nil // the chain will tell
	}
	if err := checkBeforeRelay(parent.State, b); blockOffence(err) {
		return breachf(offBlock, "%v", err)
	}
	return nil
}

// fetchBlocks calls got for each block of the answer and returns the height of the lowest that the peer does not have.
func (n *Network) fetchBlocks(ctx context.Context, r *remote, a blocksAsk, got func(*consensus.Block) error) (missing int32, err error) {
	hashes := make([]chainhash.Hash, len(a.Blocks))
	for i, ref := range a.Blocks {
		hashes[i] = ref.Hash
	}
	s, done, err := n.request(ctx, r, n.ids.blocks, encodeBlocksRequest(hashes))
	if err != nil {
		return 0, err
	}
	defer done()
	reader := newFrameReader(s, &r.meter, 32<<10)
	for i, ref := range a.Blocks {
		wait := frameTimeout
		if i == 0 {
			wait = firstByteTimeout
		}
		kind, payload, err := reader.nextTyped(answerLimit, wait)
		if errors.Is(err, io.EOF) && i > 0 {
			return missing, nil // the server sends no more at once
		}
		if err != nil {
			return missing, err
		}
		if kind == answerMissing {
			if missing == 0 {
				missing = ref.Height
			}
			continue
		}
		b, err := consensus.ParseBlock(payload)
		if err != nil {
			return missing, breachf(offBlock, "%v", err)
		}
		if b.Hash() != ref.Hash {
			return missing, breachf(offBlock, "block %v where %v was asked for", b.Hash(), ref.Hash)
		}
		if err := got(b); err != nil {
			return missing, err
		}
	}
	return missing, nil
}

// fetchOne asks a peer for one whole block; nil if it cannot be had.
func (n *Network) fetchOne(ctx context.Context, r *remote, hash chainhash.Hash) (b *consensus.Block, err error) {
	a := blocksAsk{Peer: r.num, Blocks: []ledger.Ref{{Hash: hash}}}
	_, err = n.fetchBlocks(ctx, r, a, func(got *consensus.Block) error { b = got; return nil })
	n.blame(r, err)
	return b, err
}

// fetchTxs asks a peer for transactions of a block.
func (n *Network) fetchTxs(ctx context.Context, r *remote, ask blockTxnRequest) ([]*consensus.Tx, error) {
	ctx, cancel := context.WithTimeout(ctx, blockTxnTimeout)
	defer cancel()
	s, done, err := n.request(ctx, r, n.ids.blockTxn, ask.encode())
	if err != nil {
		return nil, err
	}
	defer done()
	kind, payload, err := newFrameReader(s, &r.meter, 32<<10).nextTyped(answerLimit, blockTxnTimeout)
	if err != nil {
		return nil, err
	}
	if kind == answerMissing {
		return nil, errors.New("the peer does not have the block")
	}
	return decodeTxs(payload, len(ask.Indexes))
}
