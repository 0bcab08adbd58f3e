package moddata_test

import (
	"os"
	"path/filepath"
	"testing"

	"groat/internal/moddata"
)

func TestDirOfARequiredModule(t *testing.T) {
	dir := moddata.Dir(t, moddata.Txscript)
	if _, err := os.Stat(filepath.Join(dir, "data", "script_tests.json")); err != nil {
		t.Error(err)
	}
}

func TestBitcoinBlocks(t *testing.T) {
	f, err := os.Open(moddata.BitcoinBlocks(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var magic [4]byte
	if _, err := f.Read(magic[:]); err != nil || magic != [4]byte{0xf9, 0xbe, 0xb4, 0xd9} {
		t.Errorf("%x, %v", magic, err)
	}
}
