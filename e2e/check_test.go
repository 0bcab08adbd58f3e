package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"groat/internal/moddata"
)

// chainCommand runs "groat chain NAME" on Bitcoin's rules.
func chainCommand(t *testing.T, dir, name string, flags ...string) result {
	t.Helper()
	return groat(t, append([]string{"chain", name, "--network", "bitcoin", "--datadir", dir}, flags...)...)
}

// wantSet demands that a command succeeded and named the coins after Bitcoin's first blocks.
func (r result) wantSet(t *testing.T, hash string) {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("exit code %d: %s%s", r.code, r.out, r.stderr)
	}
	for _, want := range []string{bitcoinTip, "height 14131", bitcoinCoins, bitcoinTotal, hash} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in %q", want, r.out)
		}
	}
}

// flip changes a bit in the middle of a file.
func flip(t *testing.T, pattern string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	raw, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 4
	if err := os.WriteFile(names[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyAndRebuild(t *testing.T) {
	file := moddata.BitcoinBlocks(t)
	dir := t.TempDir()
	chainCommand(t, dir, "verify").wantError(t, 1, "holds no data", "--datadir")
	hash := importBitcoin(t, file, dir)
	chainCommand(t, dir, "verify", "--deep").wantSet(t, hash)

	db := filepath.Join(dir, "bitcoin", "db", "*.sst")
	flip(t, db)
	r := chainCommand(t, dir, "verify", "--log-level", "error")
	_, command, ok := strings.Cut(r.stderr, "run: groat ")
	if r.code != 1 || r.out == "" || !ok {
		t.Errorf("damaged database: %+v", r)
	}
	groat(t, strings.Fields(command)...).wantSet(t, hash) // as it says, without a word more
	chainCommand(t, dir, "verify").wantSet(t, hash)

	flip(t, filepath.Join(dir, "bitcoin", "blocks", "blk00000.dat"))
	if r := chainCommand(t, dir, "verify"); r.code != 1 || !strings.Contains(r.out, "blk00000.dat is damaged") || !strings.Contains(r.out, "is not in blk00000.dat") {
		t.Errorf("damaged block file: %+v", r)
	}
	// What is missing after a rebuild comes from somewhere else.
	if r := chainCommand(t, dir, "rebuild"); r.code != 0 || strings.Contains(r.out, bitcoinTip) {
		t.Errorf("rebuild around damage: %+v", r)
	}
	if got := importBitcoin(t, file, dir); got != hash {
		t.Errorf("coins %s, want %s", got, hash)
	}
	chainCommand(t, dir, "verify", "--deep").wantSet(t, hash)
}

func TestRebuildThroughKills(t *testing.T) {
	dir := t.TempDir()
	hash := importBitcoin(t, moddata.BitcoinBlocks(t), dir)
	for kill := range soak(t, 4) {
		cmd := exec.Command(binary, "chain", "rebuild", "--network", "bitcoin", "--datadir", dir, "--flush-every", "300")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(20+kill*47%400)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err != nil && cmd.ProcessState.ExitCode() >= 0 {
			t.Fatalf("after a kill: %v: %s", err, &stderr)
		}
		if err == nil {
			continue
		}
		// The marker is written first, so a kill before it has changed nothing.
		if r := chainCommand(t, dir, "export", filepath.Join(t.TempDir(), "x.dat")); r.code != 0 {
			r.wantError(t, 1, "rebuild", "was interrupted", "groat chain rebuild")
		}
	}
	chainCommand(t, dir, "rebuild").wantSet(t, hash)
	chainCommand(t, dir, "verify", "--deep").wantSet(t, hash)
}
