package store

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"groat/internal/disk"
)

// OpenToRead opens the store in o.Dir and leaves it as it is: nothing may be written. It returns ErrNone if nothing has been. After a crash there are logs that Badger can only
// read by bringing them in order, so then a copy is opened, next to the store, which Close removes.
func OpenToRead(o Options) (*DB, error) {
	if there, err := begun(o.Dir); err != nil || !there {
		return nil, cmp.Or(err, ErrNone)
	}
	lock := flock.New(filepath.Join(o.Dir, "groat.lock"))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the store: %w", err)
	case !held:
		return nil, fmt.Errorf("%w: %s; stop the node first", ErrLocked, o.Dir)
	}
	db, err := openToRead(o)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	db.lock = lock
	return db, nil
}

func openToRead(o Options) (*DB, error) {
	logs, err := listLogs(o.Dir)
	if err != nil {
		return nil, err
	}
	if len(logs) == 0 {
		if err := checkTables(o.Dir, tableEnds); err != nil {
			return nil, err
		}
		inner, err := openBadger(o.Dir, o.Log, badgerOptions(o, minMemTable).WithReadOnly(true))
		if err != nil {
			return nil, fmt.Errorf("open the store in %s: %w", o.Dir, err)
		}
		return &DB{dir: o.Dir, badger: inner}, nil
	}
	scratch := o.Dir + ".copy"
	if err := copyStore(o.Dir, scratch); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the store: %w", disk.Explain(o.Dir, err)), os.RemoveAll(scratch))
	}
	copied := o
	copied.Dir = scratch
	db, err := open(copied)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(scratch))
	}
	db.scratch = scratch
	return db, nil
}

// copyStore copies the files of a store into a new directory.
func copyStore(from, to string) error {
	if err := os.RemoveAll(to); err != nil { // of a check that was killed
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	var size int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	if err := disk.Check(from, size); err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
