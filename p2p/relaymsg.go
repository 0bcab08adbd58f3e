package p2p

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// The types of frames on a relay stream. Whoever opened the stream writes; the other end only reads.
const (
	relayInv     byte = 1 // announces transactions
	relayGet     byte = 2 // asks for announced transactions
	relayTx      byte = 3 // one transaction
	relayMissing byte = 4 // says that transactions asked for are not here
	relayParents byte = 5 // asks for transactions by whole txid: parents of an orphan
	relayTip     byte = 6 // the sender's tip, on every change and to keep the stream alive
	relayBlock   byte = 7 // a compact block, pushed by who made it
	relayFee     byte = 8 // what a transaction must pay to be announced to the sender
)

// relayLimit bounds the frames of a relay stream.
func relayLimit(kind byte) (int, bool) {
	switch kind {
	case relayInv:
		return maxInvIDs * (len(wtxPrefix{}) + binary.MaxVarintLen32), true
	case relayGet, relayMissing:
		return maxAskIDs * len(wtxPrefix{}), true
	case relayTx:
		return maxTxBytes, true
	case relayParents:
		return maxParentsPerAsk * chainhash.HashSize, true
	case relayTip:
		return maxTipBytes, true
	case relayBlock:
		return maxCompactBytes, true
	case relayFee:
		return 8, true
	}
	return 0, false
}

// wtxPrefix is the first half of a wtxid. To shadow somebody else's transaction takes 2^128 work, and a pair made at 2^64 harms only its maker.
type wtxPrefix [16]byte

func prefixOf(wtxid chainhash.Hash) wtxPrefix { return wtxPrefix(wtxid[:len(wtxPrefix{})]) }

// invItem announces a transaction.
type invItem struct {
	ID    wtxPrefix
	VSize uint32

	rate btcutil.Amount // what it pays per 1,000 virtual bytes; not sent
}

func encodeInv(items []invItem) []byte {
	b := make([]byte, 0, len(items)*(len(wtxPrefix{})+3))
	for _, it := range items {
		b = append(b, it.ID[:]...)
		b = binary.AppendUvarint(b, uint64(it.VSize))
	}
	return b
}

func decodeInv(payload []byte) ([]invItem, error) {
	d := decoder{rest: payload}
	var items []invItem
	for len(d.rest) > 0 && d.err == nil {
		it := invItem{ID: d.prefix()}
		it.VSize = uint32(d.uvarint(maxTxBytes))
		items = append(items, it)
	}
	if d.err == nil && (len(items) == 0 || len(items) > maxInvIDs) {
		d.fail("%d announcements", len(items))
	}
	return items, d.err
}

func (d *decoder) prefix() (p wtxPrefix) {
	copy(p[:], d.take(len(p)))
	return p
}

func encodePrefixes(ids []wtxPrefix) []byte {
	b := make([]byte, 0, len(ids)*len(wtxPrefix{}))
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return b
}

func decodePrefixes(payload []byte) ([]wtxPrefix, error) {
	n := len(payload) / len(wtxPrefix{})
	if n == 0 || n > maxAskIDs || len(payload)%len(wtxPrefix{}) != 0 {
		return nil, breachf(offFrame, "%d bytes of transaction ids", len(payload))
	}
	d := decoder{rest: payload}
	ids := make([]wtxPrefix, n)
	for i := range ids {
		ids[i] = d.prefix()
	}
	return ids, d.end()
}

func encodeParents(txids []chainhash.Hash) []byte {
	b := make([]byte, 0, len(txids)*chainhash.HashSize)
	for _, id := range txids {
		b = append(b, id[:]...)
	}
	return b
}

func decodeParents(payload []byte) ([]chainhash.Hash, error) {
	n := len(payload) / chainhash.HashSize
	if n == 0 || n > maxParentsPerAsk || len(payload)%chainhash.HashSize != 0 {
		return nil, breachf(offFrame, "%d bytes of transaction ids", len(payload))
	}
	d := decoder{rest: payload}
	txids := make([]chainhash.Hash, n)
	for i := range txids {
		txids[i] = d.hash()
	}
	return txids, d.end()
}

// tipMessage tells where the sender is.
type tipMessage struct {
	Header wire.BlockHeader
	Height int32
	Work   consensus.Work
}

func (m tipMessage) encode() []byte {
	b := binary.LittleEndian.AppendUint32(encodeHeader(&m.Header), uint32(m.Height))
	return append(b, m.Work[:]...)
}

func decodeTip(payload []byte) (tipMessage, error) {
	d := decoder{rest: payload}
	m := tipMessage{Header: d.header(), Height: d.height()}
	copy(m.Work[:], d.take(len(m.Work)))
	return m, d.end()
}
