package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/table"
)

// tableEnds asks for less than all blocks of a table: for what Badger reads when it opens.
const tableEnds = false

// checkTables looks at the tables in dir before Badger does, which reads them in goroutines of its own: there a panic over a damaged one ends the process.
// When it opens it reads their ends, and any block when it compacts; a process that ended over one is told of it at the next start. Files
// that are no part of the store, as a kill leaves them, do not matter.
func checkTables(dir string, blocks bool) error {
	list, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there is no store yet
	}
	if err != nil {
		return err
	}
	defer list.Close()
	manifest, _, err := badger.ReplayManifestFile(list, 0, badger.DefaultOptions(dir))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, list.Name(), err)
	}
	for id := range manifest.Tables {
		name := table.NewFilename(id, dir)
		if err := checkTable(name, blocks); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
		}
	}
	return nil
}

var (
	errTableCut = errors.New("it is cut short")
	errTableSum = errors.New("a checksum does not match")
)

// checkTable checks the index of a table and its last block, or all of them. The file ends with the index, its length, the index's checksum, and that one's length.
func checkTable(name string, blocks bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum, rest, err := trailer(f, info.Size())
	if err != nil {
		return err
	}
	index, rest, err := sized(f, rest)
	if err != nil {
		return err
	}
	if len(index) == 0 || !bytes.Equal(sum, tableSum(index)) {
		return errTableSum
	}
	list := fb.GetRootAsTableIndex(index, 0)
	last := list.OffsetsLength() - 1
	first := last
	if blocks {
		first = 0
	}
	for i := first; i <= last; i++ {
		if err := checkBlock(f, list, i, rest); err != nil {
			return err
		}
	}
	return nil
}

// checkBlock checks the block i of a table, which lies before end.
func checkBlock(f io.ReaderAt, index *fb.TableIndex, i int, end int64) error {
	var at fb.BlockOffset
	if i < 0 || !index.Offsets(&at, i) || at.Len() == 0 || int64(at.Offset())+int64(at.Len()) > end {
		return errTableCut
	}
	block := io.NewSectionReader(f, int64(at.Offset()), int64(at.Len()))
	sum, rest, err := trailer(block, block.Size())
	if err != nil {
		return err
	}
	content := make([]byte, rest)
	if _, err := block.ReadAt(content, 0); err != nil {
		return err
	}
	if len(content) == 0 || !bytes.Equal(sum, tableSum(content)) {
		return errTableSum
	}
	return nil
}

// trailer returns the checksum that ends at end, and where it begins.
func trailer(f io.ReaderAt, end int64) (sum []byte, begin int64, err error) {
	const longest = 1 + binary.MaxVarintLen32
	sum, begin, err = sized(f, end)
	if err == nil && len(sum) > longest {
		err = errTableSum
	}
	return sum, begin, err
}

// sized returns the bytes before end whose number the last four of them say, and where they begin.
func sized(f io.ReaderAt, end int64) (content []byte, begin int64, err error) {
	var length [4]byte
	if end < int64(len(length)) {
		return nil, 0, errTableCut
	}
	end -= int64(len(length))
	if _, err := f.ReadAt(length[:], end); err != nil {
		return nil, 0, err
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	if n > end {
		return nil, 0, errTableCut
	}
	content = make([]byte, n)
	_, err = f.ReadAt(content, end-n)
	return content, end - n, err
}

// tableSum returns a CRC32C of content in the form of Badger's pb.Checksum, in which a zero is left out.
func tableSum(content []byte) []byte {
	const field = 2 << 3 // its second field, a varint
	sum := crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
	if sum == 0 {
		return nil
	}
	return binary.AppendUvarint([]byte{field}, uint64(sum))
}
