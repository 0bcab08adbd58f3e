package wallet

import (
	"context"
	"errors"
	"fmt"

	"groat/consensus"
	"groat/internal/ledger"
)

const (
	pathStep  = 200  // blocks asked for at once
	poolStep  = 1000 // transactions asked for at once
	saveEvery = 2000 // blocks without a transaction of ours between two writes of the place
	farBehind = 500  // blocks; a wallet that lacks more is scanning, and nobody waits for it
)

// Sync brings the wallet to the tip of the chain and the arrivals of the pool. It returns at once, and without an error, while the wallet
// scans: that may take an hour.
func (w *Wallet) Sync(ctx context.Context) error {
	if w.Info().Scanning {
		return nil
	}
	return w.catchUp(ctx)
}

// catchUp is Sync for whoever does wait for a scan, because the scan is theirs to make.
func (w *Wallet) catchUp(ctx context.Context) error {
	if err := w.takeTurn(ctx); err != nil {
		return err
	}
	defer w.endTurn()
	return w.follow(ctx)
}

// takeTurn waits until nobody else follows the chain for this wallet.
func (w *Wallet) takeTurn(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Wallet) endTurn() { <-w.turn }

// follow walks from the wallet's place to the tip, and then through the pool. The caller has the turn.
func (w *Wallet) follow(ctx context.Context) error {
	defer w.setScan(scan{})
	moved := !w.announced // a node that was stopped has an empty pool
	for {
		at := w.Info().Last
		path, err := w.chain.Since(at.Hash, pathStep)
		if errors.Is(err, ledger.ErrUnknownBlock) {
			if err := w.restart(at); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("ask for the blocks after %d: %w", at.Height, err)
		}
		if len(path.Undo)+len(path.Connect) == 0 {
			break
		}
		moved = true
		w.noteScan(w.chain.Tip().Height)
		if err := w.walk(ctx, path); err != nil {
			return errors.Join(err, w.saveIfDirty())
		}
	}
	if moved {
		w.announceAgain(ctx)
		w.announced = true
	}
	return errors.Join(w.followPool(), w.saveIfDirty())
}

// restart puts the wallet back to where it can follow the chain from, because the chain does not know its place: another data directory or
// a ledger that was rebuilt. What it knows of transactions is kept; blocks will say it again.
func (w *Wallet) restart(lost ledger.Ref) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	birth := ledger.Ref(w.file.Birth)
	if genesis := (ledger.Ref{Hash: w.params.GenesisHash}); lost == birth {
		birth = genesis
		if lost == genesis {
			return fmt.Errorf("the chain does not know its own first block %v", lost.Hash)
		}
	}
	w.log.Warn("The chain does not know the block that the wallet has followed it to; looking through it again", "hash", lost.Hash, "from", birth.Height)
	for _, r := range w.book.txs {
		r.block, r.conflict = ledger.Ref{}, ledger.Ref{}
	}
	w.book.place, w.dirty = birth, true
	return nil
}

// noteScan says that the wallet scans if the tip is far away.
func (w *Wallet) noteScan(tip int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := w.book.place.Height; !w.scan.active && tip-at > farBehind {
		w.scan = scan{active: true, since: w.now(), from: at, at: at, to: tip}
		w.log.Info("Looking for the wallet's coins", "from", at, "to", tip)
	}
}

// setScan replaces what is said about a scan.
func (w *Wallet) setScan(s scan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.scan.active && !s.active {
		w.log.Info("Looked for the wallet's coins", "height", w.book.place.Height, "transactions", len(w.book.txs))
	}
	w.scan = s
}

// walk undoes and connects the blocks of a path.
func (w *Wallet) walk(ctx context.Context, path ledger.Path) error {
	for _, ref := range path.Undo {
		info, err := w.chain.Info(ref.Hash)
		if err != nil {
			return fmt.Errorf("undo block %d: %w", ref.Height, err)
		}
		parent := ledger.Ref{Hash: info.State.Header.PrevBlock, Height: ref.Height - 1}
		if err := w.step(func(b *book) (bool, error) { return b.disconnect(ref, parent), nil }); err != nil {
			return err
		}
	}
	for _, ref := range path.Connect {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		blk, err := w.chain.Block(ref.Hash)
		if err != nil {
			return fmt.Errorf("read block %d: %w", ref.Height, err)
		}
		err = w.step(func(b *book) (bool, error) {
			w.scan.at = ref.Height
			return b.connect(ref, blk)
		})
		if err != nil {
			return fmt.Errorf("look through block %d: %w", ref.Height, err)
		}
		if ref.Height-w.saved >= saveEvery {
			if err := w.save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// step lets f change the book. It returns ErrNoWallet once the wallet is being closed.
func (w *Wallet) step(f func(*book) (changed bool, err error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ledger.ErrNoWallet
	}
	changed, err := f(w.book)
	w.dirty = w.dirty || changed
	return err
}

// followPool looks through what came into the pool since the last time. The caller has the turn.
func (w *Wallet) followPool() error {
	for {
		txs, seq := w.pool.Since(w.poolSeq, poolStep)
		w.poolSeq = seq
		if len(txs) == 0 {
			return nil
		}
		for _, tx := range txs {
			if err := w.step(func(b *book) (bool, error) { return b.pending(tx, w.now()) }); err != nil {
				return err
			}
		}
	}
}

// announceAgain hands the wallet's own payments to the pool that are neither there nor in a block. Refusals are no news: another
// block may change them.
func (w *Wallet) announceAgain(ctx context.Context) {
	w.mu.Lock()
	var own []*consensus.Tx
	for _, r := range w.book.waiting() {
		if r.own && !r.sending {
			own = append(own, r.tx)
		}
	}
	w.mu.Unlock()
	for _, tx := range own {
		if _, in := w.pool.Entry(tx.TxID()); in {
			continue
		}
		if _, err := w.pool.Add(ctx, tx); err != nil {
			w.log.Debug("The pool does not take a payment of ours back", "txid", tx.TxID(), "err", err)
		}
	}
}

// save writes the state. The caller has the turn.
func (w *Wallet) save() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.saved = w.book.place.Height
	return w.saveState()
}

// saveIfDirty writes the state if it says something new beside the place. The caller has the turn.
func (w *Wallet) saveIfDirty() error {
	w.mu.Lock()
	dirty := w.dirty
	w.mu.Unlock()
	if !dirty {
		return nil
	}
	return w.save()
}

// Rescan looks through the blocks from one height to another, which may be -1 for the wallet's place, whatever the wallet knows of them. It returns the last
// height it looked at, or ErrWalletBusy if a scan is under way.
func (w *Wallet) Rescan(ctx context.Context, from, to int32) (int32, error) {
	if w.Info().Scanning {
		return 0, ledger.ErrWalletBusy
	}
	if err := w.takeTurn(ctx); err != nil {
		return 0, err
	}
	defer w.endTurn()
	if err := w.follow(ctx); err != nil {
		return 0, err
	}
	if last := w.Info().Last.Height; to < 0 || to > last {
		to = last
	}
	w.setScan(scan{active: true, since: w.now(), from: from, at: from, to: to})
	defer w.setScan(scan{})
	for height := max(from, 1); height <= to; height++ { // nobody can spend what the first block pays
		if ctx.Err() != nil {
			return height, ctx.Err()
		}
		hash, ok := w.chain.AtHeight(height)
		if !ok {
			break // the chain became shorter; following it comes next
		}
		if err := w.rescanBlock(ledger.Ref{Hash: hash, Height: height}); err != nil {
			return height, err
		}
	}
	return to, errors.Join(w.follow(ctx), w.saveIfDirty())
}

// rescanBlock looks through one block without moving.
func (w *Wallet) rescanBlock(ref ledger.Ref) error {
	blk, err := w.chain.Block(ref.Hash)
	if err != nil {
		return fmt.Errorf("read block %d: %w", ref.Height, err)
	}
	return w.step(func(b *book) (bool, error) {
		w.scan.at = ref.Height
		return b.scan(ref, blk)
	})
}

// Close writes what is not written and wipes the keys. The wallet answers nothing afterwards.
func (w *Wallet) Close() error {
	w.mu.Lock()
	was := w.closed
	w.closed = true // whoever follows the chain ends with the next step
	w.forgetKey()
	w.mu.Unlock()
	if was {
		return nil
	}
	w.turn <- struct{}{}
	defer w.endTurn()
	return w.save()
}
