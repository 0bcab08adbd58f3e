package chain

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"groat/internal/blockfile"
)

// faultyDisk holds files and a store, in memory, that fail on purpose: their calls are counted, and the n-th fails. It remembers what was synced, and can
// lose the rest as a power cut does.
type faultyDisk struct {
	mu      sync.Mutex
	fault   fault
	left    int    // calls until the one that fails; not above 0 is never
	struck  string // the name of the call that failed; "" if there was none yet
	dark    bool   // the power is gone
	files   map[string]*faultyFile
	removed map[string][]byte // files that would come back after a power cut
}

// faultyFile is a file on a faultyDisk.
type faultyFile struct {
	disk   *faultyDisk
	now    []byte
	synced []byte
	named  bool   // its name would survive a power cut
	lost   [2]int // from, to: a sync of these bytes has failed, and no other brings them to the disk
}

// fault is how a call fails.
type fault struct {
	err  error // with which it fails; nil flips a bit in what is read from a file, and only such calls count
	made bool  // what was asked for is done all the same: only the answer is lost
	cut  bool  // the power is gone from then on
}

// newFaultyDisk returns a disk with the files of a real directory, which a power cut leaves alone.
func newFaultyDisk(t *testing.T, dir string) *faultyDisk {
	t.Helper()
	d := &faultyDisk{files: make(map[string]*faultyFile), removed: make(map[string][]byte)}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		raw, readErr := os.ReadFile(name)
		d.files[name], err = &faultyFile{disk: d, now: raw, synced: raw, named: true}, errors.Join(err, readErr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// clone returns a disk that holds the same and fails nowhere.
func (d *faultyDisk) clone() *faultyDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	other := &faultyDisk{files: make(map[string]*faultyFile), removed: maps.Clone(d.removed)}
	for name, f := range d.files {
		other.files[name] = &faultyFile{disk: other, now: slices.Clone(f.now), synced: f.synced, named: f.named, lost: f.lost}
	}
	return other
}

// losePower makes of the files what a power cut could: each page that was written after the last sync may be old or new, files may be as short or as long
// as they were, new files may be gone and removed ones back.
func (d *faultyDisk) losePower(random *rand.Rand) *faultyDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		f := d.files[name]
		if !f.named && random.IntN(2) == 0 {
			delete(d.files, name)
			continue
		}
		f.now = mixed(f.synced, f.now, random)
		f.synced, f.named, f.lost = slices.Clone(f.now), true, [2]int{}
	}
	for _, name := range slices.Sorted(maps.Keys(d.removed)) {
		if old := d.removed[name]; random.IntN(2) == 0 && d.files[name] == nil {
			d.files[name] = &faultyFile{disk: d, now: slices.Clone(old), synced: old, named: true}
		}
	}
	clear(d.removed)
	return d
}

// mixed returns what a power cut could make of a file that held old at its last sync and holds now.
func mixed(old, now []byte, random *rand.Rand) []byte {
	const page = 512 // small, as the files are
	mix := append(slices.Clone(now), old[min(len(now), len(old)):]...)
	was := append(slices.Clone(old), make([]byte, len(mix)-len(old))...)
	for at := 0; at < len(mix); at += page {
		if random.IntN(2) == 0 {
			copy(mix[at:min(at+page, len(mix))], was[at:])
		}
	}
	least := min(len(old), len(now))
	return mix[:least+random.IntN(len(mix)-least+1)]
}

// fail makes the n-th call from now on fail.
func (d *faultyDisk) fail(n int, f fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.fault, d.struck = n, f, ""
}

// mend ends all failures.
func (d *faultyDisk) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.dark = 0, false
}

// do does the work of a call, unless the call is to fail.
func (d *faultyDisk) do(name string, work func() error) error {
	if d == nil {
		return work()
	}
	err, made := d.hit(name)
	if err == nil {
		return work()
	}
	if made {
		_ = work()
	}
	return err
}

func (d *faultyDisk) hit(name string) (err error, made bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dark {
		return d.fault.err, false
	}
	if d.fault.err == nil || d.left <= 0 {
		return nil, false
	}
	if d.left--; d.left > 0 {
		return nil, false
	}
	d.struck, d.dark = name, d.fault.cut
	return d.fault.err, d.fault.made
}

// flips says whether a bit of what was read is to be flipped.
func (d *faultyDisk) flips() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault.err != nil || d.left <= 0 {
		return false
	}
	if d.left--; d.left == 0 {
		d.struck = "read"
	}
	return d.left == 0
}

// on does the work of a call while nobody else touches the files.
func (d *faultyDisk) on(call string, work func() error) error {
	return d.do(call, func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		return work()
	})
}

func (d *faultyDisk) Create(name string) (file blockfile.File, err error) {
	err = d.on("create", func() error {
		if d.files[name] == nil {
			d.files[name] = &faultyFile{disk: d}
		}
		file = d.files[name]
		return nil
	})
	return file, err
}

func (d *faultyDisk) Open(name string) (file blockfile.File, err error) {
	err = d.on("open", func() error {
		f, ok := d.files[name]
		if !ok {
			return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		file = f
		return nil
	})
	return file, err
}

func (d *faultyDisk) List(string) (sizes map[string]int64, err error) {
	err = d.on("list", func() error {
		sizes = make(map[string]int64)
		for name, f := range d.files {
			sizes[filepath.Base(name)] = int64(len(f.now))
		}
		return nil
	})
	return sizes, err
}

func (d *faultyDisk) Remove(name string) error {
	return d.on("remove", func() error {
		d.removed[name] = d.files[name].synced
		delete(d.files, name)
		return nil
	})
}

func (d *faultyDisk) SyncDir(string) error {
	return d.on("sync directory", func() error {
		for _, f := range d.files {
			f.named = true
		}
		clear(d.removed)
		return nil
	})
}

func (f *faultyFile) WriteAt(b []byte, at int64) (n int, err error) {
	err = f.disk.on("write", func() error {
		n = f.put(b, at)
		return nil
	})
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err != nil && n == 0 && !f.disk.dark {
		n = f.put(b[:len(b)/3], at)
	}
	return n, err
}

// put writes into the file. The caller holds the disk's mu.
func (f *faultyFile) put(b []byte, at int64) int {
	if more := int(at) + len(b) - len(f.now); more > 0 {
		f.now = append(f.now, make([]byte, more)...)
	}
	return copy(f.now[at:], b)
}

func (f *faultyFile) ReadAt(b []byte, at int64) (n int, err error) {
	err = f.disk.on("read", func() error {
		n = copy(b, f.now[min(int(at), len(f.now)):])
		if n < len(b) {
			return io.EOF
		}
		return nil
	})
	if err == nil && len(b) > 0 && f.disk.flips() {
		b[len(b)/2] ^= 1
	}
	return n, err
}

func (f *faultyFile) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.now)), nil
}

func (f *faultyFile) Truncate(size int64) error {
	return f.disk.on("truncate", func() error {
		f.now = f.now[:size:size]
		return nil
	})
}

// Sync notes what the file holds. If it fails, the system drops what it could not write, and the next sync finds nothing to complain of.
func (f *faultyFile) Sync() error {
	err := f.disk.on("sync", func() error {
		f.synced = slices.Clone(f.now)
		clear(f.synced[min(f.lost[0], len(f.now)):min(f.lost[1], len(f.now))])
		return nil
	})
	if err != nil {
		f.disk.mu.Lock()
		defer f.disk.mu.Unlock()
		f.lost = [2]int{len(f.synced), len(f.now)}
	}
	return err
}

func (f *faultyFile) Close() error { return nil }

var errBroken = errors.New("it failed on purpose")
