package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/sync/errgroup"

	"groat/chain"
	"groat/consensus"
	"groat/internal/ledger"
)

// Progress is how far an import or export has come.
type Progress struct {
	Bytes, TotalBytes int64 // read so far, and in all files; zero in an export
	Blocks            int   // read so far
	Height, Total     int32 // of the best chain; Total is known in an export only
}

// Imported is what an import has led to.
type Imported struct {
	Blocks int // read from the files
	New    int // of them, those that were not here before
	Lost   int // of them, those whose parents are neither in the files nor here
	Set    ledger.SetInfo
}

// Import adds the blocks of files, in Bitcoin's format, to the chain in the data directory, without a network or RPC. It stops at the
// first bad place; all blocks before it are kept. report is called after every block.
func Import(ctx context.Context, o Options, files []string, report func(Progress)) (Imported, error) {
	im := &importer{params: o.Params, report: report, waiting: map[chainhash.Hash][]place{}}
	err := withLedger(ctx, o, func(l *openedLedger) error {
		im.chain = l.chain
		err := l.during(ctx, func(ctx context.Context) error { return im.files(ctx, files) })
		set, setErr := l.chain.UTXOSet(context.WithoutCancel(ctx), ledger.HashSerialized) // an import that was stopped is shown too
		if setErr != nil && err == nil {
			err = fmt.Errorf("look at the coins: %w", setErr)
		}
		im.result.Set = set
		return err
	})
	return im.result, err
}

// importer is one import under way.
type importer struct {
	chain  *chain.Chain
	params *consensus.Params
	report func(Progress)

	progress Progress
	result   Imported
	waiting  map[chainhash.Hash][]place // blocks that came before their parent, by that parent
}

// place is where a block stands.
type place struct {
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
	blocks := make(chan parsed, readAhead)
	var bad error // what ended the reading; set before blocks is closed
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(blocks)
		bad = im.parse(ctx, name, f, blocks)
		return nil
	})
	group.Go(func() error {
		for b := range blocks {
			im.progress.Bytes = before + b.end
			if err := im.add(ctx, b.block, place{name, b.at}); err != nil {
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
func (im *importer) parse(ctx context.Context, name string, f io.Reader, to chan<- parsed) error {
	r := newBlockReader(name, f, im.params)
	for {
		raw, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := consensus.ParseBlock(raw.raw)
		if err != nil {
			return fmt.Errorf("%s: what stands at byte %d is no block: %w; get a good copy and import it again", name, raw.at, err)
		}
		select {
		case to <- parsed{b, raw.at, r.at}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// add adds a block and then those that waited for it.
func (im *importer) add(ctx context.Context, b *consensus.Block, at place) error {
	if err := im.addOne(ctx, b, at); err != nil {
		return err
	}
	ready := []chainhash.Hash{b.Hash()}
	for len(ready) > 0 {
		parent := ready[0]
		ready = ready[1:]
		places := im.waiting[parent]
		delete(im.waiting, parent)
		for _, p := range places {
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

// addOne adds a block from a file, or notes where it stands if its parent has not come yet: Bitcoin's own files hold blocks in the
// order of their arrival.
func (im *importer) addOne(ctx context.Context, b *consensus.Block, at place) error {
	im.result.Blocks++
	im.progress.Blocks++
	err := im.addKnown(ctx, b, at)
	if errors.Is(err, consensus.ErrPrevUnknown) {
		im.waiting[b.Header.PrevBlock] = append(im.waiting[b.Header.PrevBlock], at)
		return nil
	}
	return err
}

// addKnown adds a block whose parent should be known.
func (im *importer) addKnown(ctx context.Context, b *consensus.Block, at place) error {
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
	im.report(im.progress)
	return nil
}

// reread reads a block again whose place was noted.
func (im *importer) reread(at place) (*consensus.Block, error) {
	f, err := os.Open(at.file)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", at.file, bare(err))
	}
	defer f.Close()
	if _, err := f.Seek(at.at, io.SeekStart); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", at.file, bare(err))
	}
	r := newBlockReader(at.file, f, im.params)
	r.at = at.at
	raw, err := r.next()
	if err != nil {
		return nil, fmt.Errorf("%s changed while it was read: %w", at.file, err)
	}
	return consensus.ParseBlock(raw.raw)
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
