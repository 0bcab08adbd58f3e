package chain

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
	"groat/internal/moddata"
	"groat/internal/store"
	"groat/internal/verify"
)

// openBadger opens a chain of the first blocks of Bitcoin, or another network's, over a real store in dir.
func openBadger(t testing.TB, p *consensus.Params, dir string, flushEvery int32) (*Chain, func()) {
	t.Helper()
	db, err := store.Open(store.Options{Dir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(context.Background(), Options{
		Params: p, Dir: filepath.Join(dir, "blocks"), Store: db.Prefix("chain"), Scripts: verify.New(2, 1000), FlushEvery: flushEvery,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

const (
	bitcoinTip  = "00000000b3e750f37fdb42e1018799a9f44b546d393b130b369590a072430a1c" // at 14,131
	bitcoinHash = "74c5a654587d4eaac9248b73889453e0b2fbc918bbc7bb8d8e6301d4d8c98db3" // worked out by an independent script from the same file
)

func TestBitcoinsFirstBlocks(t *testing.T) {
	file := moddata.BitcoinBlocks(t)
	c, done := openBadger(t, consensus.Bitcoin(), t.TempDir(), 0)
	defer done()
	begin := time.Now()
	p, err := Import(context.Background(), c, []string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d blocks in %v", p.Blocks, time.Since(begin))
	if p.New != 14131 || p.Blocks != 14132 || p.Lost != 0 {
		t.Errorf("imported: %+v", p)
	}
	set, err := c.UTXOSet(context.Background(), ledger.HashSerialized)
	if err != nil {
		t.Fatal(err)
	}
	if set.Tip.Hash.String() != bitcoinTip || set.Tip.Height != 14131 {
		t.Errorf("the tip is %v at %d", set.Tip.Hash, set.Tip.Height)
	}
	if set.Coins != 13416 || set.Total != 706_550_0000_0000 {
		t.Errorf("%d coins, %v", set.Coins, set.Total)
	}
	if set.Hash.String() != bitcoinHash {
		t.Errorf("hash_serialized_3 is %v", set.Hash)
	}
	if got := c.tree.state(c.tree.tip()); got != c.Tip() {
		t.Errorf("the tip's state is rebuilt as %+v, was %+v", got, c.Tip())
	}
}

// The blocks that create and that spend as many coins as fit are flushed in many transactions of Badger, undone, connected again and
// there after a restart.
func TestWorstBlocks(t *testing.T) {
	anyone := []byte{0x51}
	g := chaintest.New(t, consensus.Regtest())
	g.Block("genesis", "base", chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].PkScript = anyone }))
	before := g.Grow("base", "b", 100)
	create, spend := wire.NewMsgTx(2), wire.NewMsgTx(2)
	funds := g.At("base").Block.Txs[0].TxID()
	create.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&funds, 0), nil, nil))
	const room = consensus.MaxBlockWeight - 2000 // for header and coinbase
	for range room / (4 * 10) {
		create.AddTxOut(wire.NewTxOut(1, anyone))
	}
	g.Block(before.Name, "creates", chaintest.Txs(create))
	hash := create.TxHash()
	for i := range room / (4 * 41) {
		spend.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&hash, uint32(i)), nil, nil))
	}
	spend.AddTxOut(wire.NewTxOut(1, anyone))
	g.Block("creates", "spends", chaintest.Txs(spend))
	g.Grow(before.Name, "other", 3)

	dir := t.TempDir()
	c, done := openBadger(t, g.Params, dir, 0)
	want := func(name string) {
		t.Helper()
		set, err := c.UTXOSet(context.Background(), ledger.HashSerialized)
		if n := g.At(name); err != nil || set.Tip.Hash != n.State.Hash || set.Coins != int64(len(n.Coins)) || set.Hash != chaintest.SetHash(n.Coins) {
			t.Fatalf("%s: %+v, %v", name, set, err)
		}
	}
	for _, end := range []string{"spends", "other3"} {
		for _, b := range g.Path(end) {
			if _, err := c.AddBlock(context.Background(), b); err != nil {
				t.Fatal(err)
			}
			if b.Weight() > consensus.MaxBlockWeight-4000 {
				done()
				c, done = openBadger(t, g.Params, dir, 0)
			}
		}
		want(end)
	}
	if err := c.Invalidate(context.Background(), g.At("other1").State.Hash); err != nil {
		t.Fatal(err)
	}
	want("spends")
	done()
	c, done = openBadger(t, g.Params, dir, 0)
	defer done()
	want("spends")
	t.Logf("%d coins created, %d spent", len(create.TxOut), len(spend.TxIn))
}

const killedDir = "GROAT_TEST_KILLED_DIR" // set for the child process that is to be killed

// TestKilledProcess kills a real process over a real store while it imports, again and again.
func TestKilledProcess(t *testing.T) {
	if dir := os.Getenv(killedDir); dir != "" {
		importUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	for kill := range 8 {
		if killChild(t, dir, time.Duration(20+kill*25)*time.Millisecond) {
			break
		}
	}
	c, done := openBadger(t, consensus.Bitcoin(), dir, 0)
	defer done()
	file := moddata.BitcoinBlocks(t)
	if _, err := Import(context.Background(), c, []string{file}, nil); err != nil {
		t.Fatal(err)
	}
	set, err := c.UTXOSet(context.Background(), ledger.HashSerialized)
	if err != nil || set.Tip.Hash.String() != bitcoinTip || set.Hash.String() != bitcoinHash {
		t.Fatalf("%+v, %v", set, err)
	}
}

func importUntilKilled(t *testing.T, dir string) {
	file := moddata.BitcoinBlocks(t) // first: a process that is forked in the last moment holds the lock a little longer
	c, done := openBadger(t, consensus.Bitcoin(), dir, 200)
	defer done()
	if _, err := os.Stdout.WriteString("open " + strconv.Itoa(int(c.Tip().Height)) + "\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(context.Background(), c, []string{file}, nil); err != nil {
		t.Fatal(err)
	}
}

// killChild starts the import in a process of its own, kills it some time after it is open and returns true if it was done before.
func killChild(t *testing.T, dir string, after time.Duration) bool {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe, "-test.run=^TestKilledProcess$")
	child.Env = append(os.Environ(), killedDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := out.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "open ") {
		_ = child.Process.Kill()
		t.Fatalf("the child did not open: %q, %v", buf[:n], err)
	}
	timer := time.AfterFunc(after, func() { _ = child.Process.Kill() })
	defer timer.Stop()
	return child.Wait() == nil
}
