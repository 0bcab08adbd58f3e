package blockfile

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"strings"
	"testing"

	"groat/consensus"
)

// exchange returns a file with blocks of the given lengths.
func exchange(t testing.TB, p *consensus.Params, lengths ...int) []byte {
	t.Helper()
	var w bytes.Buffer
	for i, n := range lengths {
		if err := Write(&w, p, bytes.Repeat([]byte{byte(i + 1)}, n)); err != nil {
			t.Fatal(err)
		}
	}
	return w.Bytes()
}

// readAll returns the blocks of a file, their heads and the error that ended it; nil at its end.
func readAll(t testing.TB, p *consensus.Params, file []byte) (blocks [][]byte, heads []Head, err error) {
	t.Helper()
	r := NewReader(p, bytes.NewReader(file), int64(len(file)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return blocks, heads, nil
		}
		if err != nil {
			return blocks, heads, err
		}
		raw, err := r.Block(h)
		if err != nil || len(raw) != h.Length || !bytes.Equal(raw[:len(h.Header)], h.Header[:]) {
			t.Fatalf("the block at byte %d: %d bytes, %v", h.Offset, len(raw), err)
		}
		blocks, heads = append(blocks, raw), append(heads, h)
	}
}

func TestExchangeRoundTrip(t *testing.T) {
	p := consensus.Regtest()
	lengths := []int{minBlock, 100, windowSize - 1, windowSize, windowSize + 1, maxBlock, minBlock}
	file := exchange(t, p, lengths...)
	for _, zeros := range []int{0, 1, 4, 8, 10_000} {
		blocks, heads, err := readAll(t, p, append(file[:len(file):len(file)], make([]byte, zeros)...))
		if err != nil || len(blocks) != len(lengths) || heads[len(heads)-1].End() != int64(len(file)) {
			t.Fatalf("%d zeros: %d blocks, %v", zeros, len(blocks), err)
		}
		for i, b := range blocks {
			if !bytes.Equal(b, bytes.Repeat([]byte{byte(i + 1)}, lengths[i])) {
				t.Fatalf("block %d has %d bytes and begins with %x", i, len(b), b[0])
			}
		}
	}
}

// Blocks can be passed over, which costs no reading of them, and read later.
func TestExchangePassesOver(t *testing.T) {
	p := consensus.Regtest()
	file, read := exchange(t, p, 1<<20, 1<<20, 200), 0
	r := NewReader(p, readerAt(func(b []byte, at int64) (int, error) {
		read += len(b)
		return bytes.NewReader(file).ReadAt(b, at)
	}), int64(len(file)))
	var heads []Head
	for range 3 {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) || read > 3*windowSize {
		t.Errorf("%d bytes were read, %v", read, err)
	}
	if raw, err := r.Block(heads[1]); err != nil || len(raw) != 1<<20 || raw[0] != 2 {
		t.Errorf("the second block: %d bytes, %v", len(raw), err)
	}
}

// Each thing that is wrong with a file has an error of its own, in one line, with the place where it is.
func TestExchangeRefusals(t *testing.T) {
	p := consensus.Regtest()
	good := exchange(t, p, 100, 200) // records of 108 and 208 bytes
	noise := make([]byte, 1000)
	rand.New(rand.NewSource(1)).Read(noise)
	long := append([]byte{}, good...)
	long[108+4], long[108+5], long[108+6], long[108+7] = 0x01, 0x09, 0x3d, 0x00 // 4,000,001

	for name, c := range map[string]struct {
		file   []byte
		kind   error
		blocks int
		offset int64
		says   string
	}{
		"noise":                      {noise, ErrNoise, 0, 0, "begins a block"},
		"noise, short":               {[]byte("x"), ErrNoise, 0, 0, "ends after 1 bytes"},
		"noise behind blocks":        {append(good[:316:316], noise...), ErrNoise, 2, 316, "begins a block"},
		"text":                       {[]byte("once upon a time"), ErrNoise, 0, 0, "-blocksxor"},
		"Bitcoin's network":          {exchange(t, consensus.Bitcoin(), 100), ErrWrongNetwork, 0, 0, "network bitcoin"},
		"our own main":               {exchange(t, consensus.Main(), 100), ErrWrongNetwork, 0, 0, "network main"},
		"testnet3":                   {[]byte{0x0b, 0x11, 0x09, 0x07, 1, 2, 3, 4}, ErrWrongNetwork, 0, 0, "testnet3"},
		"cut in a block":             {good[:300], ErrTruncated, 1, 108, "a block of 200 bytes ends after 184"},
		"cut before a block":         {good[:116], ErrTruncated, 1, 108, "ends after 0"},
		"cut in a length":            {good[:114], ErrTruncated, 1, 108, "length"},
		"cut in a magic":             {good[:110], ErrTruncated, 1, 108, "length"},
		"too long":                   {long, ErrOversized, 1, 108, "4000001"},
		"too short to hold a header": {exchange(t, p, minBlock-1), ErrNoise, 0, 0, "fewer than a header"},
	} {
		blocks, _, err := readAll(t, p, c.file)
		var format *FormatError
		if !errors.Is(err, c.kind) || !errors.As(err, &format) {
			t.Errorf("%s: got %v, want %v", name, err, c.kind)
			continue
		}
		if len(blocks) != c.blocks || format.Offset != c.offset {
			t.Errorf("%s: %d blocks, then byte %d; want %d and %d", name, len(blocks), format.Offset, c.blocks, c.offset)
		}
		if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q does not say %q in a line", name, err, c.says)
		}
	}
}

// A disk that fails is not the file's fault.
func TestExchangeReadError(t *testing.T) {
	broken := errors.New("broken")
	r := NewReader(consensus.Regtest(), readerAt(func([]byte, int64) (int, error) { return 0, broken }), 1000)
	_, err := r.Next()
	var format *FormatError
	if !errors.Is(err, broken) || errors.As(err, &format) {
		t.Fatalf("got %v", err)
	}
	file := exchange(t, consensus.Regtest(), 100)
	r = NewReader(consensus.Regtest(), bytes.NewReader(file[:20]), int64(len(file))) // cut meanwhile
	if _, err = r.Next(); err == nil || errors.Is(err, io.EOF) || errors.As(err, &format) {
		t.Fatalf("got %v", err)
	}
}

type readerAt func([]byte, int64) (int, error)

func (f readerAt) ReadAt(b []byte, at int64) (int, error) { return f(b, at) }

func FuzzExchange(f *testing.F) {
	p := consensus.Regtest()
	good := exchange(f, p, 81, 90)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(good[:len(good):len(good)], 0, 0, 0, 0))
	f.Add(exchange(f, consensus.Bitcoin(), 100))
	f.Add([]byte("not blocks"))
	f.Fuzz(func(t *testing.T, file []byte) {
		blocks, _, err := readAll(t, p, file)
		var format *FormatError
		if err != nil && !errors.As(err, &format) {
			t.Fatalf("an error without a kind: %v", err)
		}
		var w bytes.Buffer
		for _, b := range blocks {
			if err := Write(&w, p, b); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(file, w.Bytes()) {
			t.Fatal("the blocks are not what the file begins with")
		}
	})
}
