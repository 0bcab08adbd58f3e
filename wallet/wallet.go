package wallet

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/disk"
	"groat/internal/ledger"
)

// Chain is what a wallet asks of the chain.
type Chain interface {
	Tip() consensus.State
	Since(place chainhash.Hash, max int) (ledger.Path, error)
	Info(hash chainhash.Hash) (ledger.BlockInfo, error)
	AtHeight(height int32) (chainhash.Hash, bool)
	Block(hash chainhash.Hash) (*consensus.Block, error)
	Watch() (wake <-chan struct{}, stop func())
}

// Pool is what a wallet asks of the mempool.
type Pool interface {
	Add(ctx context.Context, tx *consensus.Tx) (ledger.PoolEntry, error)
	Entry(txid chainhash.Hash) (ledger.PoolEntry, bool)
	Info() ledger.PoolInfo
	Since(seq uint64, max int) ([]*consensus.Tx, uint64)
	Watch() (wake <-chan struct{}, stop func())
}

// Wallet is one loaded wallet. All its methods may be called at any time from any goroutine; after it was unloaded they
// return ErrNoWallet where they can.
type Wallet struct {
	name, id, dir string            // set once
	params        *consensus.Params // set once
	chain         Chain             // set once
	pool          Pool              // set once
	now           func() time.Time  // set once
	log           *slog.Logger      // set once
	cost          cost              // set once

	turn      chan struct{} // holds a token while somebody follows the chain; guards the next three
	poolSeq   uint64        // arrivals in the pool up to here have been seen
	saved     int32         // height of the place in the .state file
	announced bool          // own payments have been handed to the pool since the wallet was loaded

	mu     sync.Mutex // guards all below; never held while calling the chain or the pool
	file   keyFile
	book   *book
	key    *hdkeychain.ExtendedKey // of the account, private; nil while locked
	until  time.Time               // when it locks by itself
	timer  *time.Timer             // locks it; nil while locked or without a passphrase
	scan   scan
	dirty  bool // the .state file lacks something
	closed bool
}

// scan says how a wallet that is far behind comes along.
type scan struct {
	active       bool
	since        time.Time
	from, at, to int32
}

// openWallet reads the files of a wallet. A state that is missing or damaged is made again from the chain.
func openWallet(o Options, name string) (*Wallet, error) {
	raw, err := readFile(keyPath(o.Dir, name))
	if err != nil {
		return nil, err
	}
	file, acct, err := decodeKeys(o.Params, raw)
	if err != nil {
		return nil, err
	}
	keys, err := newKeyring(acct, file.Next)
	if err != nil {
		return nil, err
	}
	w := &Wallet{
		name: name, id: file.ID, dir: o.Dir, params: o.Params, chain: o.Chain, pool: o.Pool, now: o.Now, log: o.Log.With("wallet", name),
		cost: o.cost, turn: make(chan struct{}, 1), file: file,
	}
	if err := w.loadState(keys); err != nil {
		return nil, err
	}
	if !file.Secret.sealed() {
		if err := w.unseal(""); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// loadState reads the .state file, or begins at the wallet's birth without it.
func (w *Wallet) loadState(keys *keyring) error {
	raw, err := readFile(w.statePath())
	if err == nil {
		w.book, err = decodeState(w.id, keys, raw)
	}
	if err != nil {
		w.log.Warn("Cannot read what the wallet knew of the chain; looking through the chain again", "from", w.file.Birth.Height, "err", err)
		w.book = newBook(keys, ledger.Ref(w.file.Birth))
	}
	w.saved = w.book.place.Height
	return nil
}

// keyPath and statePath are where the two files of a wallet are.
func keyPath(dir, name string) string { return filepath.Join(dir, name+keySuffix) }

func (w *Wallet) statePath() string { return filepath.Join(w.dir, w.name+stateSuffix) }

// Name returns the wallet's name.
func (w *Wallet) Name() string { return w.name }

// saveKeys writes the .wallet file. The caller holds mu.
func (w *Wallet) saveKeys() error {
	w.file.Next = w.book.keys.next
	content, err := encodeKeys(w.file)
	if err != nil {
		return err
	}
	return disk.WriteFile(keyPath(w.dir, w.name), content)
}

// saveState writes the .state file. The caller holds mu.
func (w *Wallet) saveState() error {
	content, err := encodeState(w.id, w.book)
	if err != nil {
		return err
	}
	if err := disk.WriteFile(w.statePath(), content); err != nil {
		return err
	}
	w.dirty = false
	return nil
}

// Address hands out a new address of a branch and returns its script. It will not be handed out again, whatever happens.
func (w *Wallet) Address(branch uint32, label string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, ledger.ErrNoWallet
	}
	_, script, err := w.book.keys.issue(branch)
	if err != nil {
		return nil, err
	}
	if label != "" {
		w.setLabel(script, label)
	}
	return script, w.saveKeys()
}

// setLabel notes a label. The caller holds mu and saves the keys.
func (w *Wallet) setLabel(script []byte, label string) {
	if w.file.Labels == nil {
		w.file.Labels = make(map[string]string)
	}
	w.file.Labels[hex.EncodeToString(script)] = label
}

// Key tells what is known of an address of the wallet, and false for others.
func (w *Wallet) Key(script []byte) (ledger.WalletKey, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	path, mine := w.book.keys.find(script)
	if !mine {
		return ledger.WalletKey{Label: w.file.Labels[hex.EncodeToString(script)]}, false
	}
	key, err := w.book.keys.account.describe(path)
	if err != nil { // it was derived before
		return ledger.WalletKey{}, false
	}
	key.Label = w.file.Labels[hex.EncodeToString(script)]
	key.Born = time.Unix(w.file.BirthTime, 0)
	return key, true
}

// Info describes the wallet.
func (w *Wallet) Info() ledger.WalletInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	info := ledger.WalletInfo{
		Name: w.name, Encrypted: w.file.Secret.sealed(), Txs: len(w.book.txs), Birth: time.Unix(w.file.BirthTime, 0), Last: w.book.place,
		Scanning: w.scan.active, ScanSince: w.scan.since,
	}
	if info.Encrypted && w.key != nil {
		info.UnlockedUntil = w.until
	}
	for branch := range info.Ahead {
		info.Ahead[branch] = int(w.book.keys.end[branch] - w.book.keys.next[branch])
	}
	if done, all := w.scan.at-w.scan.from, w.scan.to-w.scan.from; w.scan.active && all > 0 {
		info.ScanProgress = min(1, max(0, float64(done)/float64(all)))
	}
	return info
}

// Balance returns what the wallet holds at the chain's tip. Trusted coins count from minConf confirmations on.
func (w *Wallet) Balance(ctx context.Context, minConf int32) (ledger.WalletBalance, error) {
	var b ledger.WalletBalance
	err := w.look(ctx, func(v *view) { b = v.balance(minConf) })
	return b, err
}

// Coins returns all unspent outputs of the wallet, the oldest first.
func (w *Wallet) Coins(ctx context.Context) ([]ledger.WalletCoin, error) {
	var coins []ledger.WalletCoin
	err := w.look(ctx, func(v *view) { coins = v.coins() })
	return coins, err
}

// History returns the newest transactions of the wallet, at most so many, the newest first.
func (w *Wallet) History(ctx context.Context, most int) ([]ledger.WalletTx, error) {
	var txs []ledger.WalletTx
	err := w.look(ctx, func(v *view) {
		list := v.sorted()
		for i := len(list) - 1; i >= 0 && len(txs) < most; i-- {
			txs = append(txs, v.transaction(list[i]))
		}
	})
	return txs, err
}

// Transaction returns a transaction of the wallet, or ErrUnknownTx.
func (w *Wallet) Transaction(ctx context.Context, id chainhash.Hash) (ledger.WalletTx, error) {
	var tx ledger.WalletTx
	found := false
	err := w.look(ctx, func(v *view) {
		if r := v.txs[id]; r != nil {
			tx, found = v.transaction(r), true
		}
	})
	if err == nil && !found {
		err = ledger.ErrUnknownTx
	}
	return tx, err
}

// look brings the wallet to the tip, asks the pool, and shows both to f.
func (w *Wallet) look(ctx context.Context, f func(*view)) error {
	if err := w.Sync(ctx); err != nil {
		return err
	}
	pool := w.inPool()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ledger.ErrNoWallet
	}
	f(w.view(pool))
	return nil
}

// view shows the book beside what the pool has of it. The caller holds mu.
func (w *Wallet) view(pool map[chainhash.Hash]ledger.PoolEntry) *view {
	return &view{book: w.book, pool: pool, labels: w.file.Labels, trust: make(map[chainhash.Hash]bool)}
}

// label returns the label of a script.
func (v *view) label(script []byte) string { return v.labels[hex.EncodeToString(script)] }

// inPool asks the pool which of the wallet's waiting transactions it has.
func (w *Wallet) inPool() map[chainhash.Hash]ledger.PoolEntry {
	w.mu.Lock()
	waiting := w.book.waiting()
	ids := make([]chainhash.Hash, len(waiting))
	for i, r := range waiting {
		ids[i] = r.tx.TxID()
	}
	w.mu.Unlock()
	pool := make(map[chainhash.Hash]ledger.PoolEntry, len(ids))
	for _, id := range ids {
		if entry, ok := w.pool.Entry(id); ok {
			pool[id] = entry
		}
	}
	return pool
}

// Abandon gives up a transaction that is neither in a block nor in the pool, so that what it spends may be spent by another. It returns
// ErrUnknownTx or ErrNotAbandonable.
func (w *Wallet) Abandon(ctx context.Context, id chainhash.Hash) error {
	if err := w.Sync(ctx); err != nil {
		return err
	}
	pool := w.inPool()
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.book.txs[id]
	if r == nil {
		return ledger.ErrUnknownTx
	}
	if _, in := pool[id]; in || r.confirmed() || r.abandoned {
		return ledger.ErrNotAbandonable
	}
	for open := []*record{r}; len(open) > 0; {
		r := open[len(open)-1]
		open = open[:len(open)-1]
		if r.confirmed() || r.abandoned {
			continue
		}
		r.abandoned = true
		for _, child := range w.book.children(r) {
			open = append(open, w.book.txs[child])
		}
	}
	return w.saveState()
}

// Backup writes a copy of the wallet's keys to a file, over one that is there, as Bitcoin Core does, but never over a wallet. The chain gives the rest again.
func (w *Wallet) Backup(path string) error {
	to, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, disk.Bare(err))
	}
	own, err := os.Stat(w.dir)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil && os.SameFile(to, own) {
		return fmt.Errorf("%s is a wallet's file, choose another name", path)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	content, err := encodeKeys(w.file)
	if err != nil {
		return err
	}
	return disk.WriteFile(path, content)
}
