package node

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/sync/errgroup"

	"groat/chain"
	"groat/internal/blockfile"
	"groat/internal/store"
	"groat/internal/verify"
)

// openedLedger is the chain with what it stands on: what an import needs of a node, and what the rest of a node is built on.
type openedLedger struct {
	db      *store.DB
	scripts *verify.Verifier
	chain   *chain.Chain
	memory  memoryLimit
}

// storeShare is the part of the memory for coins that the database gets, as a divisor.
const storeShare = 4

// verifiedTxs is how many transactions whose scripts were found valid are remembered, so that a block need not run them again.
const verifiedTxs = 100_000

// openLedger opens the database and the chain in a data directory.
func openLedger(ctx context.Context, o Options, now func() time.Time, dir *dataDir) (*openedLedger, error) {
	if dir.rebuilding() {
		return nil, fmt.Errorf("%s: %w", dir.path, errRebuilding)
	}
	return buildLedger(o, now, dir, func(o chain.Options) (*chain.Chain, error) { return chain.Open(ctx, o) })
}

// buildLedger opens the database, and the chain by open.
func buildLedger(o Options, now func() time.Time, dir *dataDir, open func(chain.Options) (*chain.Chain, error)) (*openedLedger, error) {
	l := &openedLedger{memory: memoryLimit{coins: o.budget()}, scripts: verify.New(runtime.GOMAXPROCS(0), verifiedTxs)}
	co, err := o.chainOptions(now, dir)
	if err != nil {
		return nil, err
	}
	l.db, err = store.Open(store.Options{Dir: dir.store(), Budget: o.budget() / storeShare, Log: o.Log})
	if err != nil {
		return nil, err
	}
	co.Store, co.Scripts, co.CheckStore = l.db.Prefix(chainName), l.scripts, l.db.Unclean()
	if l.chain, err = open(co); err != nil {
		return nil, errors.Join(err, l.db.Close())
	}
	return l, nil
}

// chainName is what the chain's records in the store begin with.
const chainName = "chain"

// budget returns the memory for coins, in bytes.
func (o Options) budget() int64 { return int64(o.CacheMiB) << 20 }

// fileBytes returns the size of block files: some of them make up what is kept, since they are removed whole.
func (o Options) fileBytes() int64 {
	const files = 8
	if o.PruneMiB == 0 {
		return blockfile.DefaultMaxBytes
	}
	return min(int64(o.PruneMiB)<<20/files, blockfile.DefaultMaxBytes)
}

// chainOptions returns how to open the chain in dir, without its store and verifier.
func (o Options) chainOptions(now func() time.Time, dir *dataDir) (chain.Options, error) {
	point, err := o.crashPoint()
	if err != nil {
		return chain.Options{}, err
	}
	assumeValid, err := o.assumeValid()
	return chain.Options{
		Params:      o.Params,
		Dir:         dir.blocks(),
		Now:         now,
		Log:         o.Log,
		CacheBytes:  o.budget() - o.budget()/storeShare,
		FlushEvery:  o.FlushEvery,
		AssumeValid: assumeValid,
		Point:       point,
		Prune:       int64(o.PruneMiB) << 20,
		FileBytes:   o.fileBytes(),
	}, err
}

// withLedger takes the data directory, opens the chain in it, does the work, and closes both.
func withLedger(ctx context.Context, o Options, work func(*openedLedger) error) (err error) {
	dir, err := openDataDir(o.dir(), o.Params)
	if err != nil {
		return err
	}
	defer func() { err = o.closed(err, dir.close()) }()
	l, err := openLedger(ctx, o, time.Now, dir)
	if err != nil {
		return err
	}
	defer func() { err = o.closed(err, l.close()) }()
	return work(l)
}

// during runs work while the chain takes care of itself: it writes from time to time and watches the disk. The memory is kept within its limit.
func (l *openedLedger) during(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.chain.Run(ctx) })
	group.Go(func() error { return l.memory.follow(ctx, l.chain) })
	group.Go(func() error {
		defer cancel()
		return work(ctx)
	})
	return group.Wait()
}

// close writes what is in memory.
func (l *openedLedger) close() error {
	return errors.Join(l.chain.Close(), l.db.Close())
}

// assumeValid returns the block of --assume-valid, zero if there is none.
func (o Options) assumeValid() (chainhash.Hash, error) {
	if o.AssumeValid == "" {
		return chainhash.Hash{}, nil
	}
	hash, err := chainhash.NewHashFromStr(o.AssumeValid)
	if err != nil || len(o.AssumeValid) != 2*chainhash.HashSize {
		return chainhash.Hash{}, fmt.Errorf("--assume-valid %s is not the hash of a block, 64 hexadecimal digits", o.AssumeValid)
	}
	return *hash, nil
}
