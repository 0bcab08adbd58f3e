package wallet

import (
	"cmp"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// record is a transaction that touches the wallet.
type record struct {
	tx        *consensus.Tx
	order     uint64 // grows with every new transaction
	seen      time.Time
	own       bool // made here: to be announced again until it is in a block
	sending   bool // Send has not handed it to the pool yet; not on the disk
	abandoned bool // by its owner: it spends nothing any more

	block     ledger.Ref // zero Hash while it is in none
	index     int        // in that block
	blockTime time.Time
	conflict  ledger.Ref // a block with another transaction that spends the same coin; zero Hash if there is none
}

// confirmed reports whether r is in a block of the best chain.
func (r *record) confirmed() bool { return r.block.Hash != chainhash.Hash{} }

// coinbase reports whether r is a coinbase.
func (r *record) coinbase() bool { return consensus.IsCoinbase(r.tx) }

// live reports whether r is or may yet get into the chain, so that what it spends is spent.
func (r *record) live() bool {
	return r.confirmed() || !(r.abandoned || r.coinbase() || r.conflict.Hash != chainhash.Hash{})
}

// book has the transactions of one wallet up to a place in the chain. It is a value without locks, clock or I/O:
// it is told of blocks and transactions and answers questions. Every step may be repeated without harm.
type book struct {
	keys   *keyring
	place  ledger.Ref
	order  uint64
	txs    map[chainhash.Hash]*record
	spends map[wire.OutPoint][]chainhash.Hash // which of txs spend an output, anybody's
}

// newBook returns an empty book at a place.
func newBook(keys *keyring, at ledger.Ref) *book {
	return &book{keys: keys, place: at, txs: make(map[chainhash.Hash]*record), spends: make(map[wire.OutPoint][]chainhash.Hash)}
}

// connect takes in the block at ref, which follows the place of b. It reports whether anything but the place has changed.
func (b *book) connect(ref ledger.Ref, blk *consensus.Block) (bool, error) {
	changed, err := b.scan(ref, blk)
	if err == nil {
		b.place = ref
	}
	return changed, err
}

// scan takes in the transactions of a block, wherever the place is.
func (b *book) scan(ref ledger.Ref, blk *consensus.Block) (bool, error) {
	changed := false
	for again := true; again; {
		again = false
		for i, tx := range blk.Txs {
			if !b.touches(tx) {
				continue
			}
			r := b.add(tx, blk.Header.Timestamp)
			changed = changed || r.block != ref
			r.block, r.index, r.blockTime = ref, i, blk.Header.Timestamp
			r.conflict, r.abandoned = ledger.Ref{}, false
			grown, err := b.use(tx)
			if err != nil {
				return changed, err
			}
			again = again || grown // an earlier transaction may pay to what is watched only now
		}
	}
	for _, tx := range blk.Txs {
		changed = b.refuseRivals(ref, tx) || changed
	}
	return changed, nil
}

// disconnect takes back the block at the place of b; parent is the one before it.
func (b *book) disconnect(ref, parent ledger.Ref) (changed bool) {
	for _, r := range b.txs {
		if r.block.Hash == ref.Hash {
			r.block, r.index, r.blockTime = ledger.Ref{}, 0, time.Time{}
			changed = true
		}
		if r.conflict.Hash == ref.Hash {
			r.conflict = ledger.Ref{}
			changed = true
		}
	}
	b.place = parent
	return changed
}

// pending takes in a transaction that waits for a block. It reports whether it is new and touches the wallet.
func (b *book) pending(tx *consensus.Tx, now time.Time) (bool, error) {
	if b.txs[tx.TxID()] != nil || !b.touches(tx) {
		return false, nil
	}
	b.add(tx, now)
	_, err := b.use(tx)
	return true, err
}

// touches reports whether tx pays to the wallet or spends from it.
func (b *book) touches(tx *consensus.Tx) bool {
	for _, out := range tx.Msg.TxOut {
		if _, ok := b.keys.find(out.PkScript); ok {
			return true
		}
	}
	return slices.ContainsFunc(tx.Msg.TxIn, func(in *wire.TxIn) bool { return b.output(in.PreviousOutPoint) != nil })
}

// output returns an output of the wallet, spent or not, or nil.
func (b *book) output(op wire.OutPoint) *wire.TxOut {
	r := b.txs[op.Hash]
	if r == nil || int64(op.Index) >= int64(len(r.tx.Msg.TxOut)) {
		return nil
	}
	out := r.tx.Msg.TxOut[op.Index]
	if _, mine := b.keys.find(out.PkScript); !mine {
		return nil
	}
	return out
}

// add returns the record of tx, made if there was none.
func (b *book) add(tx *consensus.Tx, seen time.Time) *record {
	if r := b.txs[tx.TxID()]; r != nil {
		return r
	}
	b.order++
	r := &record{tx: tx, order: b.order, seen: seen}
	b.put(r)
	return r
}

// put files a record under its id and what it spends.
func (b *book) put(r *record) {
	id := r.tx.TxID()
	b.txs[id] = r
	if r.coinbase() {
		return // all of them name the same output, which is none
	}
	for _, in := range r.tx.Msg.TxIn {
		b.spends[in.PreviousOutPoint] = append(b.spends[in.PreviousOutPoint], id)
	}
}

// forget removes a transaction that was never sent.
func (b *book) forget(id chainhash.Hash) {
	r := b.txs[id]
	if r == nil {
		return
	}
	delete(b.txs, id)
	for _, in := range r.tx.Msg.TxIn {
		op := in.PreviousOutPoint
		b.spends[op] = slices.DeleteFunc(b.spends[op], func(h chainhash.Hash) bool { return h == id })
		if len(b.spends[op]) == 0 {
			delete(b.spends, op)
		}
	}
}

// use notes the addresses that tx pays to. It reports whether more are watched now.
func (b *book) use(tx *consensus.Tx) (grown bool, err error) {
	for _, out := range tx.Msg.TxOut {
		path, mine := b.keys.find(out.PkScript)
		if !mine {
			continue
		}
		news, err := b.keys.used(path)
		if err != nil {
			return grown, err
		}
		grown = grown || news
	}
	return grown, nil
}

// refuseRivals marks the waiting transactions that spend what tx, of the block at ref, has spent, and what follows from them.
func (b *book) refuseRivals(ref ledger.Ref, tx *consensus.Tx) (changed bool) {
	for _, in := range tx.Msg.TxIn {
		for _, id := range b.spends[in.PreviousOutPoint] {
			if id != tx.TxID() {
				changed = b.refuse(ref, id) || changed
			}
		}
	}
	return changed
}

// refuse marks a transaction and its descendants as in conflict with the block at ref.
func (b *book) refuse(ref ledger.Ref, id chainhash.Hash) (changed bool) {
	for open := []chainhash.Hash{id}; len(open) > 0; {
		r := b.txs[open[len(open)-1]]
		open = open[:len(open)-1]
		if r.confirmed() || r.conflict != (ledger.Ref{}) {
			continue
		}
		r.conflict, changed = ref, true
		open = append(open, b.children(r)...)
	}
	return changed
}

// children returns the transactions of the wallet that spend outputs of r.
func (b *book) children(r *record) []chainhash.Hash {
	var ids []chainhash.Hash
	for i := range r.tx.Msg.TxOut {
		ids = append(ids, b.spends[wire.OutPoint{Hash: r.tx.TxID(), Index: uint32(i)}]...)
	}
	return ids
}

// spent reports whether a live transaction spends op.
func (b *book) spent(op wire.OutPoint) bool {
	return slices.ContainsFunc(b.spends[op], func(id chainhash.Hash) bool { return b.txs[id].live() })
}

// confirmations returns how many blocks confirm r, minus those that exclude it, or 0.
func (b *book) confirmations(r *record) int32 {
	switch {
	case r.confirmed():
		return b.place.Height - r.block.Height + 1
	case r.conflict.Hash != chainhash.Hash{}:
		return -(b.place.Height - r.conflict.Height + 1)
	}
	return 0
}

// waiting returns the transactions that may still get into a block, oldest first.
func (b *book) waiting() []*record {
	var list []*record
	for _, r := range b.txs {
		if !r.confirmed() && r.live() {
			list = append(list, r)
		}
	}
	sortByOrder(list)
	return list
}

// sortByOrder puts the oldest first.
func sortByOrder(list []*record) {
	slices.SortFunc(list, func(x, y *record) int { return cmp.Compare(x.order, y.order) })
}

// debit returns what tx takes from the wallet, and whether all of its inputs do.
func (b *book) debit(tx *consensus.Tx) (sum btcutil.Amount, all bool) {
	all = true
	for _, in := range tx.Msg.TxIn {
		if out := b.output(in.PreviousOutPoint); out != nil {
			sum += btcutil.Amount(out.Value)
			continue
		}
		all = false
	}
	return sum, all
}
