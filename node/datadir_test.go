package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"groat/consensus"
	"groat/internal/store"
)

func TestDataDirectoryIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "regtest")
	first, err := openDataDir(path, consensus.Regtest())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		t.Errorf("mode %v, want 0700", mode)
	}
	if _, err := openDataDir(path, consensus.Regtest()); err == nil || !strings.Contains(err.Error(), "another groat (pid ") {
		t.Errorf("a second open: %v", err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	again, err := openDataDir(path, consensus.Regtest())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
}

func TestDataDirectoryOfAnotherNetworkIsRefused(t *testing.T) {
	path := t.TempDir()
	d, err := openDataDir(path, consensus.Regtest())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openDataDir(path, consensus.Testnet()); err == nil || !strings.Contains(err.Error(), "belongs to network regtest") {
		t.Fatalf("another network: %v", err)
	}
	newer := `{"network":"regtest","genesis":"` + consensus.Regtest().GenesisHash.String() + `","version":2}`
	if err := os.WriteFile(filepath.Join(path, "groat.json"), []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openDataDir(path, consensus.Regtest()); err == nil || !strings.Contains(err.Error(), "newer groat") {
		t.Fatalf("a newer layout: %v", err)
	}
}

// A process that is killed lets go of the directory, whatever the lock file says.
func TestStaleLock(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, ".lock"), []byte("999999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openDataDir(path, consensus.Regtest())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
}

// A directory whose rebuild was interrupted is not opened for anything else, and one that holds nothing is not made by looking at it.
func TestDataDirectoryThatIsNotWhole(t *testing.T) {
	o := DefaultOptions(consensus.Regtest())
	o.DataDir = t.TempDir()
	if _, err := Verify(t.Context(), o, false, nil); err == nil || !strings.Contains(err.Error(), "holds no data") {
		t.Errorf("nothing: %v", err)
	}
	if _, err := os.Stat(o.dir()); err == nil {
		t.Error("it was made")
	}
	d, err := openDataDir(o.dir(), o.Params)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil { // killed before the database was made
		t.Fatal(err)
	}
	if _, err := Verify(t.Context(), o, false, nil); err == nil || !strings.Contains(err.Error(), "holds no data") {
		t.Errorf("a directory and no more: %v", err)
	}
	db, err := store.Open(store.Options{Dir: filepath.Join(o.dir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // killed before the directory of the block files was made
		t.Fatal(err)
	}
	if found, err := Verify(t.Context(), o, true, nil); err != nil || len(found.Problems) != 0 {
		t.Errorf("an empty database: %+v, %v", found, err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(o.dir(), "db")), os.Mkdir(filepath.Join(o.dir(), "blocks"), 0o700),
		os.WriteFile(filepath.Join(o.dir(), "blocks", "blk00000.dat"), nil, 0o600)); err != nil { // somebody removed the database
		t.Fatal(err)
	}
	if found, err := Verify(t.Context(), o, true, nil); err != nil || len(found.Problems) != 1 {
		t.Errorf("no database: %+v, %v", found, err)
	}
	if d, err = openDataDir(o.dir(), o.Params); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(writeJSON(filepath.Join(o.dir(), rebuildFile), rebuildState{}), d.close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Export(t.Context(), o, filepath.Join(t.TempDir(), "x.dat"), nil); !NeedsRebuild(err) {
		t.Errorf("export: %v", err)
	}
	if found, err := Verify(t.Context(), o, false, nil); err != nil || len(found.Problems) != 1 {
		t.Errorf("verify: %+v, %v", found, err)
	}
}
