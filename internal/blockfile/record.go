package blockfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const (
	headerSize = 12 // magic, length, checksum

	// MaxPayload bounds what one record holds. The longest is the undo record of a block that spends as many coins as fit,
	// 24,390, each with a script of 10,000 bytes: 245 MB.
	MaxPayload = 256 << 20
)

func (f *Files) encode(payload []byte) []byte {
	out := make([]byte, headerSize, headerSize+len(payload))
	copy(out, f.o.Magic[:])
	binary.LittleEndian.PutUint32(out[4:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(out[8:], checksum(payload))
	return append(out, payload...)
}

// readRecord returns the payload of the record at offset of a file of size bytes. What is not a whole and good record is
// ErrDamaged; other errors are the disk's own.
func (f *Files) readRecord(file File, offset uint32, size int64) ([]byte, error) {
	var header [headerSize]byte
	if int64(offset)+headerSize > size {
		return nil, fmt.Errorf("%w: no record begins here", ErrDamaged)
	}
	if _, err := file.ReadAt(header[:], int64(offset)); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(header[4:])
	if !bytes.Equal(header[:4], f.o.Magic[:]) || n == 0 || n > MaxPayload {
		return nil, fmt.Errorf("%w: no record begins here", ErrDamaged)
	}
	if int64(offset)+headerSize+int64(n) > size {
		return nil, fmt.Errorf("%w: a record is cut short", ErrDamaged)
	}
	payload := make([]byte, n)
	if _, err := file.ReadAt(payload, int64(offset)+headerSize); err != nil {
		return nil, err
	}
	if checksum(payload) != binary.LittleEndian.Uint32(header[8:]) {
		return nil, fmt.Errorf("%w: a checksum does not match", ErrDamaged)
	}
	return payload, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
