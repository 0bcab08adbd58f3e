package blockfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"groat/consensus"
)

// Why a file of blocks cannot be read on, for errors.Is. Each comes as a *FormatError.
var (
	ErrNoise        = errors.New("no block file")
	ErrWrongNetwork = errors.New("a block file of another network")
	ErrTruncated    = errors.New("a truncated block file")
	ErrOversized    = errors.New("a block longer than any can be")
)

const (
	prefixSize = 8       // magic and length
	minBlock   = 80 + 1  // a header and a count of transactions
	maxBlock   = 4000000 // no block of the largest weight is longer (BIP141)
)

// FormatError says what is wrong with a file of blocks and where. All blocks before Offset were good records.
type FormatError struct {
	Kind   error // ErrNoise, ErrWrongNetwork, ErrTruncated or ErrOversized
	Offset int64 // of the record that could not be read
	Detail string
}

// Error says it in one line.
func (e *FormatError) Error() string {
	return fmt.Sprintf("%v: byte %d: %s", e.Kind, e.Offset, e.Detail)
}

// Unwrap returns the kind.
func (e *FormatError) Unwrap() error { return e.Kind }

// RawBlock is a serialized block and where its record begins in the file.
type RawBlock struct {
	Offset int64
	Raw    []byte
}

// Reader reads Bitcoin's exchange format: a 4-byte magic, a 4-byte little-endian length and a block, again and again; the end of
// the file or a magic of zeros ends it. Blocks may be in any order.
type Reader struct {
	file    io.ReaderAt
	network string
	magic   [4]byte
	buf     *bufio.Reader
	offset  int64 // of the next record
}

// NewReader reads file, which holds size bytes, as blocks of p.
func NewReader(p *consensus.Params, file io.ReaderAt, size int64) *Reader {
	return &Reader{
		file: file, network: p.Name, magic: p.Magic, buf: bufio.NewReaderSize(io.NewSectionReader(file, 0, size), 1<<20),
	}
}

// Offset returns how much of the file has been read, in bytes.
func (r *Reader) Offset() int64 { return r.offset }

// Next returns the next block, io.EOF after the last or a *FormatError.
func (r *Reader) Next() (RawBlock, error) {
	var prefix [prefixSize]byte
	n, err := io.ReadFull(r.buf, prefix[:])
	switch {
	case err == nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
	default:
		return RawBlock{}, fmt.Errorf("read a block file at byte %d: %w", r.offset, err)
	}
	if n == 0 || allZero(prefix[:min(n, 4)]) {
		return RawBlock{}, io.EOF
	}
	if n < prefixSize {
		return RawBlock{}, r.short(prefix[:n])
	}
	if err := r.checkMagic([4]byte(prefix[:4])); err != nil {
		return RawBlock{}, err
	}
	length := binary.LittleEndian.Uint32(prefix[4:])
	if err := r.checkLength(length); err != nil {
		return RawBlock{}, err
	}
	raw := make([]byte, length)
	if n, err := io.ReadFull(r.buf, raw); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return RawBlock{}, r.fail(ErrTruncated, "a block of %d bytes ends after %d, cut off by the end of the file; get the whole file and import it again", length, n)
		}
		return RawBlock{}, fmt.Errorf("read a block file at byte %d: %w", r.offset, err)
	}
	b := RawBlock{Offset: r.offset, Raw: raw}
	r.offset += prefixSize + int64(length)
	return b, nil
}

// At reads again the block whose record begins at offset, as Next gave it.
func (r *Reader) At(offset int64) ([]byte, error) {
	var prefix [prefixSize]byte
	if _, err := r.file.ReadAt(prefix[:], offset); err != nil {
		return nil, fmt.Errorf("read a block file at byte %d: %w", offset, err)
	}
	length := binary.LittleEndian.Uint32(prefix[4:])
	if [4]byte(prefix[:4]) != r.magic || length < minBlock || length > maxBlock {
		return nil, fmt.Errorf("read a block file at byte %d: the file was changed", offset)
	}
	raw := make([]byte, length)
	if _, err := r.file.ReadAt(raw, offset+prefixSize); err != nil {
		return nil, fmt.Errorf("read a block file at byte %d: %w", offset, err)
	}
	return raw, nil
}

func (r *Reader) fail(kind error, format string, args ...any) error {
	return &FormatError{Kind: kind, Offset: r.offset, Detail: fmt.Sprintf(format, args...)}
}

// short explains a rest of the file that is too short for a record's prefix.
func (r *Reader) short(rest []byte) error {
	if len(rest) >= 4 {
		if err := r.checkMagic([4]byte(rest[:4])); err != nil {
			return err
		}
	}
	if r.offset == 0 && len(rest) < 4 {
		return r.fail(ErrNoise, "it ends after %d bytes", len(rest))
	}
	return r.fail(ErrTruncated, "the length of a block is cut off by the end of the file; get the whole file and import it again")
}

func (r *Reader) checkMagic(got [4]byte) error {
	if got == r.magic {
		return nil
	}
	if name := networkOf(got); name != "" {
		return r.fail(ErrWrongNetwork, "a block of network %s, not of %s; import it with --network %s", name, r.network, name)
	}
	if name := foreign(got); name != "" {
		return r.fail(ErrWrongNetwork, "a block of Bitcoin's %s, which is no network of groat", name)
	}
	if r.offset == 0 {
		return r.fail(ErrNoise, "there are bytes %x where %x begins a block (files of Bitcoin Core 28 and later may be obfuscated: see its -blocksxor)", got, r.magic)
	}
	return r.fail(ErrNoise, "no block begins at byte %d: there are bytes %x where %x begins a block; get a good copy and import it again", r.offset, got, r.magic)
}

func (r *Reader) checkLength(n uint32) error {
	switch {
	case n > maxBlock:
		return r.fail(ErrOversized, "a block claims %d bytes where %d are allowed", n, maxBlock)
	case n < minBlock:
		return r.fail(ErrNoise, "a block claims %d bytes, fewer than a header takes", n)
	}
	return nil
}

// networkOf returns our network whose blocks begin with magic, "" if there is none.
func networkOf(magic [4]byte) string {
	for _, name := range consensus.Names() {
		if p, err := consensus.ByName(name); err == nil && p.Magic == magic {
			return name
		}
	}
	return ""
}

// foreign returns the network of Bitcoin whose blocks begin with magic and which we know by sight only, "" if there is none.
func foreign(magic [4]byte) string {
	return map[[4]byte]string{
		{0x0b, 0x11, 0x09, 0x07}: "testnet3",
		{0x1c, 0x16, 0x3f, 0x28}: "testnet4",
		{0x0a, 0x03, 0xcf, 0x40}: "signet",
	}[magic]
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Write writes a block in the exchange format.
func Write(w io.Writer, p *consensus.Params, raw []byte) error {
	var prefix [prefixSize]byte
	copy(prefix[:], p.Magic[:])
	binary.LittleEndian.PutUint32(prefix[4:], uint32(len(raw)))
	if _, err := w.Write(prefix[:]); err != nil {
		return fmt.Errorf("write a block: %w", err)
	}
	if _, err := w.Write(raw); err != nil {
		return fmt.Errorf("write a block: %w", err)
	}
	return nil
}
