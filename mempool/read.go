package mempool

import (
	"math"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// PoolHeight is the height of coins that are not in a block yet.
const PoolHeight = math.MaxInt32

// Get returns the transaction with the given id.
func (p *Pool) Get(txid chainhash.Hash) (*consensus.Tx, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.txs[txid]; ok {
		return e.tx, true
	}
	return nil, false
}

// GetWitness returns the transaction with the given id with witness.
func (p *Pool) GetWitness(wtxid chainhash.Hash) (*consensus.Tx, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.wtxs[wtxid]; ok {
		return e.tx, true
	}
	return nil, false
}

// Has reports whether the transaction with the given id is here.
func (p *Pool) Has(txid chainhash.Hash) bool {
	_, ok := p.Get(txid)
	return ok
}

// Entry returns what the pool knows of the transaction with the given id.
func (p *Pool) Entry(txid chainhash.Hash) (ledger.PoolEntry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.txs[txid]; ok {
		return e.view(), true
	}
	return ledger.PoolEntry{}, false
}

// Entries returns all transactions, parents before children.
func (p *Pool) Entries() []ledger.PoolEntry {
	_, entries := p.Snapshot()
	return entries
}

// Transactions returns all transactions, parents before children. It costs much less than Entries.
func (p *Pool) Transactions() []*consensus.Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	txs := make([]*consensus.Tx, 0, len(p.txs))
	for _, e := range p.feed.arrivals {
		if !e.gone {
			txs = append(txs, e.tx)
		}
	}
	return txs
}

// Snapshot returns all transactions, parents before children, and the block that they are valid after. It is zero while the pool restores
// what a reorg has undone: then CatchUp waits for the end of that.
func (p *Pool) Snapshot() (tip chainhash.Hash, entries []ledger.PoolEntry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entries = make([]ledger.PoolEntry, 0, len(p.txs))
	for _, e := range p.feed.arrivals { // a child comes after its parents
		if !e.gone {
			entries = append(entries, e.view())
		}
	}
	if !p.settled {
		return chainhash.Hash{}, entries
	}
	return p.tip, entries
}

// Info describes the pool as a whole.
func (p *Pool) Info() ledger.PoolInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return ledger.PoolInfo{
		Count: len(p.txs), Bytes: p.bytes, Usage: p.usage, TotalFee: p.fees, MaxBytes: p.policy.MaxBytes,
		MinFeeRate: max(p.minFee(), p.policy.MinRelayFee), RelayFee: p.policy.MinRelayFee, Sequence: p.feed.seq,
	}
}

// Coin returns an output of a transaction in the pool, at PoolHeight. Another one there may spend it: Spender knows.
func (p *Pool) Coin(op wire.OutPoint) (consensus.Coin, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.txs[op.Hash]
	if !ok {
		return consensus.Coin{}, false
	}
	return e.output(op.Index)
}

// Spender returns the id of the transaction in the pool that spends op.
func (p *Pool) Spender(op wire.OutPoint) (chainhash.Hash, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.spends[op]; ok {
		return e.tx.TxID(), true
	}
	return chainhash.Hash{}, false
}

// output returns an output of e as a coin.
func (e *entry) output(index uint32) (consensus.Coin, bool) {
	outs := e.tx.Msg.TxOut
	if uint64(index) >= uint64(len(outs)) || consensus.Unspendable(outs[index].PkScript) {
		return consensus.Coin{}, false
	}
	return consensus.Coin{Value: btcutil.Amount(outs[index].Value), PkScript: outs[index].PkScript, Height: PoolHeight}, true
}
