package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// MakeDir makes a directory for its owner alone, and those above it that are missing. When it returns, their names survive a power cut: without that, what is
// synced in a new directory could be gone together with it.
func MakeDir(path string) error {
	var parents []string // of what is missing
	for dir := filepath.Clean(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		parents = append(parents, filepath.Dir(dir))
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	for _, parent := range parents {
		// Where we may make names but not read them, they last when the system comes to it.
		if err := SyncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// SyncDir returns when the names in a directory are on the disk: files that were made, renamed or removed in it.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" { // has no such call, and names last there by themselves
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// WriteFile puts content at path, for its owner alone, such that a crash or a power cut at any moment leaves the old or the new content, whole. When it
// returns, it is the new one. A full disk is a *FullError.
func WriteFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	tmp := path + ".tmp"
	err := writeSynced(tmp, content)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp) // the first error is the one to report
	} else {
		err = SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, Explain(dir, Bare(err)))
	}
	return nil
}

// Bare returns what the operating system said, without the path that a message names already.
func Bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}

func writeSynced(path string, content []byte) error {
	// A file left by a crash goes first: it would keep its mode.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
