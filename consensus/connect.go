package consensus

import (
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// mustBeUnique reports whether the block after s has to be searched for ids that repeat those of unspent coins (BIP30).
func mustBeUnique(s State, b *Block) bool {
	p, height := s.params, s.Height+1
	return !isRepeat(s, b) && (height <= p.BIP34Height || height >= p.BIP34Unique)
}

// isRepeat reports whether b is one of the blocks whose coinbase is known to replace an older one's coins.
func isRepeat(s State, b *Block) bool {
	at, ok := s.params.RepeatedCoinbases[b.hash]
	return ok && at == s.Height+1
}

// Needs returns the outpoints whose coins Connect wants to know: those that b spends and does not create itself, and those that it would
// replace. Each is there once, unless b spends it twice, which Connect refuses.
func Needs(s State, b *Block) []wire.OutPoint {
	own := make(map[[32]byte]struct{}, len(b.Txs))
	inputs := 0
	for _, tx := range b.Txs {
		inputs += len(tx.Msg.TxIn)
	}
	needs := make([]wire.OutPoint, 0, inputs)
	if mustBeUnique(s, b) || isRepeat(s, b) {
		needs = appendOutputs(needs, b)
	}
	for _, tx := range b.Txs {
		if !IsCoinbase(tx) {
			for _, in := range tx.Msg.TxIn {
				if _, ok := own[in.PreviousOutPoint.Hash]; !ok {
					needs = append(needs, in.PreviousOutPoint)
				}
			}
		}
		own[tx.id] = struct{}{}
	}
	return needs
}

func appendOutputs(to []wire.OutPoint, b *Block) []wire.OutPoint {
	for _, tx := range b.Txs {
		for i := range tx.Msg.TxOut {
			to = append(to, wire.OutPoint{Hash: tx.id, Index: uint32(i)})
		}
	}
	return to
}

// Repeats returns the outpoints of which Explain wants to know whether they exist, for a block that Connect has refused.
func Repeats(s State, b *Block) []wire.OutPoint {
	if s.params.BIP34Unique != noExtra {
		return nil
	}
	return appendOutputs(nil, b)
}

// Explain returns err, for which Connect has refused b, or that b repeats a transaction whose coins are there (BIP30), which Bitcoin Core
// finds first. Where every coinbase begins with its height Connect need not look for that: whoever repeats a transaction spends what is spent.
// coins holds what exists of Repeats.
func Explain(b *Block, coins Coins, err error) error {
	if repeated := findRepeat(b, coins); repeated != nil {
		return repeated
	}
	return err
}

// Connect says whether b, which has passed CheckBlock and CheckBlockPlace, may follow s with the coins that it spends, and what it
// changes. It runs no scripts: ScriptChecks has them. coins holds what exists of Needs and is not changed.
func Connect(s State, b *Block, coins Coins) (Delta, error) {
	if err := checkUniqueIDs(s, b, coins); err != nil {
		return Delta{}, err
	}
	flags := NextFlags(s, b.hash)
	v := newView(s, b, coins)
	var fees btcutil.Amount
	sigOps := 0
	for i, tx := range b.Txs {
		spent := Coins(nil)
		if i > 0 {
			spent = v.inputs(tx)
			fee, err := CheckInputs(s, tx, spent)
			if err != nil {
				return Delta{}, within(tx, err)
			}
			if fees += fee; fees > MaxMoney {
				return Delta{}, ruleError(ErrAccumulatedFee, "accumulated fee in the block out of range")
			}
			if err := CheckSequence(s, tx, spent); err != nil {
				return Delta{}, within(tx, err)
			}
		}
		if sigOps += SigOpCost(tx, spent, flags); sigOps > MaxBlockSigOpCost {
			return Delta{}, ruleError(ErrBlockSigOps, "too many sigops: %d", sigOps)
		}
		v.apply(tx, i == 0)
	}
	if err := checkCoinbaseValue(s, b, fees); err != nil {
		return Delta{}, err
	}
	d := v.delta()
	d.Fees = fees
	return d, nil
}

// checkUniqueIDs refuses a block that would replace coins which are not spent (BIP30).
func checkUniqueIDs(s State, b *Block, coins Coins) error {
	if !mustBeUnique(s, b) {
		return nil
	}
	return findRepeat(b, coins)
}

func findRepeat(b *Block, coins Coins) error {
	for _, tx := range b.Txs {
		for i := range tx.Msg.TxOut {
			if _, ok := coins[wire.OutPoint{Hash: tx.id, Index: uint32(i)}]; ok {
				return ruleError(ErrDuplicateTx, "tried to overwrite transaction %v", tx.id)
			}
		}
	}
	return nil
}

func checkCoinbaseValue(s State, b *Block, fees btcutil.Amount) error {
	var claimed btcutil.Amount
	for _, out := range b.Txs[0].Msg.TxOut {
		claimed += btcutil.Amount(out.Value)
	}
	if limit := s.Subsidy() + fees; claimed > limit {
		return ruleError(ErrCoinbaseValue, "coinbase pays too much (actual=%d vs limit=%d)", claimed, limit)
	}
	return nil
}

// view is the coin set as the transactions of a block see it, one after the other.
type view struct {
	coins   Coins                      // as before the block
	own     map[chainhash.Hash]int     // transactions of the block so far: the place of their first output in created
	used    map[wire.OutPoint]struct{} // coins of before the block that it has spent
	created []Entry                    // all outputs, with a nil name where they are no coins, or none any more
	spent   []Entry
	few     Coins // what inputs returned, used again for the next transaction with few inputs
	height  int32
	median  uint32
}

func newView(s State, b *Block, coins Coins) *view {
	outs := 0
	for _, tx := range b.Txs {
		outs += len(tx.Msg.TxOut)
	}
	return &view{
		coins: coins, height: s.Height + 1, median: s.medianTime(),
		own:     make(map[chainhash.Hash]int, len(b.Txs)),
		used:    make(map[wire.OutPoint]struct{}, len(coins)),
		created: make([]Entry, 0, outs),
		spent:   make([]Entry, 0, len(coins)),
		few:     make(Coins, fewInputs),
	}
}

// fewInputs is up to how many inputs a transaction shares a map with others: Go's maps of that many are small, and are cleared at once.
const fewInputs = 8

// ownCoin returns the coin with the given name if the block has created it and not spent it; nil if not.
func (v *view) ownCoin(op wire.OutPoint) *Entry {
	first, ok := v.own[op.Hash]
	if !ok || uint64(first)+uint64(op.Index) >= uint64(len(v.created)) {
		return nil
	}
	if e := &v.created[first+int(op.Index)]; e.OutPoint == op {
		return e
	}
	return nil
}

// inputs returns the coins that exist now of those that tx spends. They are good until it is called again.
func (v *view) inputs(tx *Tx) Coins {
	found := v.few
	if n := len(tx.Msg.TxIn); n > fewInputs {
		found = make(Coins, n)
	}
	clear(found)
	for _, in := range tx.Msg.TxIn {
		op := in.PreviousOutPoint
		if e := v.ownCoin(op); e != nil {
			found[op] = e.Coin
			continue
		}
		if _, gone := v.used[op]; gone {
			continue
		}
		if coin, ok := v.coins[op]; ok {
			found[op] = coin
		}
	}
	return found
}

// apply spends the inputs of tx, which exist, and creates its outputs.
func (v *view) apply(tx *Tx, coinbase bool) {
	if !coinbase {
		for _, in := range tx.Msg.TxIn {
			v.spend(in.PreviousOutPoint)
		}
	}
	v.own[tx.id] = len(v.created)
	for i, out := range tx.Msg.TxOut {
		if Unspendable(out.PkScript) {
			v.created = append(v.created, Entry{})
			continue
		}
		op := wire.OutPoint{Hash: tx.id, Index: uint32(i)}
		if old, ok := v.coins[op]; ok { // one of the two repeated coinbases of before BIP34
			if _, gone := v.used[op]; !gone {
				v.used[op] = struct{}{}
				v.spent = append(v.spent, Entry{op, old})
			}
		}
		v.created = append(v.created, Entry{op, Coin{
			Value: btcutil.Amount(out.Value), PkScript: out.PkScript,
			Height: v.height, Coinbase: coinbase, MedianTime: v.median,
		}})
	}
}

func (v *view) spend(op wire.OutPoint) {
	if e := v.ownCoin(op); e != nil {
		e.OutPoint = wire.OutPoint{}
		return
	}
	v.used[op] = struct{}{}
	v.spent = append(v.spent, Entry{op, v.coins[op]})
}

// delta returns the changes, without what is no coin after the block.
func (v *view) delta() Delta {
	kept := v.created[:0]
	for _, e := range v.created {
		if e.OutPoint != (wire.OutPoint{}) {
			kept = append(kept, e)
		}
	}
	return Delta{Spent: v.spent, Created: kept}
}

// Undo returns the Delta that Connect gave for b, from the coins that it spent: its undo record. The created
// coins carry their name only, which is all that removing them needs.
func Undo(b *Block, spent []Entry) Delta {
	within := make(map[wire.OutPoint]struct{})
	for _, tx := range b.Txs[1:] {
		for _, in := range tx.Msg.TxIn {
			within[in.PreviousOutPoint] = struct{}{}
		}
	}
	d := Delta{Spent: spent}
	for _, tx := range b.Txs {
		for i, out := range tx.Msg.TxOut {
			op := wire.OutPoint{Hash: tx.id, Index: uint32(i)}
			if _, ok := within[op]; !ok && !Unspendable(out.PkScript) {
				d.Created = append(d.Created, Entry{OutPoint: op})
			}
		}
	}
	return d
}
