package blockfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/wire/v2"

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
	prefixSize = 8                              // magic and length
	minBlock   = wire.MaxBlockHeaderPayload + 1 // a header and a count of transactions
	maxBlock   = 4000000                        // no block of the largest weight is longer (BIP141)
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

// Head says where a block stands in a file, and has its header.
type Head struct {
	Offset int64                            // of its record
	Length int                              // of the block, bytes
	Header [wire.MaxBlockHeaderPayload]byte // serialized
}

// End returns where the record of the block ends.
func (h *Head) End() int64 { return h.Offset + prefixSize + int64(h.Length) }

// Reader reads Bitcoin's exchange format: a 4-byte magic, a 4-byte little-endian length and a block, again and again; the end of
// the file or a magic of zeros ends it. Blocks may be in any order.
type Reader struct {
	file    io.ReaderAt
	size    int64
	network string
	magic   [4]byte
	offset  int64  // of the next record
	window  []byte // what was read last, from at on
	at      int64
}

// windowSize is how much is read at once: many small blocks, and little in vain where a large one is passed over.
const windowSize = 4 << 10

// NewReader reads file, which holds size bytes, as blocks of p.
func NewReader(p *consensus.Params, file io.ReaderAt, size int64) *Reader {
	return &Reader{file: file, size: size, network: p.Name, magic: p.Magic, window: make([]byte, 0, windowSize)}
}

// Next returns the head of the next block, io.EOF after the last or a *FormatError. The block itself is read by Block only.
func (r *Reader) Next() (Head, error) {
	n := min(prefixSize, r.size-r.offset)
	prefix, err := r.read(r.offset, int(n))
	if err != nil {
		return Head{}, err
	}
	if n == 0 || allZero(prefix[:min(n, 4)]) {
		return Head{}, io.EOF
	}
	if n < prefixSize {
		return Head{}, r.short(prefix)
	}
	if err := r.checkMagic([4]byte(prefix[:4])); err != nil {
		return Head{}, err
	}
	length := binary.LittleEndian.Uint32(prefix[4:])
	if err := r.checkLength(length); err != nil {
		return Head{}, err
	}
	if rest := r.size - r.offset - prefixSize; rest < int64(length) {
		return Head{}, r.fail(ErrTruncated, "a block of %d bytes ends after %d, cut off by the end of the file; get the whole file and import it again", length, rest)
	}
	header, err := r.read(r.offset+prefixSize, wire.MaxBlockHeaderPayload)
	if err != nil {
		return Head{}, err
	}
	h := Head{Offset: r.offset, Length: int(length), Header: [wire.MaxBlockHeaderPayload]byte(header)}
	r.offset = h.End()
	return h, nil
}

// Block returns the block that h, which Next gave, is the head of.
func (r *Reader) Block(h Head) ([]byte, error) {
	part, err := r.read(h.Offset+prefixSize, h.Length)
	if err != nil || h.Length > windowSize {
		return part, err
	}
	return bytes.Clone(part), nil
}

// read returns n bytes of the file from at on. No more than windowSize are the caller's until the next read only.
func (r *Reader) read(at int64, n int) ([]byte, error) {
	if n > windowSize {
		part := make([]byte, n)
		_, err := r.fill(part, at, n)
		return part, err
	}
	if from := at - r.at; from < 0 || from+int64(n) > int64(len(r.window)) {
		r.at, r.window = at, r.window[:min(windowSize, r.size-at)]
		got, err := r.fill(r.window, at, n)
		if r.window = r.window[:got]; err != nil {
			return nil, err
		}
	}
	return r.window[at-r.at:][:n], nil
}

// fill reads into buf from at on, at least n bytes, and returns how many.
func (r *Reader) fill(buf []byte, at int64, n int) (int, error) {
	got, err := r.file.ReadAt(buf, at)
	if got >= n {
		return got, nil
	}
	if errors.Is(err, io.EOF) { // the file has become shorter, which is not its end
		err = io.ErrUnexpectedEOF
	}
	return got, fmt.Errorf("read a block file at byte %d: %w", at, err)
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
