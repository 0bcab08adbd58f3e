package chaintest

import (
	"math/rand/v2"
	"strconv"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// RandomTxs returns up to five transactions that spend coins that k has after n, and each other's, with outputs of every form, some of which are no coins.
func RandomTxs(r *rand.Rand, n *Node, k Key) []*wire.MsgTx {
	free := n.Mature(k)
	var txs []*wire.MsgTx
	for range r.IntN(6) {
		var coins []consensus.Entry
		var sum btcutil.Amount
		for range 1 + r.IntN(3) {
			if len(free) == 0 {
				break
			}
			i := r.IntN(len(free))
			coins, sum = append(coins, free[i]), sum+free[i].Coin.Value
			free = append(free[:i:i], free[i+1:]...)
		}
		if sum == 0 {
			continue
		}
		form := []Kind{P2WPKH, P2TR, P2PKH}[r.IntN(3)]
		value := btcutil.Amount(r.Int64N(int64(sum))) + 1
		tx := k.Pay(coins, k.Script(form), value, btcutil.Amount(r.Int64N(int64(sum-value)+1)))
		switch r.IntN(4) {
		case 0:
			tx.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN, 1}))
		case 1:
			tx.AddTxOut(wire.NewTxOut(0, make([]byte, 10_000+r.IntN(2)))) // a coin, or one byte too long to be one
		}
		k.Sign(tx, coins)
		txs = append(txs, tx)
		for i, out := range tx.TxOut {
			if out.Value > 0 {
				free = append(free, Out(tx, i))
			}
		}
	}
	return txs
}

// RandomTree grows a random tree of n blocks with payments on parent, named prefix1, prefix2, …, and returns their names, parents first. Some blocks have a
// flaw, and a few follow those.
func RandomTree(r *rand.Rand, g *Tree, parent, prefix string, n int) []string {
	flaws := Flaws()
	sound, names := []string{parent}, []string{parent}
	for i := range n {
		from := sound
		if r.IntN(6) == 0 {
			from = names
		}
		up := from[max(0, len(from)-1-r.IntN(4))]
		name := prefix + strconv.Itoa(i+1)
		if r.IntN(6) == 0 && len(g.At(up).Mature(KeyFor(0))) > 0 {
			flaw := flaws[r.IntN(len(flaws))]
			g.Block(up, name, flaw.Mod).Flaw = flaw.Kind
		} else {
			g.Block(up, name, Txs(RandomTxs(r, g.At(up), KeyFor(0))...))
		}
		names = append(names, name)
		if g.At(name).Sound() {
			sound = append(sound, name)
		}
	}
	return names[1:]
}

// Sound says whether neither n nor a block before it was broken on purpose.
func (n *Node) Sound() bool {
	for ; n != nil; n = n.Parent {
		if n.Flaw != 0 {
			return false
		}
	}
	return true
}
