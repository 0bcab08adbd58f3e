package chain

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"groat/internal/blockfile"
)

// faultyFS fails on purpose: with an error at its n-th call, a write after a part of it, or with a bit flipped in what the n-th call reads. It remembers
// what was synced, and can lose the rest as a power cut does.
type faultyFS struct {
	blockfile.OS
	left   int   // calls until the one that fails; 0 is never
	err    error // with which it fails; nil flips a bit in what a read returns, and only reads count
	synced map[string][]byte
	names  map[string]bool // files whose names would survive a power cut
}

type faultyFile struct {
	blockfile.File
	fs   *faultyFS
	name string
}

func newFaultyFS() *faultyFS {
	return &faultyFS{synced: make(map[string][]byte), names: make(map[string]bool)}
}

// hit returns the error with which this call is to fail.
func (f *faultyFS) hit() error {
	if f.err == nil {
		return nil
	}
	if f.left--; f.left == 0 {
		return f.err
	}
	return nil
}

func (f *faultyFS) Create(name string) (blockfile.File, error) {
	if err := f.hit(); err != nil {
		return nil, err
	}
	file, err := f.OS.Create(name)
	return faultyFile{file, f, name}, err
}

func (f *faultyFS) Open(name string) (blockfile.File, error) {
	if err := f.hit(); err != nil {
		return nil, err
	}
	file, err := f.OS.Open(name)
	return faultyFile{file, f, name}, err
}

func (f *faultyFS) List(dir string) (map[string]int64, error) {
	if err := f.hit(); err != nil {
		return nil, err
	}
	return f.OS.List(dir)
}

func (f *faultyFS) Remove(name string) error {
	if err := f.hit(); err != nil {
		return err
	}
	return f.OS.Remove(name)
}

func (f *faultyFS) SyncDir(dir string) error {
	if err := f.hit(); err != nil {
		return err
	}
	sizes, err := f.OS.List(dir)
	for name := range sizes {
		f.names[filepath.Join(dir, name)] = true
	}
	return errors.Join(err, f.OS.SyncDir(dir))
}

func (f faultyFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.fs.hit(); err != nil {
		n, _ := f.File.WriteAt(b[:len(b)/3], at)
		return n, err
	}
	return f.File.WriteAt(b, at)
}

func (f faultyFile) ReadAt(b []byte, at int64) (int, error) {
	if err := f.fs.hit(); err != nil {
		return 0, err
	}
	n, err := f.File.ReadAt(b, at)
	if f.fs.err == nil && len(b) > 0 {
		if f.fs.left--; f.fs.left == 0 {
			b[len(b)/2] ^= 1
		}
	}
	return n, err
}

func (f faultyFile) Truncate(size int64) error {
	if err := f.fs.hit(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f faultyFile) Sync() error {
	if err := f.fs.hit(); err != nil {
		return err
	}
	raw, err := os.ReadFile(f.name)
	f.fs.synced[f.name] = raw
	return errors.Join(err, f.File.Sync())
}

// losePower makes of the files what a power cut could: each page that was written after the last sync may be old or new, files may be as short as they were, and
// new files may be gone.
func (f *faultyFS) losePower(t *testing.T, dir string, random *rand.Rand) {
	t.Helper()
	const page = 512 // small, as the files are
	sizes, err := f.OS.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range slices.Sorted(maps.Keys(sizes)) {
		name := filepath.Join(dir, base)
		if !f.names[name] && random.IntN(2) == 0 {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		now, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		old := append(slices.Clone(f.synced[name]), make([]byte, len(now))...)
		for at := 0; at < len(now); at += page {
			if random.IntN(2) == 0 {
				copy(now[at:min(at+page, len(now))], old[at:])
			}
		}
		short := min(len(f.synced[name]), len(now))
		if err := os.WriteFile(name, now[:short+random.IntN(len(now)-short+1)], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// failsAt runs the plot with the n-th call of fs failing and returns false if there are not so many.
func failsAt(base *story, fs *faultyFS, order []string, n int, err error) bool {
	base.t.Helper()
	fs.left, fs.err = 0, nil
	s := base.fork(1)
	fs.left, fs.err = n, err
	reached := s.untilFailure(order)
	if fs.left > 0 {
		return false
	}
	fs.left, fs.err = 0, nil
	s.kill().had(order[:min(reached+1, len(order))])
	s.add(order...).tip("b+7")
	return true
}

// Whichever call of the file system fails, and however: after reopening, the tip is one the node had, the coins are its coins, no block is invalid and
// the run can be finished.
func TestEveryFileCallFails(t *testing.T) {
	for name, err := range map[string]error{"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC, "flipped bit": nil} {
		t.Run(name, func(t *testing.T) {
			fs := newFaultyFS()
			base, order := plot(t, Options{FlushEvery: 3, FS: fs})
			n := 1
			for failsAt(base, fs, order, n, err) {
				n++
			}
			t.Logf("%d calls", n-1)
		})
	}
}

// The power goes after any block, with files that are begun anew every few blocks: what was synced is there, and of the rest any pages are.
func TestPowerCuts(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			fs := newFaultyFS()
			s, order := plot(t, Options{FlushEvery: 4, FS: fs, FileBytes: 1500})
			for k, name := range order {
				s.add(name)
				if random.IntN(3) > 0 {
					continue
				}
				_ = s.c.closeFiles()
				fs.losePower(t, s.o.Dir, random)
				s.open()
				s.had(order[:k+1])
				s.add(order[:k+1]...)
			}
			s.tip("b+7")
		})
	}
}
