package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

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
	r := &rebuilder{c: c, report: report, waiting: make(map[chainhash.Hash][]blockfile.Location), progress: Progress{TotalBytes: w.Size()}}
	err = w.Walk(ctx, func(loc blockfile.Location, raw []byte) error {
		return r.take(ctx, loc, raw)
	}, func(g blockfile.Gap) error {
		c.o.Log.Warn("a part of the block files is damaged: its blocks will be missing", "file", g.File, "offset", g.Offset, "bytes", g.Length)
		return w.Blank(g)
	})
	if err != nil {
		return err
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
	c        *Chain
	waiting  map[chainhash.Hash][]blockfile.Location // blocks that came before their parent, by that parent
	report   func(Progress)
	progress Progress
}

// take takes up one block, and those that waited for it, and goes where they lead.
func (r *rebuilder) take(ctx context.Context, loc blockfile.Location, raw []byte) error {
	r.progress.Bytes += int64(len(raw))
	r.progress.Blocks++
	if len(raw) < wire.MaxBlockHeaderPayload {
		return nil
	}
	hash := chainhash.DoubleHashH(raw[:wire.MaxBlockHeaderPayload])
	if !r.c.Has(hash) && !r.c.takeUp(loc, raw) {
		parent := chainhash.Hash(raw[4:36])
		r.waiting[parent] = append(r.waiting[parent], loc)
		return ctx.Err()
	}
	for ready := []chainhash.Hash{hash}; len(ready) > 0; ready = ready[1:] {
		if err := r.c.activate(ctx); err != nil {
			return err
		}
		for _, loc := range r.waiting[ready[0]] {
			raw, err := r.c.blocks.Read(loc)
			if err != nil {
				return damaged(err)
			}
			if r.c.takeUp(loc, raw) {
				ready = append(ready, chainhash.DoubleHashH(raw[:wire.MaxBlockHeaderPayload]))
			}
		}
		delete(r.waiting, ready[0])
	}
	r.progress.Height = r.c.tip.Height
	if r.report != nil {
		r.report(r.progress)
	}
	return ctx.Err()
}
