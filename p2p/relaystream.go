package p2p

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// readRelay reads what a peer writes to its relay stream until the stream ends. Frames are handled one after the other, so that a peer
// cannot send faster than we check.
func (n *Network) readRelay(ctx context.Context, r *remote, s network.Stream) error {
	reader := newFrameReader(s, &r.meter, relayReaderBuffer)
	for {
		kind, payload, err := reader.nextTyped(relayLimit, relayIdle)
		if err != nil {
			return err
		}
		if err := n.relayed(ctx, r, kind, payload); err != nil {
			n.blame(r, err)
			if r.points() >= scoreLimit {
				return nil // it is being disconnected
			}
		}
	}
}

// relayed handles one frame of a relay stream.
func (n *Network) relayed(ctx context.Context, r *remote, kind byte, payload []byte) error {
	switch kind {
	case relayInv:
		items, err := decodeInv(payload)
		if err != nil {
			return err
		}
		return n.txs.announced(r, items)
	case relayGet:
		ids, err := decodePrefixes(payload)
		if err != nil {
			return err
		}
		r.out.answer(ids)
	case relayTx:
		return n.txs.received(ctx, r, payload)
	case relayMissing:
		ids, err := decodePrefixes(payload)
		if err != nil {
			return err
		}
		n.txs.missing(r, ids)
	case relayParents:
		txids, err := decodeParents(payload)
		if err != nil {
			return err
		}
		r.out.lendParents(txids)
	case relayTip:
		m, err := decodeTip(payload)
		if err != nil {
			return err
		}
		n.heardTip(ctx, r, m)
	case relayBlock:
		n.pushed(ctx, r, payload)
	case relayFee:
		rate, err := decodeFeeFilter(payload)
		if err != nil {
			return err
		}
		if r.out.wantsFee(rate) {
			n.txs.greet(r)
		}
	}
	return nil
}

// pushed takes a compact block from a relay stream. It is rebuilt aside: the transactions that are missing may take longer than the
// stream should wait.
func (n *Network) pushed(ctx context.Context, r *remote, payload []byte) {
	select {
	case r.rebuilding <- struct{}{}:
	default:
		return // one at a time; gossip and sync bring the others
	}
	started := n.start(func() {
		defer func() { <-r.rebuilding }()
		ctx, cancel := context.WithTimeout(ctx, validateTimeout)
		defer cancel()
		n.blocks.announced(ctx, r, payload, byPush)
	})
	if !started {
		<-r.rebuilding
	}
}

// writeRelay writes the outbox of a peer to its relay stream until ctx ends or the stream fails.
func (n *Network) writeRelay(ctx context.Context, r *remote, w *frameWriter) error {
	tip := n.chain.Tip()
	r.out.sayTip(tipMessage{Header: tip.Header, Height: tip.Height, Work: tip.Work})
	r.out.sayFee(n.txs.feeFloor())
	for {
		letters, due := r.out.take(time.Now())
		if err := n.writeLetters(r, w, &letters); err != nil {
			return err
		}
		if !letters.empty() {
			continue
		}
		wait := relayKeepalive
		if !due.IsZero() {
			wait = min(wait, time.Until(due))
		}
		timer := time.NewTimer(wait)
		select {
		case <-r.out.wake:
		case <-timer.C:
			if due.IsZero() {
				tip := n.chain.Tip()
				r.out.sayTip(tipMessage{Header: tip.Header, Height: tip.Height, Work: tip.Work})
			}
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// writeLetters writes what is urgent first.
func (n *Network) writeLetters(r *remote, w *frameWriter, l *outLetters) error {
	if l.block != nil {
		if err := w.writeTyped(relayBlock, l.block); err != nil {
			return err
		}
	}
	if l.tip != nil {
		if err := w.writeTyped(relayTip, l.tip.encode()); err != nil {
			return err
		}
	}
	if l.fee != nil {
		if err := w.writeTyped(relayFee, encodeFeeFilter(*l.fee)); err != nil {
			return err
		}
	}
	if len(l.parents) > 0 {
		if err := w.writeTyped(relayParents, encodeParents(l.parents)); err != nil {
			return err
		}
	}
	for ids := range slices.Chunk(l.get, maxAskIDs) {
		if err := w.writeTyped(relayGet, encodePrefixes(ids)); err != nil {
			return err
		}
	}
	for items := range slices.Chunk(l.inv, maxInvIDs) {
		if err := w.writeTyped(relayInv, encodeInv(items)); err != nil {
			return err
		}
	}
	if err := n.writeParents(r, w, l); err != nil {
		return err
	}
	return n.writeTxs(r, w, l.serve)
}

// writeTxs sends the transactions that the peer asks for. It gets only what it knows by an announcement, its own or ours, so that it
// cannot search the pool.
func (n *Network) writeTxs(r *remote, w *frameWriter, ids []wtxPrefix) error {
	var missing []wtxPrefix
	for _, id := range ids {
		tx, ok := n.txs.lookup(id)
		if !ok || !r.out.isKnown(id) || tx.Size() > maxTxBytes {
			missing = append(missing, id)
			continue
		}
		if err := w.writeTyped(relayTx, tx.Raw()); err != nil {
			return err
		}
	}
	for ids := range slices.Chunk(missing, maxAskIDs) {
		if err := w.writeTyped(relayMissing, encodePrefixes(ids)); err != nil {
			return err
		}
	}
	return nil
}

// writeParents sends the parents that the peer asks for, if it knows them by an announcement.
func (n *Network) writeParents(r *remote, w *frameWriter, l *outLetters) error {
	for _, txid := range l.lend {
		tx, ok := n.txs.pool.Get(txid)
		if !ok || !r.out.isKnown(prefixOf(tx.WTxID())) || tx.Size() > maxTxBytes {
			continue
		}
		if err := w.writeTyped(relayTx, tx.Raw()); err != nil {
			return err
		}
	}
	return nil
}
