package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Errors of wallets that say what the caller has to do next.
var (
	ErrNoWallet          = errors.New("wallet is not loaded")
	ErrNoWalletFile      = errors.New("there is no such wallet file")
	ErrWalletExists      = errors.New("there is a wallet file of this name")
	ErrWalletLoaded      = errors.New("wallet is loaded already")
	ErrWalletDamaged     = errors.New("wallet file is damaged")
	ErrWalletName        = errors.New("not a name for a wallet")
	ErrWalletLocked      = errors.New("wallet is locked")
	ErrWalletEncrypted   = errors.New("wallet has a passphrase")
	ErrWalletUnencrypted = errors.New("wallet has no passphrase")
	ErrWalletBusy        = errors.New("wallet is being rescanned")
	ErrPassphrase        = errors.New("wrong passphrase")
	ErrWords             = errors.New("not the words of a wallet")
	ErrNotAbandonable    = errors.New("transaction is in a block, in the pool or abandoned already")
)

// NewWallet says how a wallet is to be made.
type NewWallet struct {
	Passphrase string // none if empty
	Words      string // of a wallet that is to come back; new ones are drawn if empty
	Startup    bool   // load it whenever the node starts
}

// PaymentError says why a wallet cannot make a payment. Nothing has been sent and nothing has changed.
type PaymentError struct{ Reason string }

// Error returns the reason, in Bitcoin Core's words where it has any.
func (e PaymentError) Error() string { return e.Reason }

// WalletPath is the place of a key in a wallet: m/84'/coin'/0'/Branch/Index (BIP84).
type WalletPath struct {
	Branch uint32 // ReceiveBranch or ChangeBranch
	Index  uint32
}

// The branches of a wallet's keys.
const (
	ReceiveBranch = 0 // addresses that are handed out
	ChangeBranch  = 1 // addresses that take the rest of a payment
)

// WalletKey is what is known of an address of a wallet.
type WalletKey struct {
	Path        WalletPath
	PkScript    []byte
	PubKey      []byte
	Origin      string // the path from the master key, as m/84h/0h/0h/0/5
	Fingerprint string // of the master key, 8 hex digits (BIP32)
	Descriptor  string // of this address, without its checksum
	Parent      string // of its branch, with the extended public key, without its checksum
	Label       string
	Born        time.Time // nothing was paid to the wallet before
}

// WalletInfo describes a wallet as a whole.
type WalletInfo struct {
	Name          string
	Encrypted     bool
	UnlockedUntil time.Time // zero while locked
	Txs           int
	Ahead         [2]int // addresses per branch that are watched and not handed out yet
	Birth         time.Time
	Last          Ref       // the place up to which it has followed the chain
	Scanning      bool      // far behind, and catching up
	ScanSince     time.Time // while scanning
	ScanProgress  float64   // while scanning: 0 to 1
}

// WalletBalance is what a wallet holds, coins of each kind in one sum.
type WalletBalance struct {
	Trusted  btcutil.Amount // in blocks, or change of its own that waits for one
	Pending  btcutil.Amount // from others, waits for a block
	Immature btcutil.Amount // coinbase of fewer than 100 blocks ago
}

// WalletCoin is an unspent output of a wallet.
type WalletCoin struct {
	OutPoint      wire.OutPoint
	Value         btcutil.Amount
	PkScript      []byte
	Path          WalletPath
	Label         string
	Confirmations int32
	Coinbase      bool
	Mature        bool // may be spent by the next block
	Trusted       bool // in a block, or our own change
}

// WalletTx is a transaction that pays to or from a wallet, as that wallet sees it.
type WalletTx struct {
	Tx            *consensus.Tx
	Block         Ref // zero Hash while it waits for a block
	BlockIndex    int
	BlockTime     time.Time
	Confirmations int32     // minus those of the block that has a conflicting transaction; 0 while it waits
	Seen          time.Time // when the wallet met it first
	Coinbase      bool
	Trusted       bool
	InPool        bool
	Abandoned     bool
	FromMe        bool
	Conflicts     []chainhash.Hash // other transactions of the wallet that spend the same coins
	Net           btcutil.Amount   // what it changed, the fee left out
	Fee           btcutil.Amount   // what it paid, zero or below; only if FromMe
	Parts         []WalletPart
}

// WalletPart is one line of a WalletTx: an output that was paid or received.
type WalletPart struct {
	Category string // send, receive, generate, immature or orphan
	Vout     uint32
	Amount   btcutil.Amount // below zero for send
	PkScript []byte
	Label    string
}

// WalletPayment is an output that a wallet is asked to pay.
type WalletPayment struct {
	PkScript []byte
	Amount   btcutil.Amount
	LessFee  bool // the fee is taken out of it
}

// WalletOrder says what a wallet is to send and how.
type WalletOrder struct {
	Payments []WalletPayment
	FeeRate  btcutil.Amount // per 1000 vbytes; 0 for the wallet's own choice
	Final    bool           // not to be replaced by one that pays more (BIP125)
}

// WalletSent is a payment that was made.
type WalletSent struct {
	Tx  *consensus.Tx
	Fee btcutil.Amount
}

// UnsignedInput is an input that nothing satisfies yet, and why.
type UnsignedInput struct {
	Index  int
	Reason string
}

// String returns the path below the account, as 0/5.
func (p WalletPath) String() string { return fmt.Sprintf("%d/%d", p.Branch, p.Index) }
