// Package chaintest makes chains for tests: a tree of named blocks, valid unless a test breaks them on purpose, with coins that
// its keys can spend. It judges nothing: it applies what it builds to its own plain coin sets, so that a wrong rule in consensus
// does not hide itself.
package chaintest

import (
	"maps"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Root is the name of the first block.
const Root = "genesis"

// Node is a block of the tree with the state and the coins after it.
type Node struct {
	Name   string
	Parent *Node
	Block  *consensus.Block
	State  consensus.State
	Coins  consensus.Coins // all that exist after Block; not to be changed
	Flaw   consensus.Kind  // the rule that Block breaks on purpose; 0 if it is good
}

// Tree grows blocks by name.
type Tree struct {
	Params *consensus.Params
	Now    time.Time // for headers: a block is stamped with its parent's time plus the block interval, but not after Now

	t     testing.TB
	nodes map[string]*Node
	extra uint32 // makes coinbases differ between branches
	pays  []byte // the script that coinbases pay to
}

// New returns the tree that has only the first block of p, which must have trivial work.
func New(t testing.TB, p *consensus.Params) *Tree {
	genesis := &Node{Name: Root, Block: consensus.NewBlock(p.Genesis), State: consensus.Genesis(p), Coins: consensus.Coins{}}
	return &Tree{Params: p, Now: time.Now(), t: t, nodes: map[string]*Node{Root: genesis}, pays: KeyFor(0).Script(P2WPKH)}
}

// At returns the block with the given name.
func (g *Tree) At(name string) *Node {
	g.t.Helper()
	n, ok := g.nodes[name]
	if !ok {
		g.t.Fatalf("the story has no block %q", name)
	}
	return n
}

// Mod changes a block that is being built, before it is sealed.
type Mod func(*Draft)

// Draft is a block before its commitment, merkle root and work.
type Draft struct {
	Msg    *wire.MsgBlock
	Parent *Node

	noCommitment, noRoot, noWork bool
}

// Txs adds transactions, in order. Nobody claims their fees.
func Txs(txs ...*wire.MsgTx) Mod {
	return func(d *Draft) { d.Msg.Transactions = append(d.Msg.Transactions, txs...) }
}

// Edit changes the block freely; it is sealed afterwards.
func Edit(f func(*wire.MsgBlock)) Mod { return func(d *Draft) { f(d.Msg) } }

// Coinbase changes the coinbase.
func Coinbase(f func(*wire.MsgTx)) Mod { return func(d *Draft) { f(d.Msg.Transactions[0]) } }

// KeepRoot leaves the merkle root of the header as it is.
func KeepRoot(d *Draft) { d.noRoot = true }

// KeepWork leaves the nonce of the header as it is.
func KeepWork(d *Draft) { d.noWork = true }

// NoCommitment leaves the commitment to the witnesses out.
func NoCommitment(d *Draft) { d.noCommitment = true }

// Build returns a block on parent without adding it to the tree: for blocks that will be refused.
func (g *Tree) Build(parent string, mods ...Mod) *consensus.Block {
	g.t.Helper()
	up := g.At(parent)
	g.extra++
	d := &Draft{Parent: up, Msg: &wire.MsgBlock{Header: wire.BlockHeader{
		Version: 4, PrevBlock: up.State.Hash, Bits: up.State.NextBits(), Timestamp: g.stamp(up),
	}}}
	d.Msg.Transactions = []*wire.MsgTx{g.coinbase(up)}
	for _, mod := range mods {
		mod(d)
	}
	g.seal(d)
	return consensus.NewBlock(d.Msg)
}

// Block builds a block on parent and adds it to the tree under name. It must be valid.
func (g *Tree) Block(parent, name string, mods ...Mod) *Node {
	g.t.Helper()
	return g.Add(parent, name, g.Build(parent, mods...))
}

// Add adds b, which follows parent, to the tree under name.
func (g *Tree) Add(parent, name string, b *consensus.Block) *Node {
	g.t.Helper()
	up := g.At(parent)
	if _, ok := g.nodes[name]; ok {
		g.t.Fatalf("the story has a block %q already", name)
	}
	n := &Node{Name: name, Parent: up, Block: b, State: up.State.Next(&b.Header), Coins: after(up, b)}
	g.nodes[name] = n
	return n
}

// Grow adds n blocks on parent, named prefix1, prefix2, …, and returns the last.
func (g *Tree) Grow(parent, prefix string, n int) *Node {
	g.t.Helper()
	last := g.At(parent)
	for i := range n {
		last = g.Block(last.Name, prefix+strconv.Itoa(i+1))
	}
	return last
}

// Path returns the blocks from after the first to the one with the given name, in order.
func (g *Tree) Path(name string) []*consensus.Block {
	g.t.Helper()
	n := g.At(name)
	path := make([]*consensus.Block, n.State.Height)
	for ; n.Parent != nil; n = n.Parent {
		path[n.State.Height-1] = n.Block
	}
	return path
}

func (g *Tree) stamp(up *Node) time.Time {
	at := up.Block.Header.Timestamp.Add(g.Params.BlockInterval)
	if at.After(g.Now) {
		at = g.Now
	}
	if least := up.State.MedianTime().Add(time.Second); at.Before(least) {
		at = least
	}
	return at.Truncate(time.Second)
}

func (g *Tree) coinbase(up *Node) *wire.MsgTx {
	height := up.State.Height + 1
	tx := wire.NewMsgTx(2)
	script := append(consensus.HeightPush(height), 4, byte(g.extra), byte(g.extra>>8), byte(g.extra>>16), byte(g.extra>>24))
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: math.MaxUint32}, script, nil))
	tx.AddTxOut(wire.NewTxOut(int64(up.State.Subsidy()), g.pays))
	return tx
}

// seal commits to the witnesses, sets the merkle root and finds a nonce, where the draft wants it.
func (g *Tree) seal(d *Draft) {
	msg := d.Msg
	if len(msg.Transactions) > 0 && !d.noCommitment && d.Parent.State.Height+1 >= g.Params.SegwitHeight {
		commit(msg)
	}
	if !d.noRoot {
		msg.Header.MerkleRoot, _ = consensus.TxIDRoot(consensus.NewBlock(msg).Txs)
	}
	for !d.noWork && consensus.CheckWork(g.Params, &msg.Header) != nil {
		msg.Header.Nonce++
	}
}

func commit(msg *wire.MsgBlock) {
	reserved := make([]byte, 32)
	coinbase := msg.Transactions[0]
	root := consensus.WitnessRoot(consensus.NewBlock(msg).Txs)
	coinbase.TxIn[0].Witness = wire.TxWitness{reserved}
	coinbase.AddTxOut(wire.NewTxOut(0, consensus.CommitmentScript(consensus.WitnessCommitment(root, reserved))))
}

// after returns the coins after b, from those after up.
func after(up *Node, b *consensus.Block) consensus.Coins {
	coins := maps.Clone(up.Coins)
	for i, tx := range b.Txs {
		for _, in := range tx.Msg.TxIn {
			delete(coins, in.PreviousOutPoint)
		}
		for j, out := range tx.Msg.TxOut {
			if consensus.Unspendable(out.PkScript) {
				continue
			}
			coins[wire.OutPoint{Hash: tx.TxID(), Index: uint32(j)}] = consensus.Coin{
				Value: btcutil.Amount(out.Value), PkScript: out.PkScript, Height: up.State.Height + 1,
				Coinbase: i == 0, MedianTime: uint32(up.State.MedianTime().Unix()),
			}
		}
	}
	return coins
}
