package blockfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"groat/internal/disk"
)

var magic = [4]byte{0xfa, 0xbf, 0xb5, 0xda}

func open(t *testing.T, o Options) *Files {
	t.Helper()
	o.Name, o.Magic = "blk", magic
	f, err := Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func payload(i int) []byte { return bytes.Repeat([]byte{byte(i + 1)}, 10+i) }

func appendAll(t *testing.T, f *Files, n int) []Location {
	t.Helper()
	locs := make([]Location, n)
	for i := range n {
		loc, err := f.Append(payload(i))
		if err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
		locs[i] = loc
	}
	return locs
}

// checkRecords wants the first n payloads, by Scan and by Read.
func checkRecords(t *testing.T, f *Files, n int) {
	t.Helper()
	i := 0
	err := f.Scan(Pos{}, func(loc Location, got []byte) error {
		if !bytes.Equal(got, payload(i)) {
			return fmt.Errorf("record %d is %x", i, got)
		}
		again, err := f.Read(loc)
		if err != nil || !bytes.Equal(again, got) {
			return fmt.Errorf("read %+v: %x, %v", loc, again, err)
		}
		i++
		return nil
	})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	if i != n {
		t.Fatalf("%d records, want %d", i, n)
	}
}

func TestRecordsAcrossFiles(t *testing.T) {
	dir := t.TempDir()
	f := open(t, Options{Dir: dir, MaxBytes: 100})
	locs := appendAll(t, f, 10)
	if locs[9].File != 2 {
		t.Fatalf("the last of 10 records is in file %d", locs[9].File)
	}
	checkRecords(t, f, 10)
	end, err := f.Sync()
	if err != nil || end != f.End() {
		t.Fatalf("synced to %+v of %+v: %v", end, f.End(), err)
	}

	again := open(t, Options{Dir: dir, MaxBytes: 100, Synced: end})
	checkRecords(t, again, 10)
	if again.End() != end || again.Size() != f.Size() {
		t.Fatalf("end %+v, size %d; were %+v, %d", again.End(), again.Size(), end, f.Size())
	}
}

// A single record may be longer than a file should be: it gets one of its own.
func TestRecordLongerThanAFile(t *testing.T) {
	f := open(t, Options{Dir: t.TempDir(), MaxBytes: 20})
	appendAll(t, f, 3)
	checkRecords(t, f, 3)
	for _, n := range []int{0, MaxPayload + 1} {
		if _, err := f.Append(make([]byte, n)); err == nil {
			t.Errorf("a record of %d bytes was taken", n)
		}
	}
}

// Wherever a write was torn, the records before it stay and the next one goes where it began.
func TestTornTailIsCut(t *testing.T) {
	dir := t.TempDir()
	f := open(t, Options{Dir: dir})
	locs := appendAll(t, f, 4)
	whole, err := os.ReadFile(filepath.Join(dir, "blk00000.dat"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := int(locs[3].Offset); cut < len(whole); cut++ {
		for _, tail := range [][]byte{nil, make([]byte, len(whole)-cut), bytes.Repeat([]byte{0x5a}, 100)} {
			dir := t.TempDir()
			torn := append(whole[:cut:cut], tail...)
			if err := os.WriteFile(filepath.Join(dir, "blk00000.dat"), torn, 0o600); err != nil {
				t.Fatal(err)
			}
			f := open(t, Options{Dir: dir})
			checkRecords(t, f, 3)
			if loc, err := f.Append(payload(3)); err != nil || loc != locs[3] {
				t.Fatalf("cut at %d: appended at %+v, %v", cut, loc, err)
			}
			checkRecords(t, f, 4)
		}
	}
}

// What is known to be synced is never cut: a loss there is damage, and so is a changed bit, which only the reader of
// that record meets.
func TestDamageBeforeSynced(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "blk00000.dat")
	f := open(t, Options{Dir: dir})
	locs := appendAll(t, f, 3)
	synced, err := f.Sync()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range int(locs[1].Offset) * 8 {
		bad := append([]byte{}, whole...)
		bad[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, Options{Dir: dir, Synced: synced})
		if _, err := f.Read(locs[0]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d: got %v, want ErrDamaged", bit, err)
		}
		if _, err := f.Read(locs[2]); err != nil {
			t.Fatalf("bit %d: another record: %v", bit, err)
		}
	}
	if err := os.WriteFile(name, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Name: "blk", Magic: magic, Synced: synced}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("a byte is missing: got %v, want ErrDamaged", err)
	}
}

// failing is a file system on which the n-th write, sync or new file fails, a write after half of it.
type failing struct {
	OS
	left   int
	err    error
	synced bool // it was a sync that failed
}

type failingFile struct {
	File
	fs *failing
}

func (f *failing) hit() bool { f.left--; return f.left == 0 }

func (f *failing) Create(name string) (File, error) {
	if f.hit() {
		return nil, f.err
	}
	file, err := f.OS.Create(name)
	return failingFile{file, f}, err
}

func (f failingFile) WriteAt(b []byte, at int64) (int, error) {
	if f.fs.hit() {
		n, _ := f.File.WriteAt(b[:len(b)/2], at)
		return n, f.fs.err
	}
	return f.File.WriteAt(b, at)
}

func (f failingFile) Sync() error {
	if f.fs.hit() {
		f.fs.synced = true
		return f.fs.err
	}
	return f.File.Sync()
}

func (f *failing) SyncDir(dir string) error {
	if f.hit() {
		f.synced = true
		return f.err
	}
	return f.OS.SyncDir(dir)
}

// Whichever call fails, what was appended before is there and the next call goes on; but after a sync that failed, nothing counts as synced, whatever
// the next one says.
func TestEveryCallFailsOnce(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "x", Err: errNoSpace}
	for n := 4; n < 20; n++ { // the first three are Open's
		fs := &failing{left: n, err: full}
		dir := t.TempDir()
		f := open(t, Options{Dir: dir, MaxBytes: 100, FS: fs})
		failed := 0
		for i := 0; i < 8; {
			if _, err := f.Append(payload(i)); err != nil {
				if !errors.Is(err, disk.ErrFull) {
					t.Fatalf("call %d: got %v, want ErrFull", n, err)
				}
				if failed++; fs.synced {
					break
				}
				continue
			}
			i++
		}
		if fs.synced {
			for range 2 {
				if _, err := f.Sync(); !errors.Is(err, disk.ErrFull) {
					t.Fatalf("call %d was a sync that failed, and the next one says %v", n, err)
				}
			}
			continue
		}
		if failed != 1 && fs.left < 0 {
			t.Fatalf("call %d: %d appends failed", n, failed)
		}
		checkRecords(t, f, 8)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		checkRecords(t, open(t, Options{Dir: dir, MaxBytes: 100}), 8)
	}
}

func FuzzOpen(f *testing.F) {
	o := Options{Name: "blk", Magic: magic}
	rec := (&Files{o: o}).encode([]byte("payload"))
	f.Add(rec)
	f.Add(append(append([]byte{}, rec...), rec[:9]...))
	f.Add([]byte{})
	f.Add(append(magic[:], 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "blk00000.dat"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		files := open(t, Options{Dir: dir})
		n := 0
		if err := files.Scan(Pos{}, func(Location, []byte) error { n++; return nil }); err != nil {
			t.Fatalf("after a cut: %v", err)
		}
		if _, err := files.Append([]byte("more")); err != nil {
			t.Fatal(err)
		}
		m := 0
		if err := files.Scan(Pos{}, func(Location, []byte) error { m++; return nil }); err != nil || m != n+1 {
			t.Fatalf("%d records after one more than %d: %v", m, n, err)
		}
	})
}
