package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/sync/errgroup"

	"groat/chain"
	"groat/internal/store"
	"groat/internal/verify"
)

// openedLedger is the chain with what it stands on: what an import needs of a node, and what the rest of a node is built on.
type openedLedger struct {
	db      *store.DB
	scripts *verify.Verifier
	chain   *chain.Chain
}

// storeShare is the part of the memory for coins that the database gets, as a divisor.
const storeShare = 4

// verifiedTxs is how many transactions whose scripts were found valid are remembered, so that a block need not run them again.
const verifiedTxs = 100_000

// openLedger opens the database and the chain in a data directory.
func openLedger(ctx context.Context, o Options, now func() time.Time, dir *dataDir) (*openedLedger, error) {
	assumeValid, err := o.assumeValid()
	if err != nil {
		return nil, err
	}
	budget := int64(o.CacheMiB) << 20
	l := &openedLedger{scripts: verify.New(runtime.GOMAXPROCS(0), verifiedTxs)}
	l.db, err = store.Open(store.Options{Dir: filepath.Join(dir.path, "db"), Budget: budget / storeShare, Log: o.Log})
	if err != nil {
		return nil, err
	}
	l.chain, err = chain.Open(ctx, chain.Options{
		Params:      o.Params,
		Dir:         filepath.Join(dir.path, "blocks"),
		Store:       l.db.Prefix("chain"),
		Scripts:     l.scripts,
		Now:         now,
		Log:         o.Log,
		CacheBytes:  budget - budget/storeShare,
		FlushEvery:  o.FlushEvery,
		AssumeValid: assumeValid,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the chain: %w", err), l.db.Close())
	}
	return l, nil
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

// during runs work while the chain takes care of itself: it writes from time to time and watches the disk.
func (l *openedLedger) during(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.chain.Run(ctx) })
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
