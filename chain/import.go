package chain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/sync/errgroup"

	"groat/consensus"
	"groat/internal/blockfile"
)

// Progress is how far a long piece of work has come.
type Progress struct {
	Bytes, TotalBytes int64 // read so far, and in all files; zero where that is not what takes the time
	Blocks            int   // done so far
	Height, Total     int32 // of the best chain; Total, where it is known, is where the work ends
}

// Done returns how much of the work is done, from 0 to 1.
func (p Progress) Done() float64 {
	switch {
	case p.TotalBytes > 0:
		return float64(p.Bytes) / float64(p.TotalBytes)
	case p.Total > 0:
		return float64(p.Height) / float64(p.Total)
	}
	return 0
}

// Imported is what an import has led to.
type Imported struct {
	Blocks int // read from the files
	New    int // of them, those that were not here before
	Lost   int // of them, those whose parents are neither in the files nor here
}

// Import adds the blocks of files in Bitcoin's format, in whatever order they come, and reports after each. It stops at the first bad
// place: the error is a *blockfile.FormatError if a file cannot be read on and a consensus.RuleError if a block in it is invalid. All blocks
// before it are kept, and an import that was ended goes on where it was, because known blocks are passed over quickly.
func Import(ctx context.Context, c *Chain, files []string, report func(Progress)) (Imported, error) {
	im := &importer{chain: c, report: report, waiting: make(map[chainhash.Hash][]spot)}
	err := im.files(ctx, files)
	return im.result, err
}

// importer is one import under way.
type importer struct {
	chain  *Chain
	report func(Progress)

	progress Progress
	result   Imported
	waiting  map[chainhash.Hash][]spot // blocks that came before their parent, by that parent
}

// spot is where a block stands in a file.
type spot struct {
	file string
	at   int64
}

// files imports the files in order.
func (im *importer) files(ctx context.Context, names []string) error {
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w; check the name", name, bare(err))
		}
		im.progress.TotalBytes += info.Size()
	}
	var before int64
	for _, name := range names {
		size, err := im.file(ctx, name, before)
		if err != nil {
			return err
		}
		before += size
	}
	for _, places := range im.waiting {
		im.result.Lost += len(places)
	}
	return nil
}

// parsed is a block with its place in a file.
type parsed struct {
	block *consensus.Block
	at    int64
	end   int64
}

// readAhead is how many blocks are parsed while an earlier one is connected.
const readAhead = 16

// file imports one file, which follows on bytes of others, and returns its size.
func (im *importer) file(ctx context.Context, name string, before int64) (int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, fmt.Errorf("%s cannot be read: %w", name, bare(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("%s cannot be read: %w", name, bare(err))
	}
	r := blockfile.NewReader(im.chain.Params(), f, info.Size())
	blocks := make(chan parsed, readAhead)
	var bad error // what ended the reading; set before blocks is closed
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(blocks)
		bad = parse(ctx, name, r, blocks)
		return nil
	})
	group.Go(func() error {
		for b := range blocks {
			im.progress.Bytes = before + b.end
			if err := im.add(ctx, b.block, spot{name, b.at}); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return info.Size(), bad
}

// parse reads the blocks of a file and passes them on.
func parse(ctx context.Context, name string, r *blockfile.Reader, to chan<- parsed) error {
	for {
		raw, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b, err := consensus.ParseBlock(raw.Raw)
		if err != nil {
			return fmt.Errorf("%s: what stands at byte %d is no block: %w; get a good copy and import it again", name, raw.Offset, err)
		}
		select {
		case to <- parsed{b, raw.Offset, r.Offset()}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// add adds a block and then those that waited for it. One whose parent has not come yet has its spot noted.
func (im *importer) add(ctx context.Context, b *consensus.Block, at spot) error {
	im.result.Blocks++
	im.progress.Blocks++
	err := im.addKnown(ctx, b, at)
	if errors.Is(err, consensus.ErrPrevUnknown) { // Bitcoin's own files hold blocks in the order of their arrival
		im.waiting[b.Header.PrevBlock] = append(im.waiting[b.Header.PrevBlock], at)
		return nil
	}
	if err != nil {
		return err
	}
	ready := []chainhash.Hash{b.Hash()}
	for len(ready) > 0 {
		parent := ready[0]
		ready = ready[1:]
		children := im.waiting[parent]
		delete(im.waiting, parent)
		for _, p := range children {
			child, err := im.reread(p)
			if err != nil {
				return err
			}
			if err := im.addKnown(ctx, child, p); err != nil {
				return err
			}
			ready = append(ready, child.Hash())
		}
	}
	return nil
}

// addKnown adds a block whose parent should be known.
func (im *importer) addKnown(ctx context.Context, b *consensus.Block, at spot) error {
	added, err := im.chain.AddBlock(ctx, b)
	var rule consensus.RuleError
	switch {
	case errors.As(err, &rule):
		return fmt.Errorf("%s: the block at byte %d, %v, is invalid: %w", at.file, at.at, b.Hash(), err)
	case err != nil:
		return err
	case !added.Known:
		im.result.New++
	}
	im.progress.Height = im.chain.Tip().Height
	if im.report != nil {
		im.report(im.progress)
	}
	return nil
}

// reread reads a block again whose spot was noted.
func (im *importer) reread(at spot) (*consensus.Block, error) {
	f, err := os.Open(at.file)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", at.file, bare(err))
	}
	defer f.Close()
	raw, err := blockfile.NewReader(im.chain.Params(), f, 0).At(at.at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.file, err)
	}
	return consensus.ParseBlock(raw)
}

// bare returns what the operating system said, without the path that the message names already.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
