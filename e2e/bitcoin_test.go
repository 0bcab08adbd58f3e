package e2e

import (
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"groat/internal/moddata"
)

// What the first 14,131 blocks of Bitcoin leave, as Bitcoin Core sees them.
const (
	bitcoinTip   = "00000000b3e750f37fdb42e1018799a9f44b546d393b130b369590a072430a1c"
	bitcoinCoins = "13416 coins"
	bitcoinTotal = "706550.00000000"
)

var setHash = regexp.MustCompile(`hash_serialized_3 ([0-9a-f]{64})`)

// importBitcoin imports Bitcoin's first blocks into a directory, to the end, and returns the hash of the coins.
func importBitcoin(t *testing.T, file, dir string, flags ...string) string {
	t.Helper()
	args := append([]string{"chain", "import", "--network", "bitcoin", "--datadir", dir}, flags...)
	r := groat(t, append(args, file)...)
	if r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	for _, want := range []string{bitcoinTip, "height 14131", bitcoinCoins, bitcoinTotal} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in %q", want, r.out)
		}
	}
	hash := setHash.FindStringSubmatch(r.out)
	if hash == nil {
		t.Fatalf("no hash of the coins in %q", r.out)
	}
	return hash[1]
}

func TestImportBitcoinThroughKills(t *testing.T) {
	file := moddata.BitcoinBlocks(t)
	begin := time.Now()
	want := importBitcoin(t, file, t.TempDir())
	whole := time.Since(begin)
	t.Logf("undisturbed: %v, coins %s", whole, want)

	// Each kill comes at a moment of its own; an import that was quicker than its kill is checked, and the next begins anew.
	dir, kills, finished := t.TempDir(), soak(t, 50), 0
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range kills {
		cmd := exec.Command(binary, "chain", "import", "--network", "bitcoin", "--datadir", dir, "--flush-every", "200", file)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-time.After(time.Duration(random.Int64N(int64(whole / 5)))):
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-ended
		case err := <-ended:
			if err != nil {
				t.Fatalf("after a kill: %v: %s", err, stderr.String())
			}
			finished++
			if got := importBitcoin(t, file, dir); got != want {
				t.Fatalf("coins %s, want %s", got, want)
			}
			dir = t.TempDir()
		}
	}
	if got := importBitcoin(t, file, dir, "--flush-every", "200"); got != want {
		t.Fatalf("after %d kills: coins %s, want %s", kills, got, want)
	}
	t.Logf("%d kills, %d imports finished meanwhile", kills-finished, finished)
}
