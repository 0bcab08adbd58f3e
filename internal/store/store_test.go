package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openIn(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return db
}

func closeDB(t *testing.T, db *DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func put(t *testing.T, s *Store, pairs ...string) {
	t.Helper()
	var b Batch
	for i := 0; i < len(pairs); i += 2 {
		b.Put([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	if err := s.Update(&b); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func list(t *testing.T, s *Store, prefix string) string {
	t.Helper()
	var out []string
	err := s.Iterate([]byte(prefix), func(k, v []byte) error {
		out = append(out, fmt.Sprintf("%s=%s", k, v))
		return nil
	})
	if err != nil {
		t.Fatalf("iterate: %v", err)
	}
	return strings.Join(out, " ")
}

func TestViewsKeepToThemselves(t *testing.T) {
	db := openIn(t, t.TempDir())
	defer closeDB(t, db)
	a, b := db.Prefix("a"), db.Prefix("b")
	put(t, a, "k", "of a", "k2", "", "j", "1")
	put(t, b, "k", "of b")

	if got := list(t, a, ""); got != "j=1 k=of a k2=" {
		t.Errorf("a holds %q", got)
	}
	if got := list(t, a, "k"); got != "k=of a k2=" {
		t.Errorf("below k a holds %q", got)
	}
	if got := list(t, b, ""); got != "k=of b" {
		t.Errorf("b holds %q", got)
	}
	if _, err := b.Get([]byte("j")); !errors.Is(err, ErrNotFound) {
		t.Errorf("b has a's key: %v", err)
	}
	if has, err := a.Has([]byte("k2")); err != nil || !has {
		t.Errorf("an empty value is absent: %v %v", has, err)
	}
}

func TestUpdateIsReadAfterReopen(t *testing.T) {
	dir := t.TempDir()
	db := openIn(t, dir)
	put(t, db.Prefix("a"), "x", "1", "y", "2")
	var b Batch
	b.Delete([]byte("x"))
	b.Put([]byte("y"), []byte("3"))
	if err := db.Prefix("a").Update(&b); err != nil {
		t.Fatal(err)
	}
	closeDB(t, db)

	db = openIn(t, dir)
	defer closeDB(t, db)
	if got := list(t, db.Prefix("a"), ""); got != "y=3" {
		t.Fatalf("after reopening: %q", got)
	}
}

// A view does not see what is written while it reads.
func TestViewIsOneMoment(t *testing.T) {
	db := openIn(t, t.TempDir())
	defer closeDB(t, db)
	s := db.Prefix("a")
	put(t, s, "x", "old")
	err := s.View(func(r Reader) error {
		put(t, s, "x", "new", "y", "new")
		v, err := r.Get([]byte("x"))
		if string(v) != "old" {
			t.Errorf("x is %q", v)
		}
		if _, err := r.Get([]byte("y")); !errors.Is(err, ErrNotFound) {
			t.Errorf("y is seen: %v", err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The largest batch passes, one change more does not and changes nothing.
func TestBatchLimits(t *testing.T) {
	db := openIn(t, t.TempDir())
	defer closeDB(t, db)
	s := db.Prefix("a")
	for name, value := range map[string][]byte{"count": nil, "bytes": make([]byte, 4096)} {
		var b Batch
		for s.Fits(&b) {
			b.Put([]byte(fmt.Sprintf("%s%08d", name, b.Len())), value)
		}
		if err := s.Update(&b); !errors.Is(err, ErrTooBig) {
			t.Errorf("%s: %d changes: got %v, want ErrTooBig", name, b.Len(), err)
		}
		if got := list(t, s, name); got != "" {
			t.Errorf("%s: a refused batch left %.80q", name, got)
		}
		b.Drop()
		if err := s.Update(&b); err != nil {
			t.Errorf("%s: %d changes: %v", name, b.Len(), err)
		}
	}
}

func TestLongestValue(t *testing.T) {
	db := openIn(t, t.TempDir())
	defer closeDB(t, db)
	s := db.Prefix("a")
	put(t, s, "k", string(make([]byte, maxValue)))
	var b Batch
	b.Put([]byte("k"), make([]byte, maxValue+1))
	if err := s.Update(&b); !errors.Is(err, ErrTooBig) {
		t.Fatalf("got %v, want ErrTooBig", err)
	}
	if v, err := s.Get([]byte("k")); err != nil || len(v) != maxValue {
		t.Fatalf("%d bytes, %v", len(v), err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	db := openIn(t, dir)
	_, err := Open(Options{Dir: dir})
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) {
		t.Errorf("not one clear line: %q", err)
	}
	closeDB(t, db)
	closeDB(t, openIn(t, dir)) // and is taken when the first is gone
}

// A kill between the making and the sizing of a log leaves it empty, and Badger refuses such a file.
func TestEmptyLogsAfterKill(t *testing.T) {
	dir := t.TempDir()
	db := openIn(t, dir)
	put(t, db.Prefix("a"), "k", "v")
	closeDB(t, db)
	for _, name := range []string{"00077.mem", "000077.vlog"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db = openIn(t, dir)
	defer closeDB(t, db)
	if got := list(t, db.Prefix("a"), ""); got != "k=v" {
		t.Fatalf("after reopening: %q", got)
	}
}

// A store that was killed while it had much memory opens with little: its logs hold more than the memory tables of today.
func TestLogsOfALargerBudget(t *testing.T) {
	large, err := Open(Options{Dir: t.TempDir(), Budget: 400 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDB(t, large)
	const n = 200
	value := strings.Repeat("x", 100_000)
	for i := range n {
		put(t, large.Prefix("a"), fmt.Sprintf("%03d", i), value)
	}
	killed := filepath.Join(t.TempDir(), "killed")
	if err := os.CopyFS(killed, os.DirFS(large.dir)); err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // the second time its own logs were left
		db := openIn(t, killed)
		if got := len(list(t, db.Prefix("a"), "")); got != n*len("000=")+n*len(value)+n-1 || !db.Unclean() {
			t.Errorf("round %d: %d bytes of records are left; unclean: %v", round, got, db.Unclean())
		}
		put(t, db.Prefix("a"), "000", value)
		again := filepath.Join(t.TempDir(), "again")
		if err := os.CopyFS(again, os.DirFS(killed)); err != nil {
			t.Fatal(err)
		}
		closeDB(t, db)
		killed = again
	}
}

func TestSealNoticesEveryBit(t *testing.T) {
	key, value := []byte("key"), []byte("a value")
	sealed := seal(key, value)
	for bit := range len(sealed) * 8 {
		bad := append([]byte{}, sealed...)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := unseal(key, bad); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d: got %v, want ErrDamaged", bit, err)
		}
	}
	if _, err := unseal([]byte("kez"), sealed); !errors.Is(err, ErrDamaged) {
		t.Fatalf("another key: got %v, want ErrDamaged", err)
	}
	if _, err := unseal(key, sealed[:3]); !errors.Is(err, ErrDamaged) {
		t.Fatalf("three bytes: got %v, want ErrDamaged", err)
	}
	if got, err := unseal(key, sealed); err != nil || string(got) != "a value" {
		t.Fatalf("got %q, %v", got, err)
	}
}

// Badger reads a damaged block as absence; Verify tells the two apart.
func TestVerifyFindsADamagedTable(t *testing.T) {
	dir := t.TempDir()
	db := openIn(t, dir)
	s := db.Prefix("a")
	for i := range 200 {
		put(t, s, fmt.Sprintf("key%05d", i), strings.Repeat("v", 100))
	}
	closeDB(t, db)
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables: %v, %v", tables, err)
	}
	raw, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/3] ^= 4
	if err := os.WriteFile(tables[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}

	db = openIn(t, dir)
	defer closeDB(t, db)
	if err := db.Verify(context.Background()); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v, want ErrDamaged", err)
	}
}

func TestVerifyPassesGoodTables(t *testing.T) {
	dir := t.TempDir()
	db := openIn(t, dir)
	put(t, db.Prefix("a"), "k", "v")
	closeDB(t, db)
	db = openIn(t, dir)
	defer closeDB(t, db)
	if err := db.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// Without its list of tables a store is damaged; Badger would make a new list and remove the tables.
func TestLostManifest(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenToRead(Options{Dir: dir}); !errors.Is(err, ErrNone) {
		t.Fatalf("nothing there: got %v, want ErrNone", err)
	}
	db := openIn(t, dir)
	put(t, db.Prefix("a"), "k", "v")
	closeDB(t, db)
	if err := os.Remove(filepath.Join(dir, "MANIFEST")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first try has removed nothing
		if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrDamaged) {
			t.Fatalf("got %v, want ErrDamaged", err)
		}
		if _, err := OpenToRead(Options{Dir: dir}); !errors.Is(err, ErrDamaged) {
			t.Fatalf("to read: got %v, want ErrDamaged", err)
		}
	}
}

// Badger reads the end of a table in a goroutine of its own, where damage would be a panic that nobody can catch. Every bit of it is checked first, and
// every length.
func TestDamagedEndOfATable(t *testing.T) {
	dir := t.TempDir()
	db := openIn(t, dir)
	put(t, db.Prefix("a"), "k", "v", "l", "w")
	closeDB(t, db)
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("tables: %v, %v", tables, err)
	}
	good, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, bad []byte) {
		t.Helper()
		if err := os.WriteFile(tables[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkTable(tables[0], tableEnds); err == nil {
			t.Errorf("%s: not noticed", what)
		}
	}
	for bit := range len(good) * 8 { // there is one block, so all of the table is its end
		bad := append([]byte{}, good...)
		bad[bit/8] ^= 1 << (bit % 8)
		try(fmt.Sprintf("bit %d of %d", bit, 8*len(good)), bad)
	}
	for n := range good {
		try(fmt.Sprintf("%d bytes of %d", n, len(good)), good[:n])
		try(fmt.Sprintf("zeros from byte %d of %d", n, len(good)), append(append([]byte{}, good[:n]...), make([]byte, len(good)-n)...))
	}
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrDamaged) { // the last of them
		t.Errorf("open: got %v, want ErrDamaged", err)
	}
	if err := os.Remove(tables[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrDamaged) {
		t.Errorf("without it: got %v, want ErrDamaged", err)
	}
	if err := os.WriteFile(tables[0], good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "000099.sst"), []byte("half a table, of a kill"), 0o600); err != nil {
		t.Fatal(err)
	}
	db = openIn(t, dir)
	defer closeDB(t, db)
	if got := list(t, db.Prefix("a"), ""); got != "k=v l=w" {
		t.Errorf("it holds %q", got)
	}
}

// Without this, DB.Sync leaves the logs of full memory tables out, and after a power cut a tip can be there without its coins.
func TestWritesAreSynced(t *testing.T) {
	db := openIn(t, t.TempDir())
	defer closeDB(t, db)
	if !db.badger.Opts().SyncWrites {
		t.Fatal("Badger answers before a write is on the disk")
	}
}

// Badger panics over damage in the middle of a table when it compacts, and the process ends. The next start looks at all blocks first.
func TestDamageIsNamedAfterACrash(t *testing.T) {
	dir := t.TempDir()
	db := openIn(t, dir)
	for i := range 200 {
		put(t, db.Prefix("a"), fmt.Sprintf("key%05d", i), strings.Repeat("v", 100))
	}
	closeDB(t, db)
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("tables: %v, %v", tables, err)
	}
	raw, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/3] ^= 1
	if err := os.WriteFile(tables[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	closeDB(t, openIn(t, dir)) // not read yet
	if err := os.WriteFile(filepath.Join(dir, "00002.mem"), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), tables[0]) {
		t.Errorf("after a crash: got %v, want ErrDamaged", err)
	}
}
