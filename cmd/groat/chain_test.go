package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/chaintest"
	"groat/internal/store"
)

// A chain that was made with a soft fork moved can be handled by whoever says so again, and by nobody else.
func TestChainCommandsHeedActivations(t *testing.T) {
	p := consensus.Regtest().Clone()
	if err := p.SetActivation("bip34", 100); err != nil {
		t.Fatal(err)
	}
	tree := chaintest.New(t, p)
	tree.Block("genesis", "a1", chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = []byte{0x52, 0x52} })) // names no height
	var w bytes.Buffer
	for _, b := range tree.Path("a1") {
		if err := blockfile.Write(&w, p, b.Raw()); err != nil {
			t.Fatal(err)
		}
	}
	file, dir := filepath.Join(t.TempDir(), "blocks.dat"), t.TempDir()
	if err := os.WriteFile(file, w.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	chain := func(args ...string) (int, string) {
		t.Helper()
		code, out, stderr := runGroat(t, append([]string{"chain", "--network", "regtest", "--datadir", dir}, args...)...)
		return code, out + stderr
	}
	if code, out := chain("import", file); code != exitFailed || !strings.Contains(out, "bad-cb-height") {
		t.Fatalf("without the flag: exit code %d, %s", code, out)
	}
	moved := []string{"--test-activation-height", "bip34@100"}
	dir = t.TempDir()
	for _, args := range [][]string{{"import", file}, {"verify", "--deep"}, {"rebuild"}, {"verify"}, {"export", file + ".copy"}} {
		if code, out := chain(append(args, moved...)...); code != exitDone || !strings.Contains(out, "height 1") && args[0] != "export" {
			t.Errorf("%v: exit code %d, %s", args, code, out)
		}
	}
	if again, err := os.ReadFile(file + ".copy"); err != nil || !bytes.HasSuffix(again, w.Bytes()) {
		t.Errorf("%d bytes were exported, %v", len(again), err)
	}
}

// The advice can be pasted into a shell, wherever the directory is and however it was named.
func TestRebuildHint(t *testing.T) {
	a := &app{shared: sharedFlags{network: "regtest", dataDir: "/data/my node's"}}
	err := a.advise([]string{"segwit@300"}, fmt.Errorf("open: %w", store.ErrDamaged))
	const want = `open: the store is damaged; to make it anew from the block files, run: ` +
		`groat chain rebuild --network regtest --datadir '/data/my node'\''s' --test-activation-height segwit@300`
	if err == nil || err.Error() != want || !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := a.advise(nil, store.ErrLocked); !errors.Is(err, store.ErrLocked) || strings.Contains(err.Error(), "rebuild") {
		t.Errorf("got %v", err)
	}
	if err := a.advise(nil, nil); err != nil {
		t.Errorf("got %v", err)
	}
	dir, stateOf := t.TempDir(), filepath.Join("regtest", "rebuild.json")
	if code, _, stderr := runGroat(t, "chain", "export", "--network", "regtest", "--datadir", dir, filepath.Join(dir, "x")); code != exitDone {
		t.Fatal(stderr)
	}
	if err := os.WriteFile(filepath.Join(dir, stateOf), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"export", filepath.Join(dir, "y")}, {"verify"}, {"import", filepath.Join(dir, "x")}} {
		code, _, stderr := runGroatEnv(t, map[string]string{"GROAT_DATADIR": dir}, append([]string{"chain", "--network", "regtest"}, command...)...)
		if code != exitFailed || !strings.HasSuffix(stderr, "groat chain rebuild --network regtest --datadir "+dir+"\n") {
			t.Errorf("%v: exit code %d, %s", command, code, stderr)
		}
	}
}
