package node

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"groat/consensus"
)

// fileRecord returns a block as a file holds it.
func fileRecord(p *consensus.Params, raw []byte) []byte {
	head := binary.LittleEndian.AppendUint32(bytes.Clone(p.Magic[:]), uint32(len(raw)))
	return append(head, raw...)
}

func TestBlockReader(t *testing.T) {
	p := consensus.Regtest()
	one, two := fileRecord(p, []byte("first")), fileRecord(p, []byte("second block"))
	huge := binary.LittleEndian.AppendUint32(bytes.Clone(p.Magic[:]), consensus.MaxBlockWeight+1)
	tests := []struct {
		name   string
		file   []byte
		blocks int
		words  string // of the error; "" for the end of the file
	}{
		{"empty", nil, 0, ""},
		{"two", bytes.Join([][]byte{one, two}, nil), 2, ""},
		{"zeros", bytes.Join([][]byte{one, two, make([]byte, 100)}, nil), 2, ""},
		{"few zeros", bytes.Join([][]byte{one, make([]byte, 3)}, nil), 1, ""},
		{"cut in the head", bytes.Join([][]byte{one, two[:6]}, nil), 1, "at byte 13 is cut off"},
		{"cut after the head", bytes.Join([][]byte{one, two[:8]}, nil), 1, "at byte 13 is cut off"},
		{"cut in the block", bytes.Join([][]byte{one, two[:len(two)-1]}, nil), 1, "at byte 13 is cut off"},
		{"noise", []byte("this is a letter"), 0, "no block file"},
		{"noise after a block", append(bytes.Clone(one), "noise noise"...), 1, "no block begins at byte 13"},
		{"huge", huge, 0, "more than a block may have"},
		{"another network", fileRecord(consensus.Bitcoin(), []byte("x")), 0, "--network bitcoin"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newBlockReader("blk.dat", bytes.NewReader(test.file), p)
			blocks := 0
			var err error
			for {
				if _, err = r.next(); err != nil {
					break
				}
				blocks++
			}
			if blocks != test.blocks {
				t.Errorf("%d blocks, want %d", blocks, test.blocks)
			}
			if test.words == "" && !errors.Is(err, io.EOF) || test.words != "" && !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want %q", err, test.words)
			}
		})
	}
}

func FuzzBlockReader(f *testing.F) {
	p := consensus.Regtest()
	genesis := consensus.NewBlock(p.Genesis).Raw()
	f.Add(fileRecord(p, genesis))
	f.Add(append(fileRecord(p, genesis), 0, 0, 0, 0))
	f.Add(fileRecord(p, genesis)[:40])
	f.Add([]byte{0xfa, 0xbf, 0xb5, 0xda, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, file []byte) {
		r := newBlockReader("blk.dat", bytes.NewReader(file), p)
		for {
			b, err := r.next()
			if err != nil {
				break
			}
			if int64(len(b.raw))+headSize+b.at != r.at || r.at > int64(len(file)) {
				t.Fatalf("a block of %d bytes at %d ends at %d of %d", len(b.raw), b.at, r.at, len(file))
			}
			if _, err := consensus.ParseBlock(b.raw); err != nil && !errors.Is(err, consensus.ErrDecode) {
				t.Fatal(err)
			}
		}
	})
}
