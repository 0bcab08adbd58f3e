package p2p

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// decoder takes values off a payload. After the first failure it returns zero values and keeps the error.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = breachf(offFrame, format, args...)
	}
	d.rest = nil
}

// take returns the next n bytes, which share the payload's memory.
func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.rest) {
		d.fail("%d bytes left where %d are needed", len(d.rest), n)
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

// uvarint returns a number of at most limit.
func (d *decoder) uvarint(limit uint64) uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("malformed number")
		return 0
	}
	if v > limit {
		d.fail("number %d above %d", v, limit)
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count returns a number of items of at least size bytes each, which must fit into what is left.
func (d *decoder) count(limit, size int) int {
	n := int(d.uvarint(uint64(limit)))
	if n*size > len(d.rest) {
		d.fail("%d items in %d bytes", n, len(d.rest))
		return 0
	}
	return n
}

func (d *decoder) uint32() uint32 {
	b := d.take(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func (d *decoder) uint64() uint64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (d *decoder) hash() (h chainhash.Hash) {
	copy(h[:], d.take(chainhash.HashSize))
	return h
}

// text returns a string of at most limit bytes with its length before it.
func (d *decoder) text(limit int) string {
	return string(d.take(int(d.uvarint(uint64(limit)))))
}

// end returns the first failure, or one if bytes are left.
func (d *decoder) end() error {
	if d.err == nil && len(d.rest) > 0 {
		d.fail("%d bytes too many", len(d.rest))
	}
	return d.err
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
