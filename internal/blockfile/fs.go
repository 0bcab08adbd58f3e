package blockfile

import (
	"fmt"
	"io"
	"os"

	"groat/internal/disk"
)

// FS is where the files lie. Tests put one in its place that fails on purpose.
type FS interface {
	// Open opens an existing file for reading.
	Open(name string) (File, error)
	// Create opens the file for reading and writing and makes it if it is missing.
	Create(name string) (File, error)
	// List returns the sizes of the files in a directory by their names.
	List(dir string) (map[string]int64, error)
	// Remove removes a file.
	Remove(name string) error
	// SyncDir makes new names in the directory last.
	SyncDir(dir string) error
}

// File is an open file of an FS.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error // returns when the data is on the disk
}

// OS is the operating system's file system.
type OS struct{}

type osFile struct{ *os.File }

// Open implements FS.
func (OS) Open(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Create implements FS.
func (OS) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// List implements FS.
func (OS) List(dir string) (map[string]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		sizes[e.Name()] = info.Size()
	}
	return sizes, nil
}

// Remove implements FS.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir implements FS.
func (OS) SyncDir(dir string) error { return disk.SyncDir(dir) }

// Size implements File.
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("size: %w", err)
	}
	return info.Size(), nil
}

// Sync implements File.
func (f osFile) Sync() error { return datasync(f.File) }
