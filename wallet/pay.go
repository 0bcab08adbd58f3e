package wallet

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// rateFactor is how much more than the pool's minimum a payment offers if nobody says what it should.
const rateFactor = 2

// Send makes a payment, signs it and hands it to the pool. What the wallet or the pool refuses has not been sent and changes nothing: PaymentError,
// ErrWalletLocked, or the pool's error. The payment is on the wallet's disk before the pool sees it, so that a crash cannot make the wallet
// forget what it sent; it is announced again until it is in a block.
func (w *Wallet) Send(ctx context.Context, order ledger.WalletOrder) (ledger.WalletSent, error) {
	if err := w.Sync(ctx); err != nil {
		return ledger.WalletSent{}, err
	}
	info, pool := w.pool.Info(), w.inPool()
	least := max(info.MinFeeRate, info.RelayFee)
	rate := order.FeeRate
	if rate == 0 {
		rate = rateFactor * least
	}
	if rate < least {
		return ledger.WalletSent{}, refuse("Fee rate (%s sat/vB) is lower than the minimum fee rate setting (%s sat/vB)", perVByte(rate), perVByte(least))
	}
	sent, err := w.commit(order, rate, pool)
	if err != nil {
		return ledger.WalletSent{}, err
	}
	if _, err := w.pool.Add(ctx, sent.Tx); err != nil {
		if undo := w.takeBack(sent.Tx.TxID()); undo != nil {
			w.log.Error("Cannot forget a payment that the pool refused; abandon it", "txid", sent.Tx.TxID(), "err", undo)
		}
		return ledger.WalletSent{}, fmt.Errorf("send %v: %w", sent.Tx.TxID(), err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r, ok := w.book.txs[sent.Tx.TxID()]; ok {
		r.sending = false
	}
	return sent, nil
}

// perVByte writes a rate per 1000 vbytes in satoshis per vbyte, as Core does.
func perVByte(rate btcutil.Amount) string { return fmt.Sprintf("%d.%03d", rate/1000, rate%1000) }

// commit makes and signs a payment and takes it into the book, so that no other payment takes the same coins.
func (w *Wallet) commit(order ledger.WalletOrder, rate btcutil.Amount, pool map[chainhash.Hash]ledger.PoolEntry) (ledger.WalletSent, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ledger.WalletSent{}, ledger.ErrNoWallet
	}
	if w.key == nil {
		return ledger.WalletSent{}, ledger.ErrWalletLocked
	}
	_, change, err := w.book.keys.peek(ledger.ChangeBranch)
	if err != nil {
		return ledger.WalletSent{}, err
	}
	p, err := newPlan(order, rate, change)
	if err != nil {
		return ledger.WalletSent{}, err
	}
	coins := w.view(pool).coins()
	d, err := p.draw(spendable(coins, pool, false))
	if err != nil {
		d, err = p.draw(spendable(coins, pool, true)) // its error is the one that counts: it had more to choose from
	}
	if err != nil {
		return ledger.WalletSent{}, err
	}
	tx, err := d.sign(w.key)
	if err != nil {
		return ledger.WalletSent{}, err
	}
	if err := w.record(tx); err != nil {
		return ledger.WalletSent{}, err
	}
	w.book.txs[tx.TxID()].sending = true // or announceAgain may be faster, and the pool would refuse it as known
	return ledger.WalletSent{Tx: tx, Fee: d.fee}, nil
}

// record takes a payment of our own into the book and onto the disk. The caller holds mu.
func (w *Wallet) record(tx *consensus.Tx) error {
	if _, err := w.book.pending(tx, w.now()); err != nil {
		return err
	}
	w.book.txs[tx.TxID()].own = true
	if err := w.saveState(); err != nil {
		w.book.forget(tx.TxID())
		return err
	}
	return nil
}

// takeBack forgets a payment that the pool refused.
func (w *Wallet) takeBack(id chainhash.Hash) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.book.forget(id)
	return w.saveState()
}

// Sign signs those inputs of msg, in place, that spend outputs of the wallet, and returns what stays unsatisfied. Coins has what is known of
// the outputs that are not the wallet's.
func (w *Wallet) Sign(ctx context.Context, msg *wire.MsgTx, coins consensus.Coins, kind txscript.SigHashType) ([]ledger.UnsignedInput, error) {
	if err := w.Sync(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.key == nil {
		return nil, ledger.ErrWalletLocked
	}
	known := make(prevouts, len(msg.TxIn))
	for _, in := range msg.TxIn {
		op := in.PreviousOutPoint
		if out := w.book.output(op); out != nil {
			known[op] = consensus.Coin{Value: btcutil.Amount(out.Value), PkScript: out.PkScript}
		} else if coin, ok := coins[op]; ok {
			known[op] = coin
		}
	}
	return signRaw(msg, w.book.keys, w.key, known, kind)
}
