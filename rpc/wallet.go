package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/address"
	"groat/internal/ledger"
)

// Wallets are the wallets of the node.
type Wallets interface {
	Create(name string, n ledger.NewWallet) error
	Load(name string, startup *bool) error
	Unload(name string, startup *bool) error
	Wallet(name string) (Wallet, error) // ledger.ErrNoWallet if it is not loaded
	Loaded() []string
	OnDisk() ([]string, error)
	Path(name string) string
}

// Wallet is one loaded wallet.
type Wallet interface {
	Name() string
	Info() ledger.WalletInfo
	Sync(ctx context.Context) error
	Rescan(ctx context.Context, from, to int32) (last int32, err error)

	Address(branch uint32, label string) (script []byte, err error)
	Key(script []byte) (ledger.WalletKey, bool)
	Words(passphrase string) (string, error)
	Backup(path string) error
	Unlock(passphrase string, d time.Duration) error
	Lock() error
	Encrypt(passphrase string) error
	ChangePassphrase(from, to string) error

	Balance(ctx context.Context, minConf int32) (ledger.WalletBalance, error)
	Coins(ctx context.Context) ([]ledger.WalletCoin, error)
	History(ctx context.Context, most int) ([]ledger.WalletTx, error)
	Transaction(ctx context.Context, id chainhash.Hash) (ledger.WalletTx, error)
	Abandon(ctx context.Context, id chainhash.Hash) error
	Send(ctx context.Context, order ledger.WalletOrder) (ledger.WalletSent, error)
	Sign(ctx context.Context, msg *wire.MsgTx, coins consensus.Coins, kind txscript.SigHashType) ([]ledger.UnsignedInput, error)
}

// codeDeprecated is Core's code for an argument that is no longer taken.
const codeDeprecated = -32

// walletMethods returns the methods of wallets.
func (a *api) walletMethods() []Method {
	var rows []Method
	for _, part := range [][]Method{
		a.walletFileMethods(), a.walletKeyMethods(), a.walletLockMethods(), a.walletCoinMethods(), a.walletTxMethods(), a.walletSendMethods(), a.walletSignMethods(),
	} {
		rows = append(rows, part...)
	}
	for i := range rows {
		rows[i].Category = "wallet"
	}
	return rows
}

// inWallet makes a handler of one that is about the wallet that the path names, or the only one that is loaded.
func (a *api) inWallet(f func(context.Context, Wallet, *Call) (any, error)) func(context.Context, *Call) (any, error) {
	return func(ctx context.Context, c *Call) (any, error) {
		w, err := a.walletOf(c)
		if err != nil {
			return nil, err
		}
		result, err := f(ctx, w, c)
		return result, walletError(err)
	}
}

// walletOf returns the wallet that a call is about.
func (a *api) walletOf(c *Call) (Wallet, error) {
	if c.HasWallet {
		w, err := a.Wallets.Wallet(c.Wallet)
		return w, walletError(err)
	}
	switch loaded := a.Wallets.Loaded(); len(loaded) {
	case 0:
		return nil, errorf(CodeWalletNotFound, "No wallet is loaded. Load a wallet using loadwallet or create a new one with createwallet. "+
			"(Note: A default wallet is no longer automatically created)")
	case 1:
		w, err := a.Wallets.Wallet(loaded[0])
		return w, walletError(err)
	}
	return nil, errorf(CodeWalletUnnamed, "Wallet file not specified (must request wallet RPC through /wallet/<filename> uri-path).")
}

// walletError puts what a wallet refuses into Core's codes and words.
func walletError(err error) error {
	var payment ledger.PaymentError
	var told Error
	switch {
	case err == nil || errors.As(err, &told):
		return err
	case errors.As(err, &payment):
		return errorf(CodeFunds, "%s", payment.Reason)
	case errors.Is(err, ledger.ErrNoWallet):
		return errorf(CodeWalletNotFound, "Requested wallet does not exist or is not loaded")
	case errors.Is(err, ledger.ErrWalletLocked):
		return errorf(CodeUnlockNeeded, "Error: Please enter the wallet passphrase with walletpassphrase first.")
	case errors.Is(err, ledger.ErrPassphrase):
		return errorf(CodePassphrase, "Error: The wallet passphrase entered was incorrect.")
	case errors.Is(err, ledger.ErrWalletBusy):
		return errorf(CodeWallet, "Wallet is currently rescanning. Abort existing rescan or wait.")
	case errors.Is(err, ledger.ErrUnknownTx):
		return errorf(CodeNotFound, "Invalid or non-wallet transaction id")
	case errors.Is(err, ledger.ErrWalletDamaged):
		return errorf(CodeWallet, "Wallet file is damaged: %v", err)
	}
	return poolError(err)
}

// unlocked refuses a wallet that would have to sign and cannot.
func unlocked(w Wallet) error {
	if info := w.Info(); info.Encrypted && info.UnlockedUntil.IsZero() {
		return ledger.ErrWalletLocked
	}
	return nil
}

// payTo returns the script of an address that an argument gives.
func (a *api) payTo(text string) ([]byte, error) {
	script, err := address.Decode(a.Params, text)
	var wrong address.Error
	switch {
	case errors.As(err, &wrong) && wrong.Networks != nil:
		return nil, errorf(CodeNotFound, "Invalid Bitcoin address: %s (%v)", text, err)
	case err != nil:
		return nil, errorf(CodeNotFound, "Invalid Bitcoin address: %s", text)
	}
	return script, nil
}

// placeJSON is a block as wallets tell how far they have come.
type placeJSON struct {
	Hash   string `json:"hash"`
	Height int32  `json:"height"`
}

// lastProcessed returns how far a wallet has come.
func lastProcessed(w Wallet) placeJSON {
	last := w.Info().Last
	return placeJSON{last.Hash.String(), last.Height}
}
