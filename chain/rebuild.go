package chain

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/ledger"
)

// ErrNoBlocks says that there are no block files to rebuild from.
var ErrNoBlocks = errors.New("there are no block files to rebuild from: sync or import again")

// CanRebuild returns nil if the block files in o.Dir begin with the first block: ledger.ErrPruned if they were pruned, or ErrNoBlocks.
func CanRebuild(o Options) error {
	w, err := blockfile.NewWalker(blockfile.Options{Dir: o.Dir, Name: "blk", Magic: o.Params.Magic, FS: o.FS})
	switch {
	case err != nil:
		return err
	case len(w.Numbers()) == 0:
		return ErrNoBlocks
	case w.Numbers()[0] != 0:
		return fmt.Errorf("a pruned data directory cannot be rebuilt, its first blocks are gone: remove it and sync again: %w", ledger.ErrPruned)
	}
	return nil
}

// Rebuild opens the chain and takes up all blocks of the block files, by all rules, whether the store knows them or not: into an empty store it makes
// everything anew, and one that was ended goes on after its last flush. Damaged parts of the files are passed over, and what is missing then has
// to be fetched again. The undo files must have been removed together with the store.
func Rebuild(ctx context.Context, o Options, report func(Progress)) (*Chain, error) {
	c, err := prepare(o)
	if err != nil {
		return nil, err
	}
	if err := c.rebuild(ctx, report); err != nil {
		if c.tip.Params() != nil && c.broken == nil {
			err = errors.Join(err, c.flush()) // so that it goes on from here
		}
		return nil, errors.Join(fmt.Errorf("rebuild the chain: %w", err), c.closeFiles())
	}
	return c, nil
}

func (c *Chain) rebuild(ctx context.Context, report func(Progress)) error {
	files := blockfile.Options{Dir: c.o.Dir, Name: "blk", Magic: c.o.Params.Magic, FS: c.o.FS}
	w, err := blockfile.NewWalker(files)
	if err != nil {
		return err
	}
	if c.whole, err = w.End(ctx); err != nil {
		return err
	}
	if err := c.recover(ctx); err != nil {
		return err
	}
	if w, err = blockfile.NewWalker(files); err != nil { // a torn end has been cut
		return err
	}
	r := &rebuilder{c: c, files: w, meter: newMeter(c, report)}
	if err := r.headers(ctx); err != nil {
		return err
	}
	stop := r.meter.follow()
	err = c.addAhead(ctx, r.blocks(ctx), r.take)
	stop()
	if err != nil {
		return err
	}
	if r.cut != nil {
		return r.cut
	}
	if err := c.begin(); err != nil {
		return err
	}
	if err := c.activate(ctx); err != nil {
		return err
	}
	return c.flush()
}

// rebuilder is one rebuild under way.
type rebuilder struct {
	c     *Chain
	files *blockfile.Walker
	meter *meter
	cut   error // of the goroutine that reads, until it has ended: why reading ended before the end of the files
}

// headers adds all headers, so that no block has to wait for its parent and Options.AssumeValid is heeded. Damaged parts are found here.
func (r *rebuilder) headers(ctx context.Context) error {
	headers := newUnsorted(r.c)
	err := r.files.Walk(ctx, func(_ blockfile.Location, raw []byte) error {
		if len(raw) < wire.MaxBlockHeaderPayload {
			return nil
		}
		here, err := headers.add(ctx, rawHeader(raw))
		r.meter.header(len(raw), here)
		return err
	}, func(g blockfile.Gap) error {
		r.c.o.Log.Warn("a part of the block files is damaged: its blocks will be missing", "file", g.File, "offset", g.Offset, "bytes", g.Length)
		return r.files.Blank(g)
	})
	r.meter.begin()
	if err != nil {
		return err
	}
	return headers.done(ctx)
}

// blocks reads and parses the blocks that were not taken up yet.
func (r *rebuilder) blocks(ctx context.Context) iter.Seq[arrival] {
	return func(yield func(arrival) bool) {
		r.cut = r.files.Walk(ctx, func(loc blockfile.Location, raw []byte) error {
			if len(raw) >= wire.MaxBlockHeaderPayload {
				if _, here := r.c.knows(chainhash.DoubleHashH(raw[:wire.MaxBlockHeaderPayload])); here {
					return nil
				}
			}
			b, err := consensus.ParseBlock(raw)
			if err != nil {
				r.c.o.Log.Debug("stored block not taken up", "err", err)
				return nil
			}
			if !yield(arrival{block: b, kept: loc}) {
				return errEnough
			}
			return nil
		}, func(blockfile.Gap) error { return nil })
	}
}

// take notes what became of a block. Whatever was refused is as if it had never come.
func (r *rebuilder) take(_ arrival, _ ledger.Added, err error) {
	if err != nil {
		r.c.o.Log.Debug("stored block not taken up", "err", err)
	}
}
