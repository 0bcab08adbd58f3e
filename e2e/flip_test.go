package e2e

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/chaintest"
)

// flipStory is a ledger with many coins, and a file of blocks that spend a good part of them.
type flipStory struct {
	dirs []string // one that was closed, and some that were killed with logs in the store
	next string
	want string // what the import of next says
}

func newFlipStory(t *testing.T) *flipStory {
	t.Helper()
	g := chaintest.New(t, consensus.Regtest())
	const outputs = 5_000
	wide := chaintest.Coinbase(func(tx *wire.MsgTx) {
		tx.TxOut[0].Value -= outputs
		for range outputs {
			tx.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
		}
	})
	wides := []string{"wide1", "wide2", "wide3", "wide4"}
	parent := "genesis"
	for _, name := range wides {
		g.Block(parent, name, wide)
		parent = name
	}
	base := g.Grow(parent, "base", 110).Name
	first := write(t, "first.dat", storyBlocks(t, g, base))
	parent = base
	for _, name := range wides {
		tx := wire.NewMsgTx(2)
		hash := g.At(name).Block.Txs[0].TxID()
		for n := range outputs / 5 { // some of every part of the store's tables
			tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&hash, uint32(1+5*n)), nil, nil))
		}
		tx.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
		g.Block(parent, "spend-"+name, chaintest.Txs(tx))
		parent = "spend-" + name
	}
	f := &flipStory{next: write(t, "next.dat", storyBlocks(t, g, parent))}
	for _, crash := range []string{"", "after-flush:20", "flush-middle:2"} {
		dir := t.TempDir()
		args := []string{"chain", "import", "--network", "regtest", "--datadir", dir, "--dbcache", "4", "--flush-every", "5"}
		if crash != "" {
			args = append(args, "--crash-at", crash)
		}
		if r := groat(t, append(args, first)...); r.code != 0 && crash == "" {
			t.Fatalf("exit code %d: %s", r.code, r.stderr)
		}
		f.dirs = append(f.dirs, dir)
		r := importFile(t, copyDir(t, dir), f.next)
		if hash := setHash.FindString(r.out); r.code != 0 || hash == "" || (f.want != "" && hash != f.want) {
			t.Fatalf("after %q: exit code %d: %s%s", crash, r.code, r.out, r.stderr)
		} else {
			f.want = hash
		}
	}
	return f
}

// storyBlocks returns the blocks up to the named one as a file holds them.
func storyBlocks(t *testing.T, g *chaintest.Tree, end string) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, b := range g.Path(end) {
		if err := blockfile.Write(&out, g.Params, b.Raw()); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// copyDir copies a directory.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// flipAny flips a random bit of a random file in dir that belongs to the ledger, and says where.
func flipAny(t *testing.T, dir string, random *rand.Rand) string {
	t.Helper()
	byKind := map[string][]string{}
	var kinds []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.ContainsAny(filepath.Base(path), "0123456789") && filepath.Base(path) != "MANIFEST" && filepath.Base(path) != "KEYREGISTRY" {
			return err
		}
		kind := filepath.Ext(path) + filepath.Base(path)[:1]
		if len(byKind[kind]) == 0 {
			kinds = append(kinds, kind)
		}
		byKind[kind] = append(byKind[kind], path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	paths := byKind[kinds[random.IntN(len(kinds))]]
	path := paths[random.IntN(len(paths))]
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(raw, "\x00")) // the rest of a log is room for more
	if used == 0 {
		return filepath.Base(path) + ", which is empty"
	}
	at := random.IntN(used)
	if _, err := f.WriteAt([]byte{raw[at] ^ 1<<random.IntN(8)}, int64(at)); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(path) + " at byte " + strconv.Itoa(at)
}

// TestFlippedBits changes one bit of one file of a ledger, wherever it may be. Valid blocks are then accepted, or the damage is named in one line; they
// are never called invalid, and nothing panics.
func TestFlippedBits(t *testing.T) {
	f := newFlipStory(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	harmless, detected := 0, 0
	for n := range soak(t, 40) {
		dir := copyDir(t, f.dirs[n%len(f.dirs)])
		where := flipAny(t, dir, random)
		r := groat(t, "chain", "import", "--network", "regtest", "--datadir", dir, "--dbcache", "4", "--log-level", "error", f.next)
		hash := setHash.FindString(r.out)
		switch {
		case r.code == 0 && hash == f.want:
			harmless++
		case r.code == 1 && strings.Contains(r.stderr, "damaged") && !strings.Contains(r.stderr, "is invalid") && !strings.Contains(r.stderr, "goroutine "):
			detected++
		default:
			t.Errorf("%s: exit code %d\n%s%s", where, r.code, r.out, tailOf(r.stderr))
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d harmless, %d detected", harmless, detected)
}

func tailOf(s string) string { return s[:min(len(s), 3000)] }
