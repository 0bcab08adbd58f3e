package p2p

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// status is what two peers tell each other on connect and from time to time.
type status struct {
	Version   uint64
	Network   string
	Genesis   chainhash.Hash
	Tip       chainhash.Hash
	Height    int32
	Work      consensus.Work // of the chain that ends in Tip
	UserAgent string

	BlocksOnly bool // it wants no transactions on this link
}

func (s status) encode() []byte {
	b := binary.AppendUvarint(nil, s.Version)
	b = appendText(b, s.Network)
	b = append(b, s.Genesis[:]...)
	b = append(b, s.Tip[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(s.Height))
	b = append(b, s.Work[:]...)
	b = appendText(b, s.UserAgent)
	if s.BlocksOnly {
		return append(b, statusBlocksOnly)
	}
	return append(b, 0)
}

// statusBlocksOnly is the flag for it at the end of a status.
const statusBlocksOnly = 1

// decodeStatus ignores what follows the fields that it knows: later versions add theirs there.
func decodeStatus(payload []byte) (status, error) {
	d := decoder{rest: payload}
	s := status{Version: d.uvarint(1 << 32), Network: d.text(maxNetworkName), Genesis: d.hash(), Tip: d.hash()}
	s.Height = d.height()
	copy(s.Work[:], d.take(len(s.Work)))
	s.UserAgent = printable(d.text(maxUserAgent))
	if len(d.rest) > 0 { // it has been there since the peers protocol
		s.BlocksOnly = d.take(1)[0]&statusBlocksOnly != 0
	}
	return s, d.err
}

// height returns a block height.
func (d *decoder) height() int32 {
	h := int32(d.uint32())
	if h < 0 {
		d.fail("height %d", uint32(h))
		return 0
	}
	return h
}

// printable makes s fit for a log or a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// headersRequest asks for the headers after the first locator hash that the server has on its best chain, up to stop.
type headersRequest struct {
	Locator []chainhash.Hash
	Stop    chainhash.Hash
}

func (r headersRequest) encode() []byte {
	b := appendHashes(nil, r.Locator[:min(len(r.Locator), maxLocator)])
	return append(b, r.Stop[:]...)
}

func decodeHeadersRequest(payload []byte) (headersRequest, error) {
	d := decoder{rest: payload}
	r := headersRequest{Locator: d.hashes(maxLocator), Stop: d.hash()}
	return r, d.end()
}

// appendHashes appends the number of hashes and the hashes.
func appendHashes(b []byte, hashes []chainhash.Hash) []byte {
	b = binary.AppendUvarint(b, uint64(len(hashes)))
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

func (d *decoder) hashes(limit int) []chainhash.Hash {
	hashes := make([]chainhash.Hash, d.count(limit, chainhash.HashSize))
	for i := range hashes {
		hashes[i] = d.hash()
	}
	return hashes
}

func encodeHeader(h *wire.BlockHeader) []byte {
	var w bytes.Buffer
	w.Grow(headerBytes)
	_ = h.Serialize(&w) // a bytes.Buffer takes every write
	return w.Bytes()
}

func (d *decoder) header() (h wire.BlockHeader) {
	raw := d.take(headerBytes)
	if raw == nil {
		return h
	}
	if err := h.Deserialize(bytes.NewReader(raw)); err != nil {
		d.fail("header: %v", err)
	}
	return h
}

// encodeHeaders is the answer to a headersRequest: headers without anything between.
func encodeHeaders(headers []wire.BlockHeader) []byte {
	b := make([]byte, 0, len(headers)*headerBytes)
	for i := range headers {
		b = append(b, encodeHeader(&headers[i])...)
	}
	return b
}

// decodeHeaders also checks that each header follows the one before.
func decodeHeaders(payload []byte) ([]wire.BlockHeader, error) {
	if len(payload)%headerBytes != 0 || len(payload) > maxHeaders*headerBytes {
		return nil, breachf(offFrame, "%d bytes of headers", len(payload))
	}
	d := decoder{rest: payload}
	headers := make([]wire.BlockHeader, len(payload)/headerBytes)
	for i := range headers {
		headers[i] = d.header()
		if i > 0 && d.err == nil && headers[i].PrevBlock != headers[i-1].BlockHash() {
			d.fail("header %d does not follow the one before", i)
		}
	}
	return headers, d.end()
}

// encodeBlocksRequest asks for whole blocks by their hashes.
func encodeBlocksRequest(hashes []chainhash.Hash) []byte { return appendHashes(nil, hashes) }

func decodeBlocksRequest(payload []byte) ([]chainhash.Hash, error) {
	d := decoder{rest: payload}
	hashes := d.hashes(maxBlocksPerAsk)
	if len(hashes) == 0 {
		d.fail("no blocks asked for")
	}
	return hashes, d.end()
}

// blockTxnRequest asks for transactions of a block by their places in it, which rise.
type blockTxnRequest struct {
	Block   chainhash.Hash
	Indexes []int
}

func (r blockTxnRequest) encode() []byte {
	b := append([]byte(nil), r.Block[:]...)
	b = binary.AppendUvarint(b, uint64(len(r.Indexes)))
	next := 0
	for _, i := range r.Indexes {
		b = binary.AppendUvarint(b, uint64(i-next))
		next = i + 1
	}
	return b
}

func decodeBlockTxnRequest(payload []byte) (blockTxnRequest, error) {
	d := decoder{rest: payload}
	r := blockTxnRequest{Block: d.hash()}
	r.Indexes = make([]int, d.count(maxBlockTxs, 1))
	next := 0
	for i := range r.Indexes {
		r.Indexes[i] = next + int(d.uvarint(maxBlockTxs))
		next = r.Indexes[i] + 1
	}
	if len(r.Indexes) == 0 || next > maxBlockTxs {
		d.fail("%d places up to %d", len(r.Indexes), next)
	}
	return r, d.end()
}

// encodeTxs is the answer to a blockTxnRequest: each transaction with its length before it.
func encodeTxs(txs []*consensus.Tx) []byte {
	var b []byte
	for _, tx := range txs {
		b = binary.AppendUvarint(b, uint64(tx.Size()))
		b = append(b, tx.Raw()...)
	}
	return b
}

// decodeTxs wants exactly n transactions.
func decodeTxs(payload []byte, n int) ([]*consensus.Tx, error) {
	d := decoder{rest: payload}
	var txs []*consensus.Tx
	for len(txs) < n && d.err == nil {
		txs = append(txs, d.tx())
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	return txs, nil
}

func (d *decoder) tx() *consensus.Tx {
	raw := d.take(int(d.uvarint(maxBlockBytes)))
	if d.err != nil {
		return nil
	}
	tx, err := consensus.ParseTx(raw)
	if err != nil {
		d.fail("transaction: %v", err)
	}
	return tx
}

// The answer to a request for blocks or for their transactions is a typed frame each.
const (
	answerFound   byte = 0 // the payload is what was asked for
	answerMissing byte = 1 // it is not here; no payload
)

// answerLimit bounds the frames of such answers.
func answerLimit(kind byte) (int, bool) {
	switch kind {
	case answerFound:
		return maxBlockBytes, true
	case answerMissing:
		return 0, true
	}
	return 0, false
}
