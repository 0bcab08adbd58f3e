package p2p

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// refusedTx is the answer of fakePool, as mempool's policy errors are.
type refusedTx struct {
	reason string
	kind   error
}

func (e refusedTx) Error() string        { return e.reason }
func (e refusedTx) RejectReason() string { return e.reason }
func (e refusedTx) Unwrap() error        { return e.kind }

// fakePool takes every transaction whose parents it knows. The hash of a coin that exists begins with coinMark; version 13 is invalid for everybody.
type fakePool struct {
	mu       sync.Mutex
	txs      map[chainhash.Hash]*consensus.Tx // by wtxid
	byID     map[chainhash.Hash]*consensus.Tx
	gone     map[chainhash.Hash]bool      // confirmed
	list     []*consensus.Tx              // arrivals
	offered  int                          // calls of Add
	minFee   btcutil.Amount               // for 1,000 bytes; not enforced
	hidden   []*consensus.Tx              // here, and never an arrival
	when     map[chainhash.Hash]time.Time // by wtxid, of arrival
	mute     bool                         // arrivals are not listed
	watchers map[chan struct{}]bool
}

const coinMark = 0xc0

func newFakePool() *fakePool {
	return &fakePool{txs: map[chainhash.Hash]*consensus.Tx{}, byID: map[chainhash.Hash]*consensus.Tx{},
		gone: map[chainhash.Hash]bool{}, when: map[chainhash.Hash]time.Time{}, watchers: map[chan struct{}]bool{}}
}

func (p *fakePool) Add(_ context.Context, tx *consensus.Tx) (ledger.PoolEntry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offered++
	if tx.Msg.Version == 13 {
		return ledger.PoolEntry{}, consensus.RuleError{Kind: consensus.ErrScript}
	}
	if p.txs[tx.WTxID()] != nil || p.gone[tx.TxID()] {
		return ledger.PoolEntry{}, refusedTx{reason: "txn-already-in-mempool"}
	}
	for _, in := range tx.Msg.TxIn {
		if h := in.PreviousOutPoint.Hash; h[0] != coinMark && p.byID[h] == nil && !p.gone[h] {
			return ledger.PoolEntry{}, refusedTx{"missing-inputs", consensus.ErrMissingInput}
		}
	}
	p.txs[tx.WTxID()], p.byID[tx.TxID()] = tx, tx
	p.list = append(p.list, tx)
	p.when[tx.WTxID()] = time.Now()
	for w := range p.watchers {
		wakeUp(w)
	}
	return ledger.PoolEntry{Tx: tx}, nil
}

func (p *fakePool) confirm(b *consensus.Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, tx := range b.Txs {
		delete(p.txs, tx.WTxID())
		delete(p.byID, tx.TxID())
		p.gone[tx.TxID()] = true
	}
}

func (p *fakePool) Get(txid chainhash.Hash) (*consensus.Tx, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tx, ok := p.byID[txid]
	return tx, ok
}

func (p *fakePool) GetWitness(wtxid chainhash.Hash) (*consensus.Tx, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tx, ok := p.txs[wtxid]
	return tx, ok
}

func (p *fakePool) Transactions() []*consensus.Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.AppendSeq(slices.Clone(p.hidden), maps.Values(p.txs))
}

// Entry says that every transaction pays its first output's value as its fee.
func (p *fakePool) Entry(txid chainhash.Hash) (ledger.PoolEntry, bool) {
	tx, ok := p.Get(txid)
	if !ok {
		return ledger.PoolEntry{}, false
	}
	return ledger.PoolEntry{Tx: tx, VSize: tx.VSize(), Fee: btcutil.Amount(tx.Msg.TxOut[0].Value)}, true
}

func (p *fakePool) Info() ledger.PoolInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return ledger.PoolInfo{MinFeeRate: p.minFee}
}

func (p *fakePool) Since(seq uint64, max int) ([]*consensus.Tx, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mute {
		return nil, uint64(len(p.list))
	}
	end := min(int(seq)+max, len(p.list))
	return slices.Clone(p.list[seq:end]), uint64(end)
}

func (p *fakePool) Watch() (<-chan struct{}, func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := make(chan struct{}, 1)
	p.watchers[w] = true
	return w, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, w)
	}
}

func (p *fakePool) adds() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offered
}

// payment makes a transaction that spends a coin of its own, or parent if there is one.
func payment(n uint32, parent *consensus.Tx) *consensus.Tx {
	tx := wire.NewMsgTx(2)
	prev := wire.OutPoint{Hash: chainhash.Hash{coinMark}, Index: n}
	if parent != nil {
		prev = wire.OutPoint{Hash: parent.TxID()}
	}
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: prev, Sequence: 0xffffffff})
	tx.AddTxOut(&wire.TxOut{Value: int64(n), PkScript: append([]byte{0x00, 0x14}, make([]byte, 20)...)})
	return consensus.NewTx(tx)
}
