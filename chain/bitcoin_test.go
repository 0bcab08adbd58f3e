package chain

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/store"
	"groat/internal/verify"
)

// TestBitcoinsFirstBlocks imports the 14,131 blocks that btcd ships for its own tests.
func TestBitcoinsFirstBlocks(t *testing.T) {
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatalf("find the module cache: %v", err)
	}
	name := filepath.Join(strings.TrimSpace(string(cache)), "github.com/btcsuite/btcd@v0.26.2/blockchain/testdata/blk_0_to_14131.dat")
	file, err := os.Open(name)
	if err != nil {
		t.Skipf("btcd is not in the module cache: %v", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}

	db, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := Open(context.Background(), Options{
		Params: consensus.Bitcoin(), Dir: t.TempDir(), Store: db.Prefix("chain"), Scripts: verify.New(2, 1000),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begin := time.Now()
	p, err := Import(context.Background(), c, blockfile.NewReader(c.Params(), file, info.Size()), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d blocks in %v", p.Blocks, time.Since(begin))
	if p.Blocks != 14131 || p.Known != 1 || p.Orphans != 0 {
		t.Errorf("imported: %+v", p)
	}
	set, err := c.UTXOSet(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	const tip = "00000000b3e750f37fdb42e1018799a9f44b546d393b130b369590a072430a1c"
	if set.Tip.Hash.String() != tip || set.Tip.Height != 14131 {
		t.Errorf("the tip is %v at %d", set.Tip.Hash, set.Tip.Height)
	}
	if set.Coins != 13416 || set.Total != 706_550*btcutil.SatoshiPerBitcoin {
		t.Errorf("%d coins, %v", set.Coins, set.Total)
	}
	t.Logf("hash_serialized_3 %v, %d transactions, bogosize %d", set.Hash, set.Txs, set.BogoSize)
}
