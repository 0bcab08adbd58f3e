package chain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math"
	"os"
	"sync/atomic"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/ledger"
)

// Imported is what an import has led to.
type Imported struct {
	Blocks int // read from the files
	New    int // of them, those that were not here before
	Lost   int // of them, those whose parents are neither in the files nor here
}

// Import adds the blocks of files in Bitcoin's format, in whatever order they come, and reports on the way. It reads all headers first, so that no block
// has to wait for its parent and Options.AssumeValid is heeded. It stops at the first bad place: the error is a *blockfile.FormatError if a file cannot
// be read on and a consensus.RuleError if a block in it is invalid. All blocks before it are kept, and maybe some after it. An import that was ended
// goes on where it was, because known blocks are passed over without being read.
func Import(ctx context.Context, c *Chain, files []string, report func(Progress)) (Imported, error) {
	im := &importer{chain: c, meter: newMeter(c, report), failed: c.failures()}
	err := im.run(ctx, files)
	return im.result, err
}

// importer is one import under way.
type importer struct {
	chain  *Chain                     // set once
	files  []source                   // set once
	failed map[id]consensus.RuleError // set once: blocks that were bad before
	enough atomic.Bool                // a block was refused: the rest of the files does not matter

	meter  *meter
	result Imported
	lost   int
	bad    *refusal // the first block that was refused

	// Of the goroutine that reads, until it has ended.
	known int   // blocks that were passed over
	cut   error // why reading ended before the end of the files
}

// source is a file as it was when the import began.
type source struct {
	name string
	size int64
}

// spot is where a block stands in a file.
type spot struct {
	file string
	at   int64
}

// refusal is a block that broke a rule.
type refusal struct {
	hash chainhash.Hash
	from spot // zero if it is not in the files
	rule consensus.RuleError
}

// errEnough ends the reading of files of which no more is wanted.
var errEnough = errors.New("enough was read")

func (im *importer) run(ctx context.Context, names []string) error {
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w; check the name", name, bare(err))
		}
		im.files = append(im.files, source{name, info.Size()})
	}
	if err := im.headers(ctx); err != nil {
		return err
	}
	stop := im.meter.follow()
	err := im.chain.addAhead(ctx, im.blocks(ctx), im.take)
	stop()
	im.result.Blocks += im.known
	if err == nil {
		err = im.refused(ctx)
	}
	if err == nil {
		err = im.cut
	}
	if err == nil {
		im.result.Lost = im.lost
	}
	return err
}

// headers adds the headers of all blocks as far as the files can be read: what ends this will end the reading of blocks too, at its place.
func (im *importer) headers(ctx context.Context) error {
	headers := newUnsorted(im.chain)
	_ = im.each(ctx, func(_ *blockfile.Reader, h blockfile.Head, _ spot) error {
		here, err := headers.add(ctx, h.Header)
		im.meter.header(h.Length, here)
		return err
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	im.meter.begin()
	return headers.done(ctx)
}

// each calls fn for every block of the files, in order, until it returns an error.
func (im *importer) each(ctx context.Context, fn func(*blockfile.Reader, blockfile.Head, spot) error) error {
	for _, file := range im.files {
		if err := im.eachOf(ctx, file, fn); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) eachOf(ctx context.Context, file source, fn func(*blockfile.Reader, blockfile.Head, spot) error) error {
	f, err := os.Open(file.name)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", file.name, bare(err))
	}
	defer f.Close()
	r := blockfile.NewReader(im.chain.o.Params, f, file.size)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file.name, err)
		}
		if err := fn(r, h, spot{file.name, h.Offset}); err != nil {
			return err
		}
	}
}

// blocks reads and parses the blocks that are not here.
func (im *importer) blocks(ctx context.Context) iter.Seq[arrival] {
	return func(yield func(arrival) bool) {
		im.cut = im.each(ctx, func(r *blockfile.Reader, h blockfile.Head, from spot) error {
			if im.enough.Load() || im.chain.firstFailed(im.failed) != nil {
				return errEnough
			}
			if _, here := im.chain.knows(chainhash.DoubleHashH(h.Header[:])); here {
				im.known++
				return nil
			}
			raw, err := r.Block(h)
			if err != nil {
				return fmt.Errorf("%s: %w", from.file, err)
			}
			b, err := consensus.ParseBlock(raw)
			if err != nil {
				return fmt.Errorf("%s: what stands at byte %d is no block: %w; get a good copy and import it again", from.file, from.at, err)
			}
			if !yield(arrival{block: b, from: from}) {
				return errEnough
			}
			return nil
		})
	}
}

// take notes what became of a block.
func (im *importer) take(a arrival, added ledger.Added, err error) {
	im.result.Blocks++
	var rule consensus.RuleError
	switch {
	case errors.Is(err, consensus.ErrPrevUnknown):
		im.lost++
	case errors.As(err, &rule):
		im.enough.Store(true)
		if im.bad == nil {
			im.bad = &refusal{a.block.Hash(), a.from, rule}
		}
	case !added.Known:
		im.result.New++
	}
}

// refused returns an error that names the block with which the import had to end, nil if there is none. That may be one which was stored long
// before it could be connected.
func (im *importer) refused(ctx context.Context) error {
	bad := im.bad
	if bad == nil || bad.rule.Kind == consensus.ErrPrevInvalid {
		if first := im.chain.firstFailed(im.failed); first != nil {
			bad = first
			bad.from = im.locate(ctx, bad.hash)
		}
	}
	switch {
	case bad == nil:
		return nil
	case bad.from == (spot{}):
		return fmt.Errorf("block %v, which was here before, is invalid: %w", bad.hash, bad.rule)
	}
	return fmt.Errorf("%s: the block at byte %d, %v, is invalid: %w", bad.from.file, bad.from.at, bad.hash, bad.rule)
}

// locate returns where a block stands in the files, the zero spot if it does not.
func (im *importer) locate(ctx context.Context, hash chainhash.Hash) (found spot) {
	_ = im.each(ctx, func(_ *blockfile.Reader, h blockfile.Head, at spot) error {
		if chainhash.DoubleHashH(h.Header[:]) == hash {
			found = at
			return errEnough
		}
		return nil
	}) // where it could not be read on, it was not read before either
	return found
}

// failures returns which blocks are known to be bad, and why.
func (c *Chain) failures() map[id]consensus.RuleError {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return maps.Clone(c.reasons)
}

// firstFailed returns the lowest block that is known to be bad and not among old, nil if there is none.
func (c *Chain) firstFailed(old map[id]consensus.RuleError) (first *refusal) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	lowest := int32(math.MaxInt32)
	for i, rule := range c.reasons {
		if _, known := old[i]; known || c.tree.at(i).height >= lowest {
			continue
		}
		first, lowest = &refusal{hash: c.tree.at(i).hash, rule: rule}, c.tree.at(i).height
	}
	return first
}

// bare returns what the operating system said, without the path that the message names already.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
