package p2p

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// compactBlock is a block with short ids in place of the transactions that its reader probably has, as in BIP152 but with ids of 8
// bytes: in gossip everybody sees the same ids, so that one collision would hit all at once.
type compactBlock struct {
	Header    wire.BlockHeader
	Nonce     uint64
	IDs       []uint64 // of the transactions that are not prefilled, in order
	Prefilled []prefilledTx
}

// prefilledTx is a transaction that the compact block carries whole, with its place in the block.
type prefilledTx struct {
	Index int
	Tx    *consensus.Tx
}

// canonicalNonce is the nonce that announcers use, so that two who announce the same block send the same bytes and gossip
// carries them once.
const canonicalNonce = 0

// compactOf returns the canonical compact form of b: only the coinbase is prefilled.
func compactOf(b *consensus.Block) compactBlock {
	c := compactBlock{Header: b.Header, Nonce: canonicalNonce}
	key := c.key()
	for i, tx := range b.Txs {
		if i == 0 {
			c.Prefilled = append(c.Prefilled, prefilledTx{Index: 0, Tx: tx})
			continue
		}
		c.IDs = append(c.IDs, shortID(key, tx.WTxID()))
	}
	return c
}

// key returns the key of the short ids: the first 16 bytes of SHA256(header, nonce), as two little-endian numbers.
func (c *compactBlock) key() sipKey {
	h := sha256.Sum256(binary.LittleEndian.AppendUint64(encodeHeader(&c.Header), c.Nonce))
	return sipKey{binary.LittleEndian.Uint64(h[:8]), binary.LittleEndian.Uint64(h[8:16])}
}

func shortID(key sipKey, wtxid chainhash.Hash) uint64 { return sipHash(key, wtxid[:]) }

func (c *compactBlock) encode() []byte {
	b := binary.LittleEndian.AppendUint64(encodeHeader(&c.Header), c.Nonce)
	b = binary.AppendUvarint(b, uint64(len(c.IDs)))
	for _, id := range c.IDs {
		b = binary.LittleEndian.AppendUint64(b, id)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Prefilled)))
	next := 0
	for _, p := range c.Prefilled {
		b = binary.AppendUvarint(b, uint64(p.Index-next))
		b = binary.AppendUvarint(b, uint64(p.Tx.Size()))
		b = append(b, p.Tx.Raw()...)
		next = p.Index + 1
	}
	return b
}

func decodeCompact(payload []byte) (*compactBlock, error) {
	if len(payload) > maxCompactBytes {
		return nil, breachf(offFrame, "compact block of %d bytes", len(payload))
	}
	d := decoder{rest: payload}
	c := &compactBlock{Header: d.header(), Nonce: d.uint64()}
	c.IDs = make([]uint64, d.count(maxBlockTxs, 8))
	for i := range c.IDs {
		c.IDs[i] = d.uint64()
	}
	n := d.count(maxBlockTxs, 2)
	total, next := len(c.IDs)+n, 0
	for range n {
		p := prefilledTx{Index: next + int(d.uvarint(maxBlockTxs)), Tx: d.tx()}
		if d.err != nil {
			return nil, d.err
		}
		if p.Index >= total {
			return nil, breachf(offFrame, "prefilled transaction %d of %d", p.Index, total)
		}
		c.Prefilled = append(c.Prefilled, p)
		next = p.Index + 1
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	if total == 0 || total > maxBlockTxs {
		return nil, breachf(offFrame, "compact block of %d transactions", total)
	}
	return c, nil
}

// rebuild is a block that is being put together again.
type rebuild struct {
	header  wire.BlockHeader
	txs     []*consensus.Tx // nil where missing
	missing []int           // places in rising order
}

// fill puts the prefilled transactions and those of candidates at their places. A short id that two candidates share counts as
// missing, so that the right one is asked for.
func (c *compactBlock) fill(candidates []*consensus.Tx) *rebuild {
	r := &rebuild{header: c.Header, txs: make([]*consensus.Tx, len(c.IDs)+len(c.Prefilled))}
	for _, p := range c.Prefilled {
		r.txs[p.Index] = p.Tx
	}
	byID := make(map[uint64]*consensus.Tx, len(c.IDs))
	for _, id := range c.IDs {
		byID[id] = nil
	}
	key, shared := c.key(), map[uint64]bool{}
	for _, tx := range candidates {
		id := shortID(key, tx.WTxID())
		held, wanted := byID[id]
		if !wanted {
			continue
		}
		if held != nil && held.WTxID() != tx.WTxID() {
			shared[id] = true
		}
		byID[id] = tx
	}
	next := 0
	for i := range r.txs {
		if r.txs[i] != nil {
			continue
		}
		id := c.IDs[next]
		next++
		if tx := byID[id]; tx != nil && !shared[id] {
			r.txs[i] = tx
			continue
		}
		r.missing = append(r.missing, i)
	}
	return r
}

// add puts the transactions that were missing at their places, in the order of r.missing.
func (r *rebuild) add(txs []*consensus.Tx) {
	for i, place := range r.missing {
		r.txs[place] = txs[i]
	}
	r.missing = nil
}

// block returns the whole block. Nothing may be missing.
func (r *rebuild) block() *consensus.Block { return consensus.AssembleBlock(r.header, r.txs) }
