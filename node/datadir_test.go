package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"groat/consensus"
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
