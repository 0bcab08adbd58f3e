package node

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Export writes the blocks of the best chain to a new file in Bitcoin's format, the genesis block first. It returns their number. report is
// called after every block.
func Export(ctx context.Context, o Options, file string, report func(Progress)) (blocks int, err error) {
	err = withLedger(ctx, o, func(l *openedLedger) error {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists already; remove it or choose another name", file)
		}
		if err != nil {
			return fmt.Errorf("%s cannot be written: %w", file, bare(err))
		}
		if blocks, err = l.export(ctx, f, report); err != nil {
			return errors.Join(err, f.Close(), os.Remove(file))
		}
		return f.Close()
	})
	return blocks, err
}

// export writes the blocks of the best chain to f.
func (l *openedLedger) export(ctx context.Context, f *os.File, report func(Progress)) (int, error) {
	w := bufio.NewWriterSize(f, readBuffer)
	magic := l.chain.Params().Magic
	tip := l.chain.Tip().Height
	for height := int32(0); height <= tip; height++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		hash, ok := l.chain.AtHeight(height)
		if !ok {
			return 0, fmt.Errorf("the chain has no block at height %d", height)
		}
		raw, err := l.chain.RawBlock(hash)
		if err != nil {
			return 0, fmt.Errorf("read block %d: %w", height, err)
		}
		head := binary.LittleEndian.AppendUint32(magic[:], uint32(len(raw)))
		if _, err := w.Write(head); err != nil {
			return 0, fmt.Errorf("write %s: %w", f.Name(), bare(err))
		}
		if _, err := w.Write(raw); err != nil {
			return 0, fmt.Errorf("write %s: %w", f.Name(), bare(err))
		}
		report(Progress{Blocks: int(height) + 1, Height: height, Total: tip})
	}
	if err := w.Flush(); err != nil {
		return 0, fmt.Errorf("write %s: %w", f.Name(), bare(err))
	}
	return int(tip) + 1, f.Sync()
}
