package wallet

import (
	"slices"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// view is a book together with what the pool has of it: enough to say what is spendable.
type view struct {
	*book
	pool   map[chainhash.Hash]ledger.PoolEntry // of the waiting transactions, those that are in the pool
	labels map[string]string                   // by script, in hex
	trust  map[chainhash.Hash]bool             // what trusted has found out
}

// trusted reports whether the outputs of r may be spent without waiting for others: r is in a block, or it waits in the pool and spends only
// our own outputs of trusted transactions.
func (v *view) trusted(r *record) bool {
	id := r.tx.TxID()
	if known, ok := v.trust[id]; ok {
		return known
	}
	v.trust[id] = false // also ends a circle, which hashes rule out
	trusted := r.confirmed()
	if _, in := v.pool[id]; in && !trusted && r.live() {
		trusted = !slices.ContainsFunc(r.tx.Msg.TxIn, func(in *wire.TxIn) bool {
			op := in.PreviousOutPoint
			return v.output(op) == nil || !v.trusted(v.txs[op.Hash])
		})
	}
	v.trust[id] = trusted
	return trusted
}

// mature reports whether r is no coinbase, or an old one. Like Bitcoin Core, wallets wait one block longer than the rules ask for.
func (v *view) mature(r *record) bool {
	return !r.coinbase() || v.confirmations(r) > consensus.Maturity
}

// coins returns all unspent outputs of the wallet, by age.
func (v *view) coins() []ledger.WalletCoin {
	var coins []ledger.WalletCoin
	for _, r := range v.sorted() {
		if !r.live() {
			continue
		}
		_, inPool := v.pool[r.tx.TxID()]
		if !r.confirmed() && !inPool {
			continue // sent, but out of the pool: it may never be in a block
		}
		for i, out := range r.tx.Msg.TxOut {
			op := wire.OutPoint{Hash: r.tx.TxID(), Index: uint32(i)}
			path, mine := v.keys.find(out.PkScript)
			if !mine || v.spent(op) {
				continue
			}
			coins = append(coins, ledger.WalletCoin{
				OutPoint: op, Value: btcutil.Amount(out.Value), PkScript: out.PkScript, Path: path, Label: v.label(out.PkScript),
				Confirmations: v.confirmations(r), Coinbase: r.coinbase(), Mature: v.mature(r), Trusted: v.trusted(r),
			})
		}
	}
	return coins
}

// balance sums the coins. Trusted ones count from so many confirmations on.
func (v *view) balance(minConf int32) ledger.WalletBalance {
	var b ledger.WalletBalance
	for _, c := range v.coins() {
		switch {
		case !c.Mature:
			b.Immature += c.Value
		case !c.Trusted:
			b.Pending += c.Value
		case c.Confirmations >= minConf:
			b.Trusted += c.Value
		}
	}
	return b
}

// sorted returns all transactions, the oldest first.
func (v *view) sorted() []*record {
	list := make([]*record, 0, len(v.txs))
	for _, r := range v.txs {
		list = append(list, r)
	}
	sortByOrder(list)
	return list
}

// transaction tells how the wallet sees r.
func (v *view) transaction(r *record) ledger.WalletTx {
	_, inPool := v.pool[r.tx.TxID()]
	t := ledger.WalletTx{
		Tx: r.tx, Block: r.block, BlockIndex: r.index, BlockTime: r.blockTime, Confirmations: v.confirmations(r), Seen: r.seen,
		Coinbase: r.coinbase(), Trusted: v.trusted(r), InPool: inPool, Abandoned: r.abandoned, Conflicts: v.rivals(r),
	}
	debit, _ := v.debit(r.tx)
	var credit, paid btcutil.Amount
	for _, out := range r.tx.Msg.TxOut {
		paid += btcutil.Amount(out.Value)
		if _, mine := v.keys.find(out.PkScript); mine && v.mature(r) {
			credit += btcutil.Amount(out.Value)
		}
	}
	if debit > 0 {
		t.FromMe, t.Fee = true, paid-debit
	}
	t.Net = credit - debit - t.Fee
	t.Parts = v.parts(r, debit > 0)
	return t
}

// parts lists what r pays to others and what it pays to the wallet, its change left out.
func (v *view) parts(r *record, fromMe bool) []ledger.WalletPart {
	var sent, received []ledger.WalletPart
	for i, out := range r.tx.Msg.TxOut {
		path, mine := v.keys.find(out.PkScript)
		if fromMe && mine && path.Branch == ledger.ChangeBranch {
			continue
		}
		part := ledger.WalletPart{Vout: uint32(i), Amount: btcutil.Amount(out.Value), PkScript: out.PkScript, Label: v.label(out.PkScript)}
		if fromMe {
			paid := part
			paid.Category, paid.Amount = "send", -part.Amount
			sent = append(sent, paid)
		}
		if mine {
			part.Category = v.category(r)
			received = append(received, part)
		}
	}
	return append(sent, received...)
}

// category is Core's word for what r pays to the wallet.
func (v *view) category(r *record) string {
	switch {
	case !r.coinbase():
		return "receive"
	case !r.confirmed():
		return "orphan"
	case !v.mature(r):
		return "immature"
	}
	return "generate"
}

// rivals returns the other transactions of the wallet that spend what r spends.
func (v *view) rivals(r *record) []chainhash.Hash {
	var ids []chainhash.Hash
	for _, in := range r.tx.Msg.TxIn {
		for _, id := range v.spends[in.PreviousOutPoint] {
			if id != r.tx.TxID() && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
