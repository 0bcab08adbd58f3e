package consensus_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// TestConnectThenUndoGivesTheSameCoins grows random chains, one of them longer than the other, and walks between their tips with nothing but Deltas and
// undo records. The coins must be those that chaintest keeps by itself, and their sum never more than the schedule allows.
func TestConnectThenUndoGivesTheSameCoins(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			g := newStory(t)
			w := walker{t: t, coins: consensus.Coins{}, undo: map[string][]consensus.Entry{}}
			w.to(g.Tree, "b110")
			at := map[string]string{"x": "b110", "y": "b110"}
			spends := 0
			for i := range 60 {
				branch := []string{"x", "y"}[r.IntN(2)]
				txs := chaintest.RandomTxs(r, g.At(at[branch]), g.key)
				spends += len(txs)
				name := fmt.Sprint(branch, i)
				g.Block(at[branch], name, chaintest.Txs(txs...))
				at[branch] = name
				if r.IntN(4) == 0 {
					w.to(g.Tree, name)
				}
			}
			w.to(g.Tree, at["x"])
			w.to(g.Tree, at["y"])
			w.to(g.Tree, chaintest.Root)
			if len(w.coins) != 0 || spends < 100 {
				t.Errorf("%d coins are left after %d spends", len(w.coins), spends)
			}
		})
	}
}

// walker is a place in the tree with the coins there, which it changes by Deltas only.
type walker struct {
	t     *testing.T
	at    *chaintest.Node
	coins consensus.Coins
	undo  map[string][]consensus.Entry
}

// to goes to the block with the given name: back to the fork, then forward.
func (w *walker) to(g *chaintest.Tree, name string) {
	w.t.Helper()
	var ahead []*chaintest.Node
	n := g.At(name)
	back := func() {
		revert(w.coins, consensus.Undo(w.at.Block, w.undo[w.at.Name]))
		w.at = w.at.Parent
		equalCoins(w.t, w.coins, w.at.Coins)
	}
	if w.at == nil {
		w.at = g.At(chaintest.Root)
	}
	for n != w.at {
		if n.State.Height > w.at.State.Height {
			ahead = append(ahead, n)
			n = n.Parent
			continue
		}
		back()
	}
	for i := len(ahead) - 1; i >= 0; i-- {
		n := ahead[i]
		d, err := judge(n.Parent, n.Block)
		if err != nil {
			w.t.Fatalf("%s: %v", n.Name, err)
		}
		apply(w.coins, d)
		w.undo[n.Name] = d.Spent
		w.at = n
		equalCoins(w.t, w.coins, n.Coins)
		w.checkSupply()
	}
}

func (w *walker) checkSupply() {
	w.t.Helper()
	var sum, most btcutil.Amount
	for _, c := range w.coins {
		sum += c.Value
	}
	for h := int32(1); h <= w.at.State.Height; h++ {
		most += w.at.State.Params().SubsidyAt(h)
	}
	if sum > most {
		w.t.Fatalf("%s: %v exist, the schedule allows %v", w.at.Name, sum, most)
	}
}

// FuzzConnect edits a good block at will. Whatever comes of it is refused with a RuleError, or changes the coins so that undoing it
// gives them back and pays no more than the subsidy.
func FuzzConnect(f *testing.F) {
	g := chaintest.New(f, consensus.Regtest())
	key := chaintest.KeyFor(0)
	g.Grow(chaintest.Root, "b", 103)
	n := g.At("b103")
	coins := n.Mature(key)
	first := key.Pay(coins[:2], key.Script(chaintest.P2TR), btc, 1000)
	second := key.Pay([]consensus.Entry{chaintest.Out(first, 0), coins[2]}, key.Script(chaintest.P2PKH), btc, 0)
	third := key.Pay([]consensus.Entry{chaintest.Out(second, 0)}, anyone, btc, 0)
	good := g.Build("b103", chaintest.Txs(first, second, third))
	if _, err := judge(n, good); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	for op := range byte(edits) {
		f.Add([]byte{op, 1, 0, op, 2, 1})
		f.Add([]byte{op, 0, 0xff, op, 3, 0x80, 0, 1, 7})
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		msg := wire.MsgBlock{Header: good.Header}
		for _, tx := range good.Txs {
			msg.Transactions = append(msg.Transactions, tx.Msg.Copy())
		}
		for range min(len(steps)/3, 40) {
			editBlock(&msg, steps[0]%edits, int(steps[1]), steps[2])
			steps = steps[3:]
		}
		if len(msg.Transactions) == 0 {
			return
		}
		b := seal(&msg)
		d, err := judge(n, b)
		var rule consensus.RuleError
		if err != nil && !errors.As(err, &rule) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		after := maps.Clone(n.Coins)
		apply(after, d)
		var change btcutil.Amount
		for _, c := range after {
			change += c.Value
		}
		for _, c := range n.Coins {
			change -= c.Value
		}
		if change > n.State.Subsidy() {
			t.Fatalf("the supply grows by %v", change)
		}
		revert(after, consensus.Undo(b, d.Spent))
		if len(after) != len(n.Coins) {
			t.Fatalf("%d coins after undoing, %d before", len(after), len(n.Coins))
		}
	})
}

// seal commits to the witnesses of m, sets its merkle root and finds a nonce.
func seal(m *wire.MsgBlock) *consensus.Block {
	if out := m.Transactions[0].TxOut; len(out) > 0 {
		root := consensus.WitnessRoot(consensus.NewBlock(m).Txs)
		out[len(out)-1] = wire.NewTxOut(0, consensus.CommitmentScript(consensus.WitnessCommitment(root, make([]byte, 32))))
	}
	m.Header.MerkleRoot, _ = consensus.TxIDRoot(consensus.NewBlock(m).Txs)
	for consensus.CheckWork(consensus.Regtest(), &m.Header) != nil {
		m.Header.Nonce++
	}
	return consensus.NewBlock(m)
}

const edits = 14 // of editBlock

// editBlock makes one small change, at the place and with the value that at and v choose.
func editBlock(m *wire.MsgBlock, op byte, at int, v byte) {
	txs := m.Transactions
	if len(txs) == 0 {
		return
	}
	i, j := at%len(txs), int(v)%len(txs)
	tx := txs[i]
	switch op {
	case 0:
		m.Transactions = append(txs, txs[j])
	case 1:
		txs[i], txs[j] = txs[j], txs[i]
	case 2:
		m.Transactions = append(txs[:i:i], txs[i+1:]...)
	case 3:
		tx.Version = int32(int8(v))
	case 4:
		tx.LockTime = uint32(v) * 0x01010101
	case 5:
		tx.TxOut = append(tx.TxOut, wire.NewTxOut(int64(int8(v)), []byte{v}))
	case 6:
		tx.TxIn = append(tx.TxIn, wire.NewTxIn(&wire.OutPoint{Hash: txs[j].TxHash(), Index: uint32(v >> 6)}, nil, nil))
	case 7:
		m.Header.Version = int32(int8(v))
	default:
		editInOut(tx, op, v)
	}
}

func editInOut(tx *wire.MsgTx, op, v byte) {
	if len(tx.TxIn) == 0 || len(tx.TxOut) == 0 {
		return
	}
	in, out := tx.TxIn[int(v)%len(tx.TxIn)], tx.TxOut[int(v)%len(tx.TxOut)]
	switch op {
	case 8:
		out.Value += int64(int8(v)) << (v % 56)
	case 9:
		in.Sequence = uint32(v) << (v % 25)
	case 10:
		in.Witness = append(in.Witness, []byte{v})
	case 11:
		in.SignatureScript = append(in.SignatureScript, v)
	case 12:
		tx.TxIn = append(tx.TxIn, in)
	case 13:
		out.PkScript = []byte{v, v}
	}
}
