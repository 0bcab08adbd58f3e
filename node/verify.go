package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"groat/chain"
	"groat/internal/store"
)

// Inspection is what Verify found.
type Inspection = chain.Inspection

// Verify checks the data directory without changing it. With deep it also works the coins out again from all blocks, in a temporary directory of the
// operating system's, and compares. What is wrong is in the Inspection; an error means that it could not look. report is called after every block.
func Verify(ctx context.Context, o Options, deep bool, report func(Progress)) (found Inspection, err error) {
	dir, err := openExistingDataDir(o.dir(), o.Params)
	if err != nil {
		return found, err
	}
	defer func() { err = o.closed(err, dir.close()) }()
	if dir.rebuilding() {
		return Inspection{Problems: []string{errRebuilding.Error()}}, nil
	}
	co, err := o.chainOptions(time.Now, dir)
	if err != nil {
		return found, err
	}
	memory := memoryLimit{coins: o.budget()}
	report = memory.reporting(report)
	db, err := store.OpenToRead(store.Options{Dir: dir.store(), Budget: o.budget() / storeShare, Log: o.Log})
	switch {
	case errors.Is(err, store.ErrNone) && errors.Is(chain.CanRebuild(co), chain.ErrNoBlocks):
		return found, holdsNothing(dir.path, o.Params)
	case errors.Is(err, store.ErrNone), errors.Is(err, store.ErrDamaged):
		return Inspection{Problems: []string{err.Error()}}, nil
	case err != nil:
		return found, err
	}
	defer func() { err = o.closed(err, db.Close()) }()
	co.Store = db.Prefix(chainName)
	if !deep {
		return chain.Inspect(ctx, co, nil, report)
	}
	return verifyDeep(ctx, o, co, report)
}

func verifyDeep(ctx context.Context, o Options, co chain.Options, report func(Progress)) (found Inspection, err error) {
	scratch, err := os.MkdirTemp("", "groat-verify-")
	if err != nil {
		return found, err
	}
	defer func() { err = o.closed(err, os.RemoveAll(scratch)) }()
	db, err := store.Open(store.Options{Dir: filepath.Join(scratch, "db"), Budget: o.budget() / storeShare, Log: o.Log})
	if err != nil {
		return found, err
	}
	defer func() { err = o.closed(err, db.Close()) }()
	return chain.Inspect(ctx, co, db.Prefix(chainName), report)
}
