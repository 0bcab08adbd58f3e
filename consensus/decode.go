package consensus

import (
	"bytes"
	"encoding/binary"

	"github.com/btcsuite/btcd/wire/v2"
)

// Smallest sizes of the parts of a transaction, bytes: a count that needs more than what is left is refused before anything is allocated.
const (
	minTxSize    = 4 + 1 + 1 + 4
	minInputSize = 36 + 1 + 4
	minOutSize   = 8 + 1
)

// ParseHeader reads the 80 bytes of a header.
func ParseHeader(raw []byte) (wire.BlockHeader, error) {
	var h wire.BlockHeader
	if len(raw) != wire.MaxBlockHeaderPayload {
		return h, ruleError(ErrDecode, "a header has %d bytes, not %d", wire.MaxBlockHeaderPayload, len(raw))
	}
	if err := h.Deserialize(bytes.NewReader(raw)); err != nil {
		return h, ruleError(ErrDecode, "header: %v", err)
	}
	return h, nil
}

// ParseTx reads a transaction, which must be all of raw. The result shares nothing with raw.
func ParseTx(raw []byte) (*Tx, error) {
	c := cursor{rest: raw}
	at := c.tx()
	if c.bad || len(c.rest) != 0 {
		return nil, ruleError(ErrDecode, "not one transaction of %d bytes", len(raw))
	}
	return buildTx(raw, at), nil
}

// ParseBlock reads a block, which must be all of raw. The result shares nothing with raw.
func ParseBlock(raw []byte) (*Block, error) {
	if len(raw) <= wire.MaxBlockHeaderPayload {
		return nil, ruleError(ErrDecode, "%d bytes are too few for a block", len(raw))
	}
	h, err := ParseHeader(raw[:wire.MaxBlockHeaderPayload])
	if err != nil {
		return nil, err
	}
	c := cursor{rest: raw[wire.MaxBlockHeaderPayload:]}
	n := c.count(minTxSize)
	txs := make([]*Tx, 0, n)
	for range n {
		from := c.rest
		at := c.tx()
		if c.bad {
			break
		}
		txs = append(txs, buildTx(from[:len(from)-len(c.rest)], at))
	}
	if c.bad || len(c.rest) != 0 {
		return nil, ruleError(ErrDecode, "not one block of %d bytes", len(raw))
	}
	return AssembleBlock(h, txs), nil
}

// txLayout says what a serialized transaction is made of.
type txLayout struct {
	inputs, outputs int
	items           int // of all witnesses
	witness         bool
	witnessAt       int // offset of the first witness
}

// cursor walks over serialized transactions without allocating. After it met something that is none it is bad and stands still.
type cursor struct {
	rest []byte
	bad  bool
}

// tx walks over a transaction (BIP144).
func (c *cursor) tx() (at txLayout) {
	start := len(c.rest)
	c.skip(4)
	if len(c.rest) >= 2 && c.rest[0] == wire.TxFlagMarker {
		if c.rest[1] != byte(wire.WitnessFlag) {
			c.bad = true
			return at
		}
		at.witness = true
		c.skip(2)
	}
	at.inputs = c.count(minInputSize)
	for range at.inputs {
		c.skip(36)
		c.skip(c.count(1))
		c.skip(4)
	}
	at.outputs = c.count(minOutSize)
	for range at.outputs {
		c.skip(8)
		c.skip(c.count(1))
	}
	if at.witness {
		at.witnessAt = start - len(c.rest)
		for range at.inputs {
			n := c.count(1)
			at.items += n
			for range n {
				c.skip(c.count(1))
			}
		}
		c.bad = c.bad || at.items == 0 // the form without witness is the one for that
	}
	c.skip(4)
	return at
}

func (c *cursor) skip(n int) {
	if c.bad || n > len(c.rest) {
		c.bad = true
		return
	}
	c.rest = c.rest[n:]
}

// count reads a number of things that take at least size bytes each. It must be written in its shortest form.
func (c *cursor) count(size int) int {
	if c.bad || len(c.rest) == 0 {
		c.bad = true
		return 0
	}
	var n, least uint64
	first := c.rest[0]
	width := 0
	switch first {
	case 0xfd:
		width, least = 2, 0xfd
	case 0xfe:
		width, least = 4, 0x1_0000
	case 0xff:
		width, least = 8, 0x1_0000_0000
	}
	if len(c.rest) < 1+width {
		c.bad = true
		return 0
	}
	var le [8]byte
	copy(le[:], c.rest[1:1+width])
	n = binary.LittleEndian.Uint64(le[:])
	if width == 0 {
		n = uint64(first)
	}
	c.rest = c.rest[1+width:]
	if n < least || n > uint64(len(c.rest)/size) {
		c.bad = true
		return 0
	}
	return int(n)
}
