package wallet

import (
	"time"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"

	"groat/internal/ledger"
)

// unseal derives the account's private key. The caller holds mu, or nobody else knows w yet.
func (w *Wallet) unseal(passphrase string) error {
	key, err := w.accountKey(passphrase)
	if err != nil {
		return err
	}
	w.forgetKey()
	w.key = key
	return nil
}

// accountKey opens the secret and derives the account's private key from it, which must be the one whose addresses the wallet gives out:
// a file whose public key was exchanged would collect money for somebody else.
func (w *Wallet) accountKey(passphrase string) (*hdkeychain.ExtendedKey, error) {
	e, err := w.file.Secret.open(passphrase, w.file.belongs())
	if err != nil {
		return nil, err
	}
	key, fingerprint, err := accountKey(w.params, e)
	if err != nil {
		return nil, err
	}
	public, err := neuter(w.params, key)
	if err != nil {
		return nil, err
	}
	if acct := w.book.keys.account; public.String() != acct.public.String() || fingerprint != acct.fingerprint {
		return nil, ledger.ErrWalletDamaged
	}
	return key, nil
}

// forgetKey wipes the private key and the clock that would have. The caller holds mu.
func (w *Wallet) forgetKey() {
	if w.key != nil {
		w.key.Zero()
		w.key = nil
	}
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// Unlock lets the wallet sign for a time. It returns ErrPassphrase or ErrWalletUnencrypted.
func (w *Wallet) Unlock(passphrase string, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ledger.ErrNoWallet
	}
	if !w.file.Secret.sealed() {
		return ledger.ErrWalletUnencrypted
	}
	if err := w.unseal(passphrase); err != nil {
		return err
	}
	w.until = time.Now().Add(d)
	w.timer = time.AfterFunc(d, w.expire)
	return nil
}

// expire locks the wallet if its time is over: it may have been unlocked again meanwhile.
func (w *Wallet) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil && !time.Now().Before(w.until) {
		w.forgetKey()
	}
}

// Lock ends the time in which the wallet signs. It returns ErrWalletUnencrypted if it has no passphrase.
func (w *Wallet) Lock() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.file.Secret.sealed() {
		return ledger.ErrWalletUnencrypted
	}
	w.forgetKey()
	return nil
}

// Encrypt gives a wallet its first passphrase and locks it. Keys, words and addresses stay what they are. It returns ErrWalletEncrypted if it has one.
func (w *Wallet) Encrypt(passphrase string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ledger.ErrNoWallet
	}
	if w.file.Secret.sealed() {
		return ledger.ErrWalletEncrypted
	}
	if err := w.reseal("", passphrase); err != nil {
		return err
	}
	w.forgetKey()
	return nil
}

// ChangePassphrase replaces the passphrase. It returns ErrPassphrase or ErrWalletUnencrypted.
func (w *Wallet) ChangePassphrase(from, to string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ledger.ErrNoWallet
	}
	if !w.file.Secret.sealed() {
		return ledger.ErrWalletUnencrypted
	}
	return w.reseal(from, to)
}

// reseal writes the secret under another passphrase. If that fails the old one holds. The caller holds mu.
func (w *Wallet) reseal(from, to string) error {
	e, err := w.file.Secret.open(from, w.file.belongs())
	if err != nil {
		return err
	}
	before := w.file.Secret
	if w.file.Secret, err = seal(e, to, w.file.belongs(), w.cost); err == nil {
		err = w.saveKeys()
	}
	if err != nil {
		w.file.Secret = before
	}
	return err
}

// Words returns the words that the whole wallet follows from. The passphrase is needed if the wallet has one, unlocked or not.
func (w *Wallet) Words(passphrase string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e, err := w.file.Secret.open(passphrase, w.file.belongs())
	if err != nil {
		return "", err
	}
	return e.words()
}
