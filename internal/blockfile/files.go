package blockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"groat/internal/disk"
)

// DefaultMaxBytes is the size at which the next file is begun.
const DefaultMaxBytes = 128 << 20

// ErrDamaged says that a record is not what was written: the disk's fault.
var ErrDamaged = errors.New("a block file is damaged")

// Pos is a place in a series of files.
type Pos struct {
	File   uint32
	Offset uint32
}

// Before says whether p lies before q.
func (p Pos) Before(q Pos) bool {
	return p.File < q.File || (p.File == q.File && p.Offset < q.Offset)
}

// Location is where a record begins and how long its payload is. The zero Location is no record: no payload is empty.
type Location struct {
	Pos
	Length uint32
}

// Options says where the files lie and what they are called.
type Options struct {
	Dir      string // must exist
	Name     string // of the series: NAME00000.dat, NAME00001.dat, …
	Magic    [4]byte
	MaxBytes int64 // of one file; 0 is DefaultMaxBytes; at most 4 GiB
	Synced   Pos   // everything before it is known to be synced and is not looked at by Open
	FS       FS    // nil is the operating system's
}

// Files is a series of append-only files. All methods may be called at the same time.
type Files struct {
	o Options // set once

	mu     sync.Mutex       // guards all below
	end    Pos              // where the next record goes
	synced Pos              // nothing before it is lost in a crash
	last   File             // the file that end is in
	sizes  map[uint32]int64 // of all files before it
	failed error            // of a sync, after which nothing counts as synced any more
}

// Open opens the series. It cuts torn records behind o.Synced and returns ErrDamaged if something before it is missing.
func Open(o Options) (*Files, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.FS == nil {
		o.FS = OS{}
	}
	f := &Files{o: o, sizes: make(map[uint32]int64)}
	newest, err := f.survey()
	if err != nil {
		return nil, err
	}
	for n := o.Synced.File; n <= newest; n++ {
		if err := f.openFile(n, n == newest); err != nil {
			return nil, err
		}
	}
	f.synced = f.end
	return f, nil
}

// survey returns the number of the newest file, o.Synced's if there is none, and notes the sizes of those before o.Synced.
func (f *Files) survey() (uint32, error) {
	newest := f.o.Synced.File
	err := f.eachFile(func(n uint32, size int64) {
		newest = max(newest, n)
		if n < f.o.Synced.File {
			f.sizes[n] = size
		}
	})
	return newest, err
}

// eachFile calls fn for every file of the series, in any order.
func (f *Files) eachFile(fn func(n uint32, size int64)) error {
	sizes, err := f.o.FS.List(f.o.Dir)
	if errors.Is(err, fs.ErrNotExist) { // a kill came before the directory was made
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the block files: %w", err)
	}
	for name, size := range sizes {
		digits, ok := strings.CutPrefix(strings.TrimSuffix(name, ".dat"), f.o.Name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 32)
		if err == nil && name == filepath.Base(f.path(uint32(n))) {
			fn(uint32(n), size)
		}
	}
	return nil
}

func (f *Files) path(n uint32) string {
	return filepath.Join(f.o.Dir, fmt.Sprintf("%s%05d.dat", f.o.Name, n))
}

// openFile checks file n and keeps it open if it is the last.
func (f *Files) openFile(n uint32, last bool) error {
	file, err := f.o.FS.Create(f.path(n))
	if err != nil {
		return fmt.Errorf("open a block file: %w", disk.Explain(f.o.Dir, err))
	}
	end, err := f.cut(n, file)
	if err == nil && last {
		// A new name, or a cut, must not come undone after records that rely on it.
		err = errors.Join(file.Sync(), f.o.FS.SyncDir(f.o.Dir))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", f.path(n), err), file.Close())
	}
	if !last {
		f.sizes[n] = int64(end)
		return file.Close()
	}
	f.last, f.end = file, Pos{n, end}
	return nil
}

// cut removes what follows the last good record of file n and returns where that ends.
func (f *Files) cut(n uint32, file File) (uint32, error) {
	size, err := file.Size()
	if err != nil {
		return 0, err
	}
	good := uint32(0)
	if n == f.o.Synced.File {
		good = f.o.Synced.Offset
	}
	if size < int64(good) {
		return 0, fmt.Errorf("%w: it has %d bytes where %d were written", ErrDamaged, size, good)
	}
	for {
		payload, err := f.readRecord(file, good, size)
		if errors.Is(err, ErrDamaged) {
			break
		}
		if err != nil {
			return 0, err
		}
		good += headerSize + uint32(len(payload))
	}
	if int64(good) == size {
		return good, nil
	}
	return good, file.Truncate(int64(good))
}

// Append writes payload, which must not be empty, and returns where it is. It is not on the disk before Sync. After an error
// nothing was appended.
func (f *Files) Append(payload []byte) (Location, error) {
	if len(payload) == 0 || len(payload) > MaxPayload {
		return Location{}, fmt.Errorf("append a record of %d bytes: only 1 to %d can be", len(payload), MaxPayload)
	}
	record := f.encode(payload)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end.Offset > 0 && int64(f.end.Offset)+int64(len(record)) > f.o.MaxBytes {
		if err := f.rotate(); err != nil {
			return Location{}, err
		}
	}
	if _, err := f.last.WriteAt(record, int64(f.end.Offset)); err != nil {
		return Location{}, fmt.Errorf("append to %s: %w", f.path(f.end.File), disk.Explain(f.o.Dir, err))
	}
	loc := Location{Pos: f.end, Length: uint32(len(payload))}
	f.end.Offset += uint32(len(record))
	return loc, nil
}

// rotate begins the next file. The one before is synced first, so that only the last can be torn.
func (f *Files) rotate() error {
	if err := f.syncLast(); err != nil {
		return err
	}
	next, err := f.o.FS.Create(f.path(f.end.File + 1))
	if err != nil {
		return fmt.Errorf("begin a block file: %w", disk.Explain(f.o.Dir, err))
	}
	if err := f.o.FS.SyncDir(f.o.Dir); err != nil {
		f.failed = fmt.Errorf("begin a block file: %w", disk.Explain(f.o.Dir, err))
		return errors.Join(f.failed, next.Close())
	}
	if err := f.last.Close(); err != nil {
		return errors.Join(fmt.Errorf("end a block file: %w", err), next.Close())
	}
	f.sizes[f.end.File] = int64(f.end.Offset)
	f.last, f.end = next, Pos{File: f.end.File + 1}
	return nil
}

// Read returns the payload at loc, or ErrDamaged.
func (f *Files) Read(loc Location) ([]byte, error) {
	file, err := f.o.FS.Open(f.path(loc.File))
	if err != nil {
		return nil, fmt.Errorf("read a block file: %w", err)
	}
	size, err := file.Size()
	var payload []byte
	if err == nil {
		payload, err = f.readRecord(file, loc.Offset, size)
	}
	if err == nil && uint32(len(payload)) != loc.Length {
		err = fmt.Errorf("%w: a record of %d bytes where %d were written", ErrDamaged, len(payload), loc.Length)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read %s at %d: %w", f.path(loc.File), loc.Offset, err)
	}
	return payload, nil
}

// Scan calls fn for every record from the place where one begins to the end, and stops at fn's first error, which it returns.
// The payload is fn's to keep.
func (f *Files) Scan(from Pos, fn func(Location, []byte) error) error {
	end := f.End()
	for n := from.File; n <= end.File; n++ {
		if err := f.scanFile(n, from, end, fn); err != nil {
			return err
		}
	}
	return nil
}

func (f *Files) scanFile(n uint32, from, end Pos, fn func(Location, []byte) error) (err error) {
	file, err := f.o.FS.Open(f.path(n))
	if err != nil {
		return fmt.Errorf("read a block file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Size()
	if err != nil {
		return fmt.Errorf("read %s: %w", f.path(n), err)
	}
	pos := Pos{File: n}
	if n == from.File {
		pos = from
	}
	for pos.Before(end) && int64(pos.Offset) < size {
		payload, err := f.readRecord(file, pos.Offset, size)
		if err != nil {
			return fmt.Errorf("read %s at %d: %w", f.path(n), pos.Offset, err)
		}
		if err := fn(Location{Pos: pos, Length: uint32(len(payload))}, payload); err != nil {
			return err
		}
		pos.Offset += headerSize + uint32(len(payload))
	}
	return nil
}

// Sync returns when all that was appended is on the disk, with the place up to which that holds. After one failure it always fails: the
// operating system may have dropped what it could not write, and would say at the next sync that all is well.
func (f *Files) Sync() (Pos, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.syncLast(); err != nil {
		return Pos{}, err
	}
	return f.synced, nil
}

func (f *Files) syncLast() error {
	if f.failed != nil || f.synced == f.end {
		return f.failed
	}
	if err := f.last.Sync(); err != nil {
		f.failed = fmt.Errorf("sync %s: %w", f.path(f.end.File), disk.Explain(f.o.Dir, err))
		return f.failed
	}
	f.synced = f.end
	return nil
}

// End returns the place where the next record goes, if it fits there.
func (f *Files) End() Pos {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end
}

// Size returns the bytes in all files.
func (f *Files) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := int64(f.end.Offset)
	for _, size := range f.sizes {
		sum += size
	}
	return sum
}

// Ended returns the sizes of the files that nothing is appended to any more, by their numbers.
func (f *Files) Ended() map[uint32]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.sizes)
}

// Remove removes a file that nothing is appended to any more. Nobody may want what is in it.
func (f *Files) Remove(n uint32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.sizes[n]; !ok {
		return nil
	}
	if err := f.o.FS.Remove(f.path(n)); err != nil {
		return fmt.Errorf("remove a block file: %w", err)
	}
	delete(f.sizes, n)
	return nil
}

// Close closes the last file. It does not sync.
func (f *Files) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last.Close()
}
