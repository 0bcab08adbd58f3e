package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/disk"
	"groat/internal/ledger"
	"groat/internal/store"
)

// ErrDamaged says that what is on the disk is not what was written there: nobody's block is to blame. Whatever was going on
// has stopped without a verdict.
var ErrDamaged = errors.New("the ledger on this disk is damaged")

// ErrOutdated says that an older groat wrote the ledger, and that only Rebuild can read what it left.
var ErrOutdated = errors.New("the ledger is of an older version")

var errClosed = errors.New("the chain is closed")

// ScriptVerifier runs script checks.
type ScriptVerifier interface {
	// Verify returns nil if all checks pass, the first failure as a consensus.RuleError, or the context's error.
	Verify(ctx context.Context, checks []consensus.ScriptCheck) error
}

// Store keeps small records, as *store.Store does.
type Store interface {
	Get(key []byte) ([]byte, error)
	Iterate(prefix []byte, fn func(key, value []byte) error) error
	View(fn func(store.Reader) error) error
	Fits(b *store.Batch) bool
	Update(b *store.Batch) error
	Need(n int64) int64
	Size() int64
	Verify(ctx context.Context) error
}

// Options says what a chain is made of and what it may use.
type Options struct {
	Params  *consensus.Params
	Dir     string // of block and undo files; made if it is missing
	Store   Store  // stays open until after Close
	Scripts ScriptVerifier
	Now     func() time.Time // nil is time.Now
	Log     *slog.Logger     // nil is silence

	CacheBytes  int64          // of memory for coins; 0 is DefaultCacheBytes
	FlushEvery  int32          // blocks; 0 flushes by size and time only
	AssumeValid chainhash.Hash // scripts of this block and its ancestors are not run; zero is none
	Reserve     int64          // bytes that must stay free on the disk besides what the store asks for; 0 is DefaultReserve
	Prune       int64          // bytes that block and undo files may take, less than which KeepBlocks may need; 0 keeps all
	CheckStore  bool           // compare the coins with their tally on opening: the store may have lost records
	FileBytes   int64          // at which the next block or undo file is begun; 0 is blockfile.DefaultMaxBytes
	Point       func(string)   // called at the places that Points names, for tests that end the process there; nil is nothing
	FS          blockfile.FS   // nil is the operating system's
}

// Defaults of Options.
const (
	DefaultCacheBytes = 32 << 20
	DefaultReserve    = 32 << 20
)

// maxCacheBytes is what a table can name with room to spare: what one reorganisation changes comes on top before coins are evicted.
const maxCacheBytes = (1 << 32) * unitBytes / 4 * 3

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	o.CacheBytes = min(o.CacheBytes, maxCacheBytes)
	if o.Reserve == 0 {
		o.Reserve = DefaultReserve
	}
	return o
}

// Chain is the best chain and all that competes with it.
type Chain struct {
	o       Options          // set once
	blocks  *blockfile.Files // safe for concurrent use
	undos   *blockfile.Files // safe for concurrent use
	tips    bell             // rung when the tip changed
	heads   bell             // rung when the best header changed
	settled atomic.Bool      // the initial download is over, for good
	trouble chan error       // holds the error that Run has to end with
	stretch int              // stretchChanges; set once, less in tests
	far     int              // viewChanges; set once, less in tests

	whole blockfile.Pos // set by Rebuild before anything else: the block files are good up to here whatever the store says

	writer chan struct{} // has room for one: who is in it moves the tip or flushes, and owns these
	disk   place         // what is on the disk
	since  int32         // blocks connected or undone since the last flush
	last   time.Time     // of the last flush
	broken error         // why nothing may be written any more: memory and disk may not agree

	mu      sync.RWMutex // guards all below; held for moments, never while scripts run or files are written
	tree    *tree
	coins   *cache // changed by the writer only, who may read it without mu
	tally   tally  // of the coins that exist at the tip
	tip     consensus.State
	commits uint64 // how often the tip changed
	recent  *recent
	latest  *consensus.Block           // the last one connected: all followers ask for it
	reasons map[id]consensus.RuleError // why blocks failed, as far as it happened in this process
}

// Open opens the chain in o.Dir and o.Store, or begins one. It brings coins and tip in order after a crash and connects the blocks that were
// stored after the last flush, which takes as long as it takes unless ctx ends.
func Open(ctx context.Context, o Options) (*Chain, error) {
	c, err := prepare(o)
	if err != nil {
		return nil, err
	}
	if err := c.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the chain: %w", err), c.closeFiles())
	}
	return c, nil
}

// prepare returns a chain that knows nothing yet.
func prepare(o Options) (*Chain, error) {
	o = o.withDefaults()
	if err := disk.MakeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("make the directory of the block files: %w", err)
	}
	if err := disk.Check(o.Dir, o.Reserve+o.Store.Need(0)); err != nil {
		return nil, err
	}
	return &Chain{
		o: o, writer: make(chan struct{}, 1), trouble: make(chan error, 1), last: o.Now(), stretch: stretchChanges, far: viewChanges(o.CacheBytes),
		tree: newTree(o.Params), coins: newCache(), recent: newRecent(), reasons: make(map[id]consensus.RuleError),
	}, nil
}

// Close flushes and closes the files. It waits for whoever moves the tip.
func (c *Chain) Close() error {
	c.writer <- struct{}{}
	defer c.release()
	if errors.Is(c.broken, errClosed) {
		return nil
	}
	var err error
	if c.broken == nil {
		err = c.flush()
	}
	c.broken = errClosed
	return errors.Join(err, c.closeFiles())
}

func (c *Chain) closeFiles() error {
	var errs []error
	for _, f := range []*blockfile.Files{c.blocks, c.undos} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// acquire makes the caller the writer.
func (c *Chain) acquire(ctx context.Context) error {
	select {
	case c.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.broken != nil {
		defer c.release()
		return c.broken
	}
	return nil
}

func (c *Chain) release() { <-c.writer }

// fault keeps err, a failure of the disk, for Run to end with, and returns it.
func (c *Chain) fault(err error) error {
	select {
	case c.trouble <- err:
	default: // an earlier one is there
	}
	return err
}

// Params returns the network.
func (c *Chain) Params() *consensus.Params { return c.o.Params }

// Tip returns the place after the last block of the best chain.
func (c *Chain) Tip() consensus.State {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tip
}

// BestHeader returns the place after the header with the most work whose chain is not known to be invalid. Its block may be missing.
func (c *Chain) BestHeader() consensus.State {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tree.state(c.tree.bestHeader())
}

// InitialDownload says whether the tip is old or has too little work to be the network's, as Bitcoin Core does: once it is
// over, it stays over.
func (c *Chain) InitialDownload() bool {
	if c.settled.Load() {
		return false
	}
	const fresh = 24 * time.Hour
	tip := c.Tip()
	if tip.Work.Cmp(c.o.Params.MinWork) < 0 || tip.Header.Timestamp.Before(c.o.Now().Add(-fresh)) {
		return true
	}
	c.settled.Store(true)
	return false
}

// DiskSize returns the bytes that blocks, undo records and the store take.
func (c *Chain) DiskSize() int64 { return c.blocks.Size() + c.undos.Size() + c.o.Store.Size() }

// Storage returns what the chain takes of memory and disk.
func (c *Chain) Storage() ledger.Storage {
	c.mu.RLock()
	coins, bytes := c.coins.table.live, c.coins.bytes()
	c.mu.RUnlock()
	return ledger.Storage{
		CacheCoins: coins, CacheBytes: bytes, CacheLimit: c.o.CacheBytes,
		BlockBytes: c.blocks.Size() + c.undos.Size(), StoreBytes: c.o.Store.Size(),
	}
}

// room returns a *disk.FullError if there is no room for n bytes more in the files and for the next flush.
func (c *Chain) room(n int) error {
	c.mu.RLock()
	pending := c.pending()
	c.mu.RUnlock()
	if err := disk.Check(c.o.Dir, c.o.Reserve+c.o.Store.Need(pending)+int64(n)); err != nil {
		return c.fault(err)
	}
	return nil
}

// pending returns about what a flush would write, in bytes. The caller holds mu.
func (c *Chain) pending() int64 {
	const perNode = 250
	return c.coins.fresh + int64(len(c.tree.unsaved))*perNode
}
