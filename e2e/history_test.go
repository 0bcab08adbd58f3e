package e2e

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/muhash"
	"groat/testnet"
)

// history is what a node did, followed block by block with plain coin sets.
type history struct {
	t     *testing.T
	n     *testnet.Node
	tree  *chaintest.Tree
	key   chaintest.Key
	names []string          // hashes of all blocks that ever were, parents first
	raw   map[string]string // those blocks
}

// mine lets the node mine the transactions, without asking its pool, and returns the block's hash.
func (h *history) mine(txs []*wire.MsgTx) string {
	h.t.Helper()
	list := make([]string, len(txs))
	for i, tx := range txs {
		list[i] = hex.EncodeToString(consensus.NewTx(tx).Raw())
	}
	var made struct{ Hash string }
	call(h.t, h.n, &made, "generateblock", text(h.t, h.key.Script(chaintest.P2WPKH)), list)
	return h.follow(made.Hash)
}

// follow adds a block of the node's to the tree.
func (h *history) follow(hash string) string {
	h.t.Helper()
	var raw string
	call(h.t, h.n, &raw, "getblock", hash, 0)
	data, err := hex.DecodeString(raw)
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := consensus.ParseBlock(data)
	if err != nil {
		h.t.Fatal(err)
	}
	parent := b.Header.PrevBlock.String()
	if b.Header.PrevBlock == h.tree.Params.GenesisHash {
		parent = chaintest.Root
	}
	h.tree.Add(parent, hash, b)
	h.names, h.raw[hash] = append(h.names, hash), raw
	return hash
}

// tip returns the node's best block in the tree.
func (h *history) tip() *chaintest.Node {
	h.t.Helper()
	var hash string
	call(h.t, h.n, &hash, "getbestblockhash")
	return h.tree.At(hash)
}

// TestRandomHistoryLeadsToTheSameCoins pays, mines and reorganises at random. The node, one that follows it, one that is given the same blocks in another
// order, and a plain replay must have the same coins, by both of Bitcoin Core's hashes.
func TestRandomHistoryLeadsToTheSameCoins(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	w, lone := start(t, testnet.Config{Nodes: 2}), start(t, testnet.Config{Nodes: 1}).Nodes[0]
	h := &history{t: t, n: w.Nodes[0], tree: chaintest.New(t, consensus.Regtest()), key: chaintest.KeyFor(0), raw: map[string]string{}}
	hashes, err := h.n.Mine(within(t, time.Minute), 110, text(t, h.key.Script(chaintest.P2WPKH)))
	if err != nil {
		t.Fatal(err)
	}
	for _, hash := range hashes {
		h.follow(hash)
	}
	for range soak(t, 30) {
		at := h.tip()
		if r.IntN(3) > 0 {
			h.mine(chaintest.RandomTxs(r, at, h.key))
			continue
		}
		depth := 1 + r.IntN(4)
		marked := at
		for range depth - 1 {
			marked = marked.Parent
		}
		call(t, h.n, nil, "invalidateblock", marked.Name)
		for range depth + 1 {
			h.mine(chaintest.RandomTxs(r, h.tip(), h.key))
		}
		call(t, h.n, nil, "reconsiderblock", marked.Name) // it has less work now
	}
	last := h.tip()
	awaitTip(t, w.Nodes, last.Name)
	h.give(lone, r)

	set := muhash.New()
	for op, c := range last.Coins {
		set.Add(chaintest.CoinBytes(op, c))
	}
	want := [2]string{chaintest.SetHash(last.Coins).String(), set.Hash().String()}
	for name, n := range map[string]*testnet.Node{"the miner": w.Nodes[0], "its peer": w.Nodes[1], "the lone one": lone} {
		if got := setHashes(t, n); got != want {
			t.Errorf("%s has the coins %v, want %v", name, got, want)
		}
	}
	t.Logf("%d blocks, %d of them on the best chain, %d coins", len(h.raw), last.State.Height, len(last.Coins))
}

// give submits all headers and then all blocks in random order.
func (h *history) give(to *testnet.Node, r *rand.Rand) {
	h.t.Helper()
	for _, hash := range h.names {
		call(h.t, to, nil, "submitheader", h.raw[hash][:2*wire.MaxBlockHeaderPayload])
	}
	names := slices.Clone(h.names)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, hash := range names {
		var refusal *string
		if call(h.t, to, &refusal, "submitblock", h.raw[hash]); refusal != nil && *refusal != "inconclusive" {
			h.t.Fatalf("block %s: %s", hash, *refusal)
		}
	}
}

// setHashes returns hash_serialized_3 and muhash of a node's coins.
func setHashes(t *testing.T, n *testnet.Node) [2]string {
	t.Helper()
	var serialized, mu struct {
		Serialized string `json:"hash_serialized_3"`
		MuHash     string `json:"muhash"`
	}
	call(t, n, &serialized, "gettxoutsetinfo")
	call(t, n, &mu, "gettxoutsetinfo", "muhash")
	return [2]string{serialized.Serialized, mu.MuHash}
}
