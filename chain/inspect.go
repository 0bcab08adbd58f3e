package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/ledger"
	"groat/internal/store"
)

// Inspection is what Inspect found.
type Inspection struct {
	Set        ledger.SetInfo // the tip and the coins on the disk
	Headers    int
	Blocks     int   // good records in the block files
	Undos      int   // good records in the undo files
	Tail       int64 // bytes of torn records that a crash left; the next start cuts them
	Unfinished bool  // a flush was interrupted, so the coins are between two tips; the next start finishes it
	Problems   []string
	More       int // problems that are not listed
}

// maxProblems is how many problems are listed: a damaged disk has the same one a million times.
const maxProblems = 20

// Inspect checks what Open would open, without changing it: every record of the files, the index against them, headers and blocks of the best chain
// against the rules that need no coins, and the coins against their tally. With scratch, an empty store, it also works the coins out again
// there, from all blocks, and compares the hashes; only scripts are left out. o.Store need not be writable. What it finds wrong is in
// the Inspection; an error means that it could not look.
func Inspect(ctx context.Context, o Options, scratch Store, report func(Progress)) (Inspection, error) {
	o = o.withDefaults()
	files := blockfile.Options{Dir: o.Dir, Name: "blk", Magic: o.Params.Magic, FS: o.FS}
	c := &Chain{o: o, tree: newTree(o.Params), coins: newCache(), recent: newRecent(), blocks: blockfile.ReadOnly(files)}
	files.Name = "rev"
	c.undos = blockfile.ReadOnly(files)
	in := &inspector{c: c, report: report}
	err := in.inspect(ctx, files, scratch)
	if ctx.Err() != nil {
		return in.found, ctx.Err()
	}
	return in.found, in.note(err)
}

// inspector is one inspection under way.
type inspector struct {
	c        *Chain
	at       *place // where the coins on the disk belong to
	newest   *place // up to where the files must be whole
	report   func(Progress)
	progress Progress
	found    Inspection
}

func (in *inspector) problem(format string, args ...any) {
	if len(in.found.Problems) == maxProblems {
		in.found.More++
		return
	}
	in.found.Problems = append(in.found.Problems, fmt.Sprintf(format, args...))
}

// note makes a problem of err if it means damage and returns other errors.
func (in *inspector) note(err error) error {
	if err = damaged(err); errors.Is(err, ErrDamaged) {
		in.problem("%s", strings.TrimPrefix(err.Error(), ErrDamaged.Error()+": "))
		return nil
	}
	return err
}

func (in *inspector) inspect(ctx context.Context, files blockfile.Options, scratch Store) error {
	c := in.c
	files.Name = "blk"
	blocks, err := blockfile.NewWalker(files)
	if err != nil {
		return err
	}
	files.Name = "rev"
	undos, err := blockfile.NewWalker(files)
	if err != nil {
		return err
	}
	in.progress.TotalBytes = blocks.Size() + undos.Size()
	if err := in.readStore(); err != nil {
		return err
	}
	if err := c.start(in.at); err != nil {
		return err
	}
	in.found.Set.Tip = ledger.Ref{Hash: c.tip.Hash, Height: c.tip.Height}
	in.found.Headers = int(c.tree.len)
	in.progress.Height = c.tip.Height
	in.headers()
	if err := in.walkBlocks(ctx, blocks); err != nil {
		return err
	}
	if err := in.walkUndos(ctx, undos); err != nil {
		return err
	}
	if err := in.coins(ctx); err != nil || scratch == nil || in.found.Unfinished || len(in.found.Problems) > 0 {
		return err
	}
	return in.derive(ctx, scratch)
}

// readStore reads places and index.
func (in *inspector) readStore() error {
	at, goal, err := in.c.readPlaces()
	if err != nil {
		return err
	}
	in.at, in.newest = at, at
	if goal != nil {
		in.newest, in.found.Unfinished = goal, true
	}
	return in.c.readIndex()
}

// headers checks the headers of the best chain, and that each has the hash that it is known by.
func (in *inspector) headers() {
	t := in.c.tree
	for i := range t.len {
		if h := t.header(i); h.BlockHash() != t.at(i).hash {
			in.problem("header %v at height %d has another hash", t.at(i).hash, t.at(i).height)
		}
	}
	at := t.state(0)
	ahead := in.c.o.Now().Add(100 * 365 * 24 * time.Hour) // when it was accepted is not known
	for _, i := range t.active[1:] {
		h := t.header(i)
		next, err := consensus.CheckHeader(at, &h, ahead)
		if err != nil {
			in.problem("header %v at height %d: %v", t.at(i).hash, t.at(i).height, err)
			return
		}
		at = next
	}
}

// step reports n bytes more.
func (in *inspector) step(n int) {
	in.progress.Bytes += int64(n)
	in.progress.Blocks = in.found.Blocks
	if in.report != nil {
		in.report(in.progress)
	}
}

// gap takes note of what is no record. Behind the synced end it is what a crash leaves.
func (in *inspector) gap(name string, g blockfile.Gap, synced blockfile.Pos) {
	in.progress.Bytes += g.Length
	if g.Last && g.File >= synced.File && (g.File > synced.File || g.Offset >= synced.Offset) {
		in.found.Tail += g.Length
		return
	}
	in.problem("%s%05d.dat is damaged: %d bytes from byte %d on are no record", name, g.File, g.Length, g.Offset)
}

// walkBlocks checks the block files, and that every block in the index is there.
func (in *inspector) walkBlocks(ctx context.Context, w *blockfile.Walker) error {
	c, seen := in.c, make([]bool, in.c.tree.len)
	err := w.Walk(ctx, func(loc blockfile.Location, raw []byte) error {
		in.found.Blocks++
		in.step(len(raw))
		b, err := consensus.ParseBlock(raw)
		if err != nil {
			in.problem("blk%05d.dat: what stands at byte %d is no block: %v", loc.File, loc.Offset, err)
			return nil
		}
		i, ok := c.tree.find(b.Hash())
		if !ok || c.tree.at(i).block != loc { // stored twice, or after the last flush
			return nil
		}
		seen[i] = true
		if i == 0 {
			return nil
		}
		if err := consensus.CheckBlock(c.o.Params, b); err != nil && c.tree.isActive(i) {
			in.problem("block %v at height %d: %v", b.Hash(), c.tree.at(i).height, err)
		}
		return nil
	}, func(g blockfile.Gap) error { in.gap("blk", g, in.newest.blocks); return nil })
	for i := range c.tree.len {
		if n := c.tree.at(i); n.block.Length != 0 && !seen[i] {
			in.problem("block %v at height %d is not in blk%05d.dat at byte %d, where it was stored", n.hash, n.height, n.block.File, n.block.Offset)
		}
	}
	return err
}

// walkUndos checks the undo files, and that every undo record in the index is there.
func (in *inspector) walkUndos(ctx context.Context, w *blockfile.Walker) error {
	c, seen := in.c, make([]bool, in.c.tree.len)
	err := w.Walk(ctx, func(loc blockfile.Location, raw []byte) error {
		in.found.Undos++
		in.step(len(raw))
		if len(raw) < chainhash.HashSize {
			in.problem("rev%05d.dat: what stands at byte %d is no undo record", loc.File, loc.Offset)
			return nil
		}
		hash := chainhash.Hash(raw[:chainhash.HashSize])
		if i, ok := c.tree.find(hash); ok && c.tree.at(i).undo == loc {
			seen[i] = true
		}
		if _, err := decodeUndo(hash, raw); err != nil {
			in.problem("rev%05d.dat: %v", loc.File, err)
		}
		return nil
	}, func(g blockfile.Gap) error { in.gap("rev", g, in.newest.undos); return nil })
	for i := range c.tree.len {
		if n := c.tree.at(i); n.undo.Length != 0 && !seen[i] {
			in.problem("the undo record of block %v at height %d is not in rev%05d.dat at byte %d, where it was stored", n.hash, n.height, n.undo.File, n.undo.Offset)
		}
	}
	return err
}

// coins checks the store's checksums and the coins against their tally.
func (in *inspector) coins(ctx context.Context) error {
	if err := in.c.o.Store.Verify(ctx); err != nil {
		return err
	}
	set, found, err := in.c.sumOf(ctx, in.c.o.Store)
	if err != nil || in.found.Unfinished {
		return err
	}
	set.Tip = in.found.Set.Tip
	in.found.Set = set
	return found.want(in.at.tally)
}

// sumOf describes the coins in s.
func (c *Chain) sumOf(ctx context.Context, s Store) (info ledger.SetInfo, found tally, err error) {
	h, err := newSetHasher(ledger.HashSerialized)
	if err != nil {
		return info, found, err
	}
	err = s.View(func(r store.Reader) error {
		found, err = sumCoins(ctx, r, h, &info)
		return err
	})
	return info, found, err
}

// derive works the coins out from the first block on and compares them with those on the disk.
func (in *inspector) derive(ctx context.Context, scratch Store) error {
	c := in.c
	if c.Pruning().Pruned {
		return errors.New("the coins of a pruned data directory cannot be worked out again, its first blocks are gone: check it without --deep")
	}
	d := &Chain{o: c.o, tree: c.tree, blocks: c.blocks, undos: c.undos, coins: newCache(), recent: newRecent()}
	d.o.Store = scratch
	in.progress = Progress{Total: c.tip.Height}
	at := c.tree.state(0)
	for _, i := range c.tree.active[1:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, err := d.derived(at, i)
		if err != nil {
			return err
		}
		at = next
		in.progress.Height, in.progress.Blocks = at.Height, int(at.Height)
		in.step(0)
	}
	if err := d.writeCoins(); err != nil {
		return err
	}
	set, _, err := d.sumOf(ctx, scratch)
	if err != nil {
		return err
	}
	if set.Hash != in.found.Set.Hash {
		in.problem("the coins are not those that the blocks lead to: their hash is %v, but the blocks lead to %v", in.found.Set.Hash, set.Hash)
	}
	return nil
}

// derived connects i, which follows at, without its scripts, on the coins that were worked out so far, and checks its undo record.
func (c *Chain) derived(at consensus.State, i id) (consensus.State, error) {
	b, n, err := c.blockOf(i)
	if err != nil {
		return at, err
	}
	coins, err := c.load(consensus.Needs(at, b))
	if err != nil {
		return at, err
	}
	delta, err := consensus.Connect(at, b, coins)
	if err != nil {
		return at, fmt.Errorf("%w: block %v at height %d cannot be connected: %v", ErrDamaged, n.hash, n.height, err)
	}
	spent, err := c.spentBy(&n)
	if err != nil {
		return at, err
	}
	if !slices.EqualFunc(delta.Spent, spent, sameEntry) {
		return at, fmt.Errorf("%w: the undo record of block %v at height %d does not hold the coins that it spent", ErrDamaged, n.hash, n.height)
	}
	v := newView(nil)
	v.connect(delta)
	return at.Next(&b.Header), c.replayed(v)
}

func sameEntry(a, b consensus.Entry) bool {
	return a.OutPoint == b.OutPoint && string(appendCoin(nil, &a.Coin)) == string(appendCoin(nil, &b.Coin))
}
