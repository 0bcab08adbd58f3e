package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"groat/chain"
	"groat/internal/disk"
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
			return fmt.Errorf("%s cannot be written: %w", file, disk.Bare(err))
		}
		if blocks, err = l.export(ctx, f, report); err != nil {
			return errors.Join(err, f.Close(), os.Remove(file))
		}
		return f.Close()
	})
	return blocks, err
}

// writeBuffer is as large as most blocks, so that one takes one or two writes.
const writeBuffer = 1 << 20

// export writes the blocks of the best chain to f.
func (l *openedLedger) export(ctx context.Context, f *os.File, report func(Progress)) (int, error) {
	w := bufio.NewWriterSize(f, writeBuffer)
	blocks, err := chain.Export(ctx, l.chain, w, 0, l.chain.Tip().Height, report)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return blocks, err
}
