package wallet

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// fakeChain is a best chain without rules. Branches that were left are remembered.
type fakeChain struct {
	blocks map[chainhash.Hash]*consensus.Block
	refs   map[chainhash.Hash]ledger.Ref
	best   []chainhash.Hash
	nonce  uint32
	pool   *fakePool
}

func newFakeChain() *fakeChain {
	genesis := consensus.NewBlock(consensus.Regtest().Genesis)
	c := &fakeChain{blocks: map[chainhash.Hash]*consensus.Block{}, refs: map[chainhash.Hash]ledger.Ref{}}
	c.pool = &fakePool{txs: map[chainhash.Hash]*consensus.Tx{}}
	c.push(genesis)
	return c
}

func (c *fakeChain) push(b *consensus.Block) {
	c.blocks[b.Hash()], c.refs[b.Hash()] = b, ledger.Ref{Hash: b.Hash(), Height: int32(len(c.best))}
	c.best = append(c.best, b.Hash())
	for _, tx := range b.Txs {
		delete(c.pool.txs, tx.TxID())
	}
}

// mine adds a block that pays its subsidy to script, with transactions. It returns the coinbase.
func (c *fakeChain) mine(script []byte, txs ...*consensus.Tx) *consensus.Tx {
	c.nonce++
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, []byte{byte(c.nonce), byte(c.nonce >> 8), 1}, nil))
	msg.AddTxOut(wire.NewTxOut(50*btcutil.SatoshiPerBitcoin, script))
	coinbase := consensus.NewTx(msg)
	h := wire.BlockHeader{PrevBlock: c.best[len(c.best)-1], Nonce: c.nonce, Timestamp: time.Unix(1_700_000_000+int64(c.nonce), 0)}
	c.push(consensus.AssembleBlock(h, append([]*consensus.Tx{coinbase}, txs...)))
	return coinbase
}

// mineN adds n blocks that pay to nobody we know.
func (c *fakeChain) mineN(n int) {
	for range n {
		c.mine([]byte{txscript.OP_TRUE})
	}
}

// fork leaves the last n blocks; the next ones go beside them.
func (c *fakeChain) fork(n int) { c.best = c.best[:len(c.best)-n] }

func (c *fakeChain) Tip() consensus.State {
	hash := c.best[len(c.best)-1]
	return consensus.State{Height: int32(len(c.best) - 1), Hash: hash, Header: c.blocks[hash].Header}
}

func (c *fakeChain) Since(place chainhash.Hash, most int) (ledger.Path, error) {
	var path ledger.Path
	ref, ok := c.refs[place]
	if !ok {
		return path, ledger.ErrUnknownBlock
	}
	for int(ref.Height) >= len(c.best) || c.best[ref.Height] != ref.Hash {
		path.Undo = append(path.Undo, ref)
		ref = c.refs[c.blocks[ref.Hash].Header.PrevBlock]
	}
	for h := int(ref.Height) + 1; h < len(c.best) && len(path.Connect) < most; h++ {
		path.Connect = append(path.Connect, c.refs[c.best[h]])
	}
	return path, nil
}

func (c *fakeChain) Info(hash chainhash.Hash) (ledger.BlockInfo, error) {
	return ledger.BlockInfo{State: consensus.State{Height: c.refs[hash].Height, Hash: hash, Header: c.blocks[hash].Header}}, nil
}

func (c *fakeChain) AtHeight(height int32) (chainhash.Hash, bool) {
	if int(height) >= len(c.best) {
		return chainhash.Hash{}, false
	}
	return c.best[height], true
}

func (c *fakeChain) Block(hash chainhash.Hash) (*consensus.Block, error) { return c.blocks[hash], nil }

func (c *fakeChain) Watch() (<-chan struct{}, func()) { return make(chan struct{}), func() {} }

// fakePool takes every transaction, unless it was told to refuse.
type fakePool struct {
	mu       sync.Mutex // guards all below while wallets run side by side
	txs      map[chainhash.Hash]*consensus.Tx
	arrivals []*consensus.Tx
	refuse   error
	before   func() // runs in Add, without the mutex
}

func (p *fakePool) Add(_ context.Context, tx *consensus.Tx) (ledger.PoolEntry, error) {
	if before := p.before; before != nil {
		p.before = nil
		before()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.txs[tx.TxID()]; known {
		return ledger.PoolEntry{}, errors.New("txn-already-in-mempool")
	}
	if p.refuse != nil {
		return ledger.PoolEntry{}, p.refuse
	}
	p.txs[tx.TxID()] = tx
	p.arrivals = append(p.arrivals, tx)
	return ledger.PoolEntry{Tx: tx}, nil
}

func (p *fakePool) Entry(id chainhash.Hash) (ledger.PoolEntry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tx, ok := p.txs[id]
	return ledger.PoolEntry{Tx: tx, AncestorCount: 1, DescendantCount: 1}, ok
}

func (p *fakePool) Info() ledger.PoolInfo {
	return ledger.PoolInfo{MinFeeRate: 1000, RelayFee: 1000}
}

func (p *fakePool) Since(seq uint64, most int) ([]*consensus.Tx, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	txs := p.arrivals[seq:]
	if len(txs) > most {
		txs = txs[:most]
	}
	return txs, seq + uint64(len(txs))
}

func (p *fakePool) Watch() (<-chan struct{}, func()) { return make(chan struct{}), func() {} }

// story is a chain and a wallet directory.
type story struct {
	*testing.T
	chain   *fakeChain
	options Options
	*Wallets
}

// cheap is a cost for tests.
var cheap = cost{Time: 1, Memory: 8, Threads: 1}

func newStory(t *testing.T) *story {
	t.Helper()
	c := newFakeChain()
	now := time.Unix(1_800_000_000, 0)
	s := &story{T: t, chain: c, options: Options{
		Dir: t.TempDir(), Params: consensus.Regtest(), Chain: c, Pool: c.pool, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), cost: cheap,
	}}
	s.reopen()
	return s
}

// reopen closes all wallets, as a node does that stops, and starts again.
func (s *story) reopen() {
	s.Helper()
	if s.Wallets != nil {
		if err := s.Wallets.Close(); err != nil {
			s.Fatal(err)
		}
	}
	s.crash()
}

// crash starts again without closing.
func (s *story) crash() {
	s.Helper()
	ws, err := Open(s.options)
	if err != nil {
		s.Fatal(err)
	}
	s.Wallets = ws
}

// wallet makes a wallet that comes back with the node.
func (s *story) wallet(name string) *Wallet {
	s.Helper()
	return s.create(name, ledger.NewWallet{Startup: true})
}

// create makes a wallet.
func (s *story) create(name string, n ledger.NewWallet) *Wallet {
	s.Helper()
	if err := s.Create(name, n); err != nil {
		s.Fatal(err)
	}
	return s.get(name)
}

// get returns a loaded wallet.
func (s *story) get(name string) *Wallet {
	s.Helper()
	w, err := s.Get(name)
	if err != nil {
		s.Fatal(err)
	}
	return w
}

// address hands out an address.
func (s *story) address(w *Wallet) []byte {
	s.Helper()
	script, err := w.Address(ledger.ReceiveBranch, "")
	if err != nil {
		s.Fatal(err)
	}
	return script
}

// holds checks the three sums of a balance, in whole coins.
func (s *story) holds(w *Wallet, trusted, pending, immature float64) {
	s.Helper()
	b, err := w.Balance(context.Background(), 0)
	if err != nil {
		s.Fatal(err)
	}
	if b.Trusted.ToBTC() != trusted || b.Pending.ToBTC() != pending || b.Immature.ToBTC() != immature {
		s.Fatalf("%s holds %v, pending %v, immature %v; want %v, %v, %v", w.Name(), b.Trusted, b.Pending, b.Immature, trusted, pending, immature)
	}
}

// pay sends whole coins.
func (s *story) pay(w *Wallet, script []byte, amount float64) ledger.WalletSent {
	s.Helper()
	value, err := btcutil.NewAmount(amount)
	if err != nil {
		s.Fatal(err)
	}
	sent, err := w.Send(context.Background(), ledger.WalletOrder{Payments: []ledger.WalletPayment{{PkScript: script, Amount: value}}})
	if err != nil {
		s.Fatal(err)
	}
	return sent
}

// foreign pays whole coins to a script out of nothing.
func foreign(script []byte, amount float64, n byte) *consensus.Tx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{n}}, []byte{txscript.OP_TRUE}, nil))
	value, _ := btcutil.NewAmount(amount)
	msg.AddTxOut(wire.NewTxOut(int64(value), script))
	return consensus.NewTx(msg)
}
