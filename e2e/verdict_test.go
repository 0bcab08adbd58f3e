package e2e

import (
	"encoding/hex"
	"math"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/testnet"
)

// verdicts tells a node about blocks of a tree and holds its answers against Bitcoin Core's.
type verdicts struct {
	t    *testing.T
	n    *testnet.Node
	tree *chaintest.Tree
}

func (v verdicts) raw(name string) string {
	v.t.Helper()
	return hex.EncodeToString(v.tree.At(name).Block.Raw())
}

// submit submits blocks, each of which must be answered so; "" is null.
func (v verdicts) submit(want string, names ...string) {
	v.t.Helper()
	for _, name := range names {
		v.answer(name, want, "submitblock", v.raw(name))
	}
}

// propose asks what a block would be with its work done.
func (v verdicts) propose(want string, b *consensus.Block) {
	v.t.Helper()
	v.answer("a proposal", want, "getblocktemplate", map[string]string{"mode": "proposal", "data": hex.EncodeToString(b.Raw())})
}

func (v verdicts) answer(what, want, method string, params ...any) {
	v.t.Helper()
	var got *string
	call(v.t, v.n, &got, method, params...)
	if got == nil {
		got = new(string)
	}
	if *got != want {
		v.t.Errorf("%s: got %q, want %q", what, *got, want)
	}
}

// header submits the header of a block, which must be refused so; "" is not.
func (v verdicts) header(want, name string) {
	v.t.Helper()
	err := v.n.Call(v.t.Context(), nil, "submitheader", v.raw(name)[:2*wire.MaxBlockHeaderPayload])
	if want == "" && err != nil {
		v.t.Errorf("header of %s: %v", name, err)
	}
	if want != "" {
		wantCode(v.t, "header of "+name, err, -25, want)
	}
}

// tips wants the ends of the branches to be thought of so.
func (v verdicts) tips(want map[string]string) {
	v.t.Helper()
	var tips []struct{ Hash, Status string }
	call(v.t, v.n, &tips, "getchaintips")
	got := map[string]string{}
	for _, tip := range tips {
		got[tip.Hash] = tip.Status
	}
	for name, status := range want {
		if hash := v.tree.At(name).State.Hash.String(); got[hash] != status {
			v.t.Errorf("%s is %q, want %q", name, got[hash], status)
		}
	}
	if len(got) != len(want) {
		v.t.Errorf("%d tips, want %d", len(got), len(want))
	}
}

// TestVerdictsOnBlocks goes through what a miner can be told, as Core's mining_basic and feature_block do.
func TestVerdictsOnBlocks(t *testing.T) {
	n := start(t, testnet.Config{Nodes: 1}).Nodes[0]
	g := chaintest.New(t, consensus.Regtest())
	v := verdicts{t, n, g}
	g.Grow(chaintest.Root, "a", 102)
	for _, b := range g.Path("a102") {
		v.answer("the chain", "", "submitblock", hex.EncodeToString(b.Raw()))
	}
	coinbase := func(f func(*wire.MsgTx)) chaintest.Mod { return chaintest.Coinbase(f) }
	greedy := coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].Value++ })
	locked := coinbase(func(tx *wire.MsgTx) { tx.LockTime, tx.TxIn[0].Sequence = math.MaxUint32, 0 })
	root := func(d *chaintest.Draft) { d.Msg.Header.MerkleRoot[0] ^= 1; chaintest.KeepRoot(d) }

	// proposals change nothing, so they come first
	v.propose("", g.Build("a102"))
	v.propose("bad-cb-amount", g.Build("a102", greedy))
	v.propose("bad-txns-nonfinal", g.Build("a102", locked))
	v.propose("bad-txnmrklroot", g.Build("a102", root))
	v.propose("bad-version(0x00000002)", g.Build("a102", chaintest.Edit(func(m *wire.MsgBlock) { m.Header.Version = 2 })))
	v.propose("bad-diffbits", g.Build("a102", chaintest.Edit(func(m *wire.MsgBlock) { m.Header.Bits = 0x207ffffe })))
	v.propose("time-too-old", g.Build("a102", chaintest.At(g.At("a102").State.MedianTime())))
	v.propose("time-too-new", g.Build("a102", chaintest.At(time.Now().Add(3*time.Hour))))
	v.propose("inconclusive-not-best-prevblk", g.Build("a101"))
	v.propose("duplicate", g.At("a102").Block)

	v.submit("duplicate", "a102", "a7")
	g.Block("a101", "fork")
	v.submit("inconclusive", "fork") // as much work, and later
	v.submit("duplicate", "fork")
	v.propose("duplicate-inconclusive", g.At("fork").Block)

	g.Block("a102", "root", root)
	v.header("", "root")
	v.submit("bad-txnmrklroot", "root", "root") // another copy may be good
	v.header("", "root")

	g.Block("a102", "locked", locked)
	g.Block("locked", "on locked")
	v.submit("prev-blk-not-found", "on locked")
	v.submit("bad-txns-nonfinal", "locked")
	v.submit("duplicate-invalid", "locked")
	v.header("duplicate", "locked")
	v.header("bad-prevblk", "on locked")
	v.submit("bad-prevblk", "on locked")
	v.propose("duplicate-invalid", g.At("locked").Block)

	// what is wrong with a block of a branch shows when the branch is the best, and says nothing of the block that made it so
	g.Block("a101", "greedy", greedy)
	g.Block("greedy", "on greedy")
	v.submit("inconclusive", "greedy", "on greedy")
	v.submit("duplicate-invalid", "greedy", "on greedy")
	v.tips(map[string]string{"a102": "active", "fork": "valid-headers", "root": "headers-only", "locked": "invalid", "on greedy": "invalid"})

	call(t, n, nil, "invalidateblock", g.At("a102").State.Hash.String())
	v.tips(map[string]string{"fork": "active", "root": "invalid", "locked": "invalid", "on greedy": "invalid"})
	v.submit("duplicate-invalid", "a102")
	call(t, n, nil, "reconsiderblock", g.At("a102").State.Hash.String())
	g.Block("fork", "on fork")
	v.submit("", "on fork")
	v.tips(map[string]string{"on fork": "active", "root": "headers-only", "locked": "headers-only", "on greedy": "invalid"})
}
