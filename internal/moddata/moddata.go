// Package moddata finds test data that other modules ship, in the module cache: vectors and blocks that are too large to copy and that
// keep their source's name this way. It is for tests only.
package moddata

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Txscript is the module whose data folder has Bitcoin Core's script, transaction, signature hash and Taproot vectors.
const Txscript = "github.com/btcsuite/btcd/txscript/v2"

// btcd is not required by go.mod: only its test blocks are wanted.
const btcd = "github.com/btcsuite/btcd@v0.26.2"

// Dir returns the folder of a module in the module cache: of the version that go.mod requires, or of another one with
// "path@version", which is downloaded if it is not there.
func Dir(tb testing.TB, module string) string {
	tb.Helper()
	if strings.Contains(module, "@") {
		return downloaded(tb, module)
	}
	dir := strings.TrimSpace(string(run(tb, "", "list", "-m", "-f", "{{.Dir}}", module)))
	if dir == "" { // required, but not in the cache yet
		version := strings.TrimSpace(string(run(tb, "", "list", "-m", "-f", "{{.Version}}", module)))
		return downloaded(tb, module+"@"+version)
	}
	return dir
}

// BitcoinBlocks returns the path of a file with the first 14,132 blocks of Bitcoin, heights 0 to 14,131, each behind four bytes of magic and
// four of length; zeros follow the last.
func BitcoinBlocks(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(Dir(tb, btcd), "blockchain", "testdata", "blk_0_to_14131.dat")
}

func downloaded(tb testing.TB, module string) string {
	tb.Helper()
	// In an empty folder there is no go.mod or go.sum that the command could change.
	out := run(tb, tb.TempDir(), "mod", "download", "-json", module)
	var found struct{ Dir, Error string }
	if err := json.Unmarshal(out, &found); err != nil || found.Error != "" || found.Dir == "" {
		tb.Fatalf("module %s is neither in the module cache nor can it be downloaded: %v %s", module, err, found.Error)
	}
	return found.Dir
}

// run runs the go command in dir, or in the test's own folder if dir is empty.
func run(tb testing.TB, dir string, args ...string) []byte {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), "go", args...)
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("test data is read from the module cache, but go %s: %v\n%s%s", strings.Join(args, " "), err, out, &errs)
	}
	return out
}
