package chain

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
	"groat/internal/verify"
)

// oracle says in the simplest words what a chain must do: of the good blocks that are here with all before them, and that nobody has marked, the tip is one with
// the most work, and stays it as long as nothing else has more.
type oracle struct {
	t     *testing.T
	o     Options
	c     *Chain
	nodes []*chaintest.Node // parents first

	known  map[*chaintest.Node]bool // good headers that the chain was told of
	here   map[*chaintest.Node]bool // good blocks that it was told of
	marked map[*chaintest.Node]bool // by the operator
}

// oracleTree grows a tree of good and broken blocks without payments.
func oracleTree(t testing.TB) []*chaintest.Node {
	g := chaintest.New(t, consensus.Regtest())
	flaws := slices.DeleteFunc(chaintest.Flaws(), func(f chaintest.Flaw) bool {
		return !slices.Contains([]consensus.Kind{
			consensus.ErrVersion, consensus.ErrManyCoinbases, consensus.ErrCoinbaseHeight, consensus.ErrCoinbaseValue,
		}, f.Kind)
	})
	r := rand.New(rand.NewPCG(1, 2))
	nodes := []*chaintest.Node{g.At(chaintest.Root)}
	for i := range 30 {
		up := nodes[max(0, len(nodes)-1-r.IntN(5))]
		if r.IntN(5) > 0 { // branches of one block lead nowhere
			for !up.Sound() {
				up = up.Parent
			}
		}
		var n *chaintest.Node
		if flaw := flaws[r.IntN(len(flaws))]; r.IntN(4) == 0 {
			n = g.Block(up.Name, strconv.Itoa(i), flaw.Mod)
			n.Flaw = flaw.Kind
		} else {
			n = g.Block(up.Name, strconv.Itoa(i))
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func newOracle(t *testing.T, nodes []*chaintest.Node) *oracle {
	m := &oracle{t: t, nodes: nodes, known: map[*chaintest.Node]bool{nodes[0]: true}, here: map[*chaintest.Node]bool{nodes[0]: true}, marked: map[*chaintest.Node]bool{}}
	now := nodes[0].State.Header.Timestamp.AddDate(1, 0, 0)
	m.o = Options{
		Params: nodes[0].State.Params(), Dir: t.TempDir(), Store: newMemStore(), Scripts: verify.New(1, 10), Reserve: 1,
		Now: func() time.Time { return now },
	}
	m.open()
	t.Cleanup(func() { _ = m.c.Close() })
	return m
}

func (m *oracle) open() {
	c, err := Open(context.Background(), m.o)
	if err != nil {
		m.t.Fatal(err)
	}
	m.c = c
}

// isMarked says whether n follows a marked block or is one.
func (m *oracle) isMarked(n *chaintest.Node) bool {
	for ; n != nil; n = n.Parent {
		if m.marked[n] {
			return true
		}
	}
	return false
}

// best returns the most work that a tip can have, and whether n has it.
func (m *oracle) best(n *chaintest.Node) (most consensus.Work, has bool) {
	for _, x := range m.nodes {
		complete := x.Sound() && !m.isMarked(x)
		for up := x; up != nil && complete; up = up.Parent {
			complete = m.here[up]
		}
		if !complete {
			continue
		}
		if c := x.State.Work.Cmp(most); c > 0 {
			most, has = x.State.Work, x == n
		} else if c == 0 && x == n {
			has = true
		}
	}
	return most, has
}

func (m *oracle) tip() *chaintest.Node {
	at := m.c.Tip()
	for _, n := range m.nodes {
		if n.State == at {
			return n
		}
	}
	m.t.Fatalf("the tip is %v at height %d, which is no block of the tree", at.Hash, at.Height)
	return nil
}

// step does one thing and checks what became of it.
func (m *oracle) step(op byte, n *chaintest.Node) {
	m.t.Helper()
	before := m.tip()
	ctx, sticky := context.Background(), true
	switch op % 10 {
	case 0, 1, 2, 3:
		_, err := m.c.AddBlock(ctx, n.Block)
		m.judgeBlock(n, err)
	case 4:
		m.headers(n)
	case 5:
		if n.Parent != nil && m.told(n, m.c.Invalidate(ctx, n.State.Hash)) {
			m.marked[n] = true
		}
	case 6:
		sticky = false // what was here before comes back
		if m.told(n, m.c.Reconsider(ctx, n.State.Hash)) {
			for x := range m.marked {
				if follows(x, n) || follows(n, x) {
					delete(m.marked, x)
				}
			}
		}
	case 7:
		sticky = false
		most, _ := m.best(nil)
		if _, can := m.best(n); m.told(n, m.c.Precious(ctx, n.State.Hash)) && can && n.State.Work == most && m.tip() != n {
			m.t.Fatalf("%s is preferred and not the tip", n.Name)
		}
	case 8:
		if _, err := m.c.AddBlock(ctx, chaintest.Mutant(n.Block, reserve)); err != nil && n.Parent != nil {
			m.wantMutation(n, err)
		}
	case 9:
		if err := m.c.Close(); err != nil {
			m.t.Fatal(err)
		}
		m.open()
	}
	after := m.tip()
	most, has := m.best(after)
	if !has || after.State.Work != most {
		m.t.Fatalf("the tip is %s with work %v; the most is %v", after.Name, after.State.Work, most)
	}
	if _, stays := m.best(before); sticky && stays && after != before {
		m.t.Fatalf("the tip went from %s to %s, which has no more work", before.Name, after.Name)
	}
	if head := m.c.BestHeader(); head.Work.Cmp(most) < 0 {
		m.t.Fatalf("the best header is at %d, below the tip", head.Height)
	}
}

// reserve changes the reserved value in the coinbase, to which the block commits.
func reserve(b *wire.MsgBlock) {
	if w := b.Transactions[0].TxIn[0].Witness; len(w) == 1 {
		w[0][31] ^= 1
	}
}

// wantMutation wants a changed copy of n to be refused as one, or for what n is known for.
func (m *oracle) wantMutation(n *chaintest.Node, err error) {
	m.t.Helper()
	var rule consensus.RuleError
	if !errors.As(err, &rule) {
		m.t.Fatal(err)
	}
	if m.isMarked(n) || !n.Sound() || rule.Kind == consensus.ErrPrevUnknown && !m.known[n.Parent] {
		return
	}
	if m.known[n.Parent] && !m.here[n] {
		m.known[n] = true // its header is good
	}
	if rule.Kind != consensus.ErrWitnessCommitment {
		m.t.Fatalf("a copy of %s: %v", n.Name, err)
	}
}

// judgeBlock wants a good block to be taken if it has a place and no mark, and refused for just that otherwise.
func (m *oracle) judgeBlock(n *chaintest.Node, err error) {
	m.t.Helper()
	if !n.Sound() || n.Parent == nil {
		return
	}
	var want []error
	switch {
	case m.isMarked(n) && (m.known[n] || m.known[n.Parent]):
		want = []error{consensus.ErrPrevInvalid, consensus.ErrKnownInvalid, consensus.ErrMarkedInvalid}
	case !m.known[n.Parent]:
		want = []error{consensus.ErrPrevUnknown}
	default:
		want = []error{nil}
		m.known[n], m.here[n] = true, true
	}
	if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
		m.t.Fatalf("%s: got %v, want %v", n.Name, err, want)
	}
}

// told says whether the chain knows n, which it must if n is good and its header was told.
func (m *oracle) told(n *chaintest.Node, err error) bool {
	m.t.Helper()
	if err != nil && (!errors.Is(err, ledger.ErrUnknownBlock) || m.known[n]) {
		m.t.Fatalf("%s: %v", n.Name, err)
	}
	return err == nil
}

// headers tells of the headers from the first block to n.
func (m *oracle) headers(n *chaintest.Node) {
	var path []*chaintest.Node
	for x := n; x.Parent != nil; x = x.Parent {
		path = append(path, x)
	}
	slices.Reverse(path)
	headers := make([]wire.BlockHeader, len(path))
	for i, x := range path {
		headers[i] = x.Block.Header
	}
	_, err := m.c.AddHeaders(context.Background(), headers)
	if err != nil && n.Sound() && !m.isMarked(n) {
		m.t.Fatalf("headers up to %s: %v", n.Name, err)
	}
	for _, x := range path { // what comes before a refused one stays
		if !x.Sound() || m.isMarked(x) {
			break
		}
		m.known[x] = true
	}
}

// follows says whether n is up or follows it.
func follows(n, up *chaintest.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == up {
			return true
		}
	}
	return false
}

// run does as the bytes say, two for each step, and compares the coins at the end.
func (m *oracle) run(steps []byte) {
	m.t.Helper()
	for ; len(steps) >= 2; steps = steps[2:] {
		m.step(steps[0], m.nodes[int(steps[1])%len(m.nodes)])
	}
	at := m.tip()
	set, err := m.c.UTXOSet(context.Background(), ledger.HashSerialized)
	if err != nil || set.Hash != chaintest.SetHash(at.Coins) {
		m.t.Fatalf("the coins at %s are %d, want %d: %v", at.Name, set.Coins, len(at.Coins), err)
	}
}

// FuzzChain does anything in any order with a tree of good and broken blocks and holds the chain to an oracle.
func FuzzChain(f *testing.F) {
	nodes := oracleTree(f)
	var all []byte
	for i := range nodes {
		all = append(all, 0, byte(i))
	}
	f.Add(all)
	r := rand.New(rand.NewPCG(3, 4))
	for range 8 {
		steps := make([]byte, 2*200)
		for i := range steps {
			steps[i] = byte(r.Uint32())
		}
		f.Add(steps)
		f.Add(append(slices.Clone(all), steps...))
	}
	f.Fuzz(func(t *testing.T, steps []byte) { newOracle(t, nodes).run(steps[:min(len(steps), 1000)]) })
}
