package consensus_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/consensus"
	"groat/internal/moddata"
)

// TestFirstBlocksOfBitcoin connects the first 14,131 blocks of Bitcoin after the first, scripts and all, with nothing but the rules and a map of
// coins, and undoes them again.
func TestFirstBlocksOfBitcoin(t *testing.T) {
	t.Parallel()
	blocks := bitcoinBlocks(t)
	if len(blocks) != 14_132 {
		t.Fatalf("the file has %d blocks, want 14,132", len(blocks))
	}
	p := consensus.Bitcoin()
	s, coins := consensus.Genesis(p), consensus.Coins{}
	if blocks[0].Hash() != p.GenesisHash {
		t.Fatalf("the file begins with %v", blocks[0].Hash())
	}
	undo := make([][]consensus.Entry, len(blocks))
	for height := 1; height < len(blocks); height++ {
		next, d := connectAlone(t, s, blocks[height], coins)
		undo[height] = d.Spent
		apply(coins, d)
		s = next
	}
	if want := "00000000b3e750f37fdb42e1018799a9f44b546d393b130b369590a072430a1c"; s.Height != 14_131 || s.Hash.String() != want {
		t.Errorf("tip %d, %v", s.Height, s.Hash)
	}
	var total btcutil.Amount
	for _, c := range coins {
		total += c.Value
	}
	if len(coins) != 13_416 || total != 706_550*btc {
		t.Errorf("%d coins, %v; want 13,416, 706,550 BTC", len(coins), total)
	}
	for height := len(blocks) - 1; height > 0; height-- {
		revert(coins, consensus.Undo(blocks[height], undo[height]))
	}
	if len(coins) != 0 {
		t.Errorf("%d coins are left when all is undone", len(coins))
	}
}

// connectAlone takes b through every step on its way into the chain after s, by the block's own clock.
func connectAlone(t *testing.T, s consensus.State, b *consensus.Block, coins consensus.Coins) (consensus.State, consensus.Delta) {
	t.Helper()
	fail := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("height %d: %v", s.Height+1, err)
		}
	}
	next, err := consensus.CheckHeader(s, &b.Header, b.Header.Timestamp)
	fail(err)
	fail(consensus.CheckBlock(s.Params(), b))
	fail(consensus.CheckBlockPlace(s, b))
	spent := consensus.Coins{}
	for _, op := range consensus.Needs(s, b) {
		if c, ok := coins[op]; ok {
			spent[op] = c
		}
	}
	d, err := consensus.Connect(s, b, spent)
	fail(err)
	for _, check := range consensus.ScriptChecks(s, b, spent) {
		fail(check.Verify())
	}
	return next, d
}

// apply changes coins as a block does, and revert takes that back.
func apply(coins consensus.Coins, d consensus.Delta) {
	for _, e := range d.Spent {
		delete(coins, e.OutPoint)
	}
	for _, e := range d.Created {
		coins[e.OutPoint] = e.Coin
	}
}

func revert(coins consensus.Coins, d consensus.Delta) {
	for _, e := range d.Created {
		delete(coins, e.OutPoint)
	}
	for _, e := range d.Spent {
		coins[e.OutPoint] = e.Coin
	}
}

func bitcoinBlocks(t *testing.T) []*consensus.Block {
	t.Helper()
	raw, err := os.ReadFile(moddata.BitcoinBlocks(t))
	if err != nil {
		t.Fatal(err)
	}
	magic := consensus.Bitcoin().Magic
	var blocks []*consensus.Block
	for len(raw) >= 8 && bytes.HasPrefix(raw, magic[:]) {
		n := binary.LittleEndian.Uint32(raw[4:])
		b, err := consensus.ParseBlock(raw[8:][:n])
		if err != nil {
			t.Fatalf("block %d: %v", len(blocks), err)
		}
		blocks = append(blocks, b)
		raw = raw[8+n:]
	}
	return blocks
}
