package node

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"groat/consensus"
)

// blockReader reads a file of blocks as Bitcoin keeps them: before each block the four bytes that mark its network and its length
// in four more; zeros, or the end of the file, after the last one.
type blockReader struct {
	name   string
	params *consensus.Params
	in     *bufio.Reader
	at     int64 // where the next block begins
}

// rawBlock is a block as it stands in a file.
type rawBlock struct {
	at  int64 // of its eight bytes of head
	raw []byte
}

// headSize is the size of what precedes each block.
const headSize = 8

// readBuffer is as large as most blocks, so that one takes one or two reads.
const readBuffer = 1 << 20

func newBlockReader(name string, in io.Reader, p *consensus.Params) *blockReader {
	return &blockReader{name: name, params: p, in: bufio.NewReaderSize(in, readBuffer)}
}

// next returns the next block, or io.EOF after the last one.
func (r *blockReader) next() (rawBlock, error) {
	var head [headSize]byte
	n, err := io.ReadFull(r.in, head[:])
	if errors.Is(err, io.ErrUnexpectedEOF) && allZero(head[:n]) {
		err = io.EOF
	}
	switch {
	case errors.Is(err, io.EOF), err == nil && allZero(head[:4]):
		return rawBlock{}, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return rawBlock{}, r.cutOff()
	case err != nil:
		return rawBlock{}, fmt.Errorf("%s: read at byte %d: %w", r.name, r.at, bare(err))
	}
	if err := r.checkMagic([4]byte(head[:4])); err != nil {
		return rawBlock{}, err
	}
	size := binary.LittleEndian.Uint32(head[4:])
	if size > consensus.MaxBlockWeight {
		return rawBlock{}, fmt.Errorf("%s: at byte %d a block of %d bytes is announced, more than a block may have: the file is damaged there; get a good copy and import it again", r.name, r.at, size)
	}
	b := rawBlock{at: r.at, raw: make([]byte, size)}
	switch _, err := io.ReadFull(r.in, b.raw); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return rawBlock{}, r.cutOff()
	case err != nil:
		return rawBlock{}, fmt.Errorf("%s: read at byte %d: %w", r.name, r.at, bare(err))
	}
	r.at += headSize + int64(size)
	return b, nil
}

// cutOff says that the file ends within a block.
func (r *blockReader) cutOff() error {
	return fmt.Errorf("%s: the block at byte %d is cut off by the end of the file; get the whole file and import it again", r.name, r.at)
}

// checkMagic refuses what is no block of this network.
func (r *blockReader) checkMagic(magic [4]byte) error {
	if magic == r.params.Magic {
		return nil
	}
	for _, name := range consensus.Names() {
		if other, err := consensus.ByName(name); err == nil && other.Magic == magic {
			return fmt.Errorf("%s: the block at byte %d is one of network %s, not of %s; import it with --network %s", r.name, r.at, name, r.params.Name, name)
		}
	}
	if r.at == 0 {
		return fmt.Errorf("%s: this is no block file: it begins with % x, where blocks of %s have % x; look whether it is the right file", r.name, magic, r.params.Name, r.params.Magic)
	}
	return fmt.Errorf("%s: no block begins at byte %d, the file is damaged there; get a good copy and import it again", r.name, r.at)
}

// allZero reports whether b holds nothing but zeros.
func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
