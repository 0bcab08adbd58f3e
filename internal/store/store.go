// Package store keeps small records in Badger. The node opens it once and hands each part a view under a name of its
// own. It owns the workarounds for what Badger gets wrong: a kill that leaves empty log files, damage that
// reads as absence, batches that are not atomic, and a full disk that ends the process.
//
// Every value is stored with a checksum over its key and itself, so a damaged record is an error and never
// "not found". A record that vanished whole cannot be noticed here; whoever knows what must be there calls Verify.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/gofrs/flock"

	"groat/internal/disk"
)

// Errors of this package.
var (
	ErrNotFound = errors.New("not in the store")
	ErrDamaged  = errors.New("the store is damaged") // a checksum does not match: the disk's fault, never a peer's
	ErrTooBig   = errors.New("more than one transaction of the store can hold")
	ErrLocked   = errors.New("the store is in use by another process")
	ErrNone     = errors.New("there is no store")
)

// Sizes of a memory table, which is also what one write-ahead log holds. A transaction takes up to 15 % of it, and the longest value has to fit.
const (
	minMemTable = 4 << 20
	maxMemTable = 64 << 20
	memTables   = 3  // one being written and two being flushed
	memShare    = 10 // of the budget, as a divisor: Badger keeps eight buffers besides that have made a table of one

	diskShare = 16 // a memory table takes at most this part of what is free when the store is opened, as a divisor
)

// tableBytes is the size of tables on the disk, on every level. Badger builds up to a dozen at once, each in twice as much memory, and would
// double the size with each level that a growing store gets.
const tableBytes = 2 << 20

// Options says where a store lies and what it may use.
type Options struct {
	Dir    string       // its own directory, made if it is missing
	Budget int64        // bytes of memory for what is not on disk yet; small by default, which takes up to 85 MB while much is written
	Log    *slog.Logger // nil is silence
}

// DB is an open store.
type DB struct {
	dir     string       // set once
	reserve int64        // set once; bytes that stay free on the disk
	badger  *badger.DB   // safe for concurrent use
	lock    *flock.Flock // held until Close
	scratch string       // a directory that Close removes; "" if there is none
	unclean bool         // the one who had it before did not close it
}

// Open opens the store in o.Dir and makes it if there is none. It returns ErrLocked if another process has it, and a
// *disk.FullError if there is no room to work in.
func Open(o Options) (*DB, error) {
	if err := disk.MakeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("make the store's directory: %w", disk.Explain(filepath.Dir(o.Dir), err))
	}
	// Badger's own lock says so only in the text of its error.
	lock := flock.New(filepath.Join(o.Dir, "groat.lock"))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the store: %w", disk.Explain(o.Dir, err))
	case !held:
		return nil, fmt.Errorf("%w: %s; stop the other node or give this one its own data directory", ErrLocked, o.Dir)
	}
	db, err := open(o)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	db.lock = lock
	return db, nil
}

func open(o Options) (*DB, error) {
	free, err := disk.Free(o.Dir)
	if err != nil {
		return nil, err
	}
	// A small disk gets small tables, or the reserve alone would not fit on it.
	memTable := max(min(o.Budget/memShare, maxMemTable, free/diskShare), minMemTable)
	// What Badger may have to write before the next check: its logs, the tables they become, and a compaction.
	reserve := 4*memTable + 8*tableBytes
	if err := disk.Check(o.Dir, reserve); err != nil {
		return nil, err
	}
	if err := removeEmptyLogs(o.Dir); err != nil {
		return nil, err
	}
	if _, err := begun(o.Dir); err != nil {
		return nil, err
	}
	logs, err := listLogs(o.Dir)
	if err != nil {
		return nil, err
	}
	unclean := len(logs) > 0
	if err := checkTables(o.Dir, unclean); err != nil {
		return nil, err
	}
	if err := finishLogs(o, logs, memTable); err != nil {
		return nil, err
	}
	inner, err := openBadger(o.Dir, o.Log, badgerOptions(o, memTable))
	if err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", o.Dir, err)
	}
	return &DB{dir: o.Dir, reserve: reserve, badger: inner, unclean: unclean}, nil
}

func badgerOptions(o Options, memTable int64) badger.Options {
	opts := badger.DefaultOptions(o.Dir).
		WithMetricsEnabled(false).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithDetectConflicts(false). // each part is the only writer of its keys
		WithNumVersionsToKeep(1).
		WithSyncWrites(true).
		WithChecksumVerificationMode(options.OnBlockRead). // OnTableRead ends the process when it finds damage
		WithMemTableSize(memTable).
		WithBaseTableSize(tableBytes).
		WithNumMemtables(memTables - 1).
		WithNumLevelZeroTables(4).
		WithNumLevelZeroTablesStall(8).
		WithNumCompactors(2).
		WithNumGoroutines(2).
		WithValueLogFileSize(1 << 20). // mapped twice as large; it stays empty: all values live in the tables
		WithValueThreshold(maxValue + 1)
	opts.TableSizeMultiplier = 1
	return opts
}

// openBadger opens Badger. What it cannot open is ErrDamaged: the directory is there and may be written, or the lock could not be held. So is a table
// that it leaves out, or over which it panics.
func openBadger(dir string, log *slog.Logger, o badger.Options) (db *badger.DB, err error) {
	defer recoverDamage(&err)
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	complaints := new(atomic.Int64)
	db, err = badger.Open(o.WithLogger(logger{log, complaints}))
	if err := disk.Explain(dir, err); errors.Is(err, disk.ErrFull) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if complaints.Load() > 0 {
		return nil, errors.Join(fmt.Errorf("%w: a table cannot be read", ErrDamaged), db.Close())
	}
	return db, nil
}

// begun says whether there is a store in dir. One without its list of tables is ErrDamaged: Badger would take it for a new one and remove all tables.
func begun(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, badger.ManifestFilename))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	for _, pattern := range []string{"*.sst", "*.mem"} {
		if names, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(names) > 0 {
			return false, errors.Join(fmt.Errorf("%w: its list of tables, %s, is missing", ErrDamaged, badger.ManifestFilename), err)
		}
	}
	return false, nil
}

// Close writes what is in memory and ends the store's goroutines. No view may be used afterwards.
func (db *DB) Close() error {
	err := db.badger.Close()
	if err != nil {
		err = fmt.Errorf("close the store: %w", err)
	}
	if db.scratch != "" {
		err = errors.Join(err, os.RemoveAll(db.scratch))
	}
	return errors.Join(err, db.lock.Unlock())
}

// Unclean says whether the store was last left without Close, so that Badger had to bring it in order.
func (db *DB) Unclean() bool { return db.unclean }

// Need returns how many bytes must be free on the disk before a write of n bytes: they go to a log, from there to a table and
// perhaps through a compaction, and a reserve stays for what runs behind.
func (db *DB) Need(n int64) int64 { return db.reserve + 4*n }

// Size returns the bytes that the store takes on disk, without logs, which are made larger than what is in them.
func (db *DB) Size() int64 {
	var sum int64
	_ = filepath.WalkDir(db.dir, func(path string, d fs.DirEntry, err error) error {
		ext := filepath.Ext(path)
		if err != nil || d.IsDir() || ext == ".mem" || ext == ".vlog" {
			return nil // a table that a compaction removed meanwhile is no error
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// Verify reads all tables and compares their checksums. Damage is ErrDamaged.
func (db *DB) Verify(ctx context.Context) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer recoverDamage(&err) // Badger looks into a block that it could not read
	if err := db.badger.VerifyChecksum(); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// recoverDamage makes a panic inside Badger the error of the call that met it. Badger panics on lengths and offsets that it
// reads from damaged blocks.
func recoverDamage(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, r)
	}
}
