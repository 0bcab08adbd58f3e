package rpc

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"

	"groat/internal/address"
	"groat/internal/ledger"
)

// maxUnlock is the longest time that a wallet stays unlocked. Longer ones become it, as in Core.
const maxUnlock = 100_000_000 * time.Second

func (a *api) walletKeyMethods() []Method {
	kind := Arg{Name: "address_type", Type: ArgString, Default: "bech32", Help: `The address type to use. The only one is "bech32".`}
	return []Method{
		{
			Name: "getnewaddress", Run: a.inWallet(a.getNewAddress),
			Args: []Arg{{Name: "label", Type: ArgString, Default: `""`, Help: "The label name for the address to be linked to."}, kind},
			Help: "Returns a new address for receiving payments.", Result: `"address"`,
		},
		{Name: "getrawchangeaddress", Run: a.inWallet(a.getRawChangeAddress), Args: []Arg{kind}, Help: "Returns a new address for receiving change.", Result: `"address"`},
		{
			Name: "getaddressinfo", Run: a.inWallet(a.getAddressInfo),
			Args: []Arg{{Name: "address", Type: ArgString, Required: true, Help: "The address for which to get information."}},
			Help: "Return information about the given address. Some of it only if the address is the wallet's.", Result: "{...}",
		},
		{
			Name: "exportwords", Run: a.inWallet(a.exportWords),
			Args: []Arg{{Name: "passphrase", Type: ArgString, Help: "The wallet's passphrase, if it has one, whether it is unlocked or not."}},
			Help: "Returns the words that all keys of the wallet follow from (BIP39). Whoever knows them has the money: write them on paper.\n" +
				"This method is not one of Bitcoin Core's.",
			Result: "{words, path}",
		},
	}
}

func (a *api) walletLockMethods() []Method {
	passphrase := func(name, help string) Arg { return Arg{Name: name, Type: ArgString, Required: true, Help: help} }
	return []Method{
		{
			Name: "walletpassphrase", Run: a.inWallet(a.walletPassphrase),
			Args: []Arg{
				passphrase("passphrase", "The wallet passphrase"),
				{Name: "timeout", Type: ArgInt64, Required: true, Help: "The time to keep the decryption key in seconds; at most 100000000."},
			},
			Help: "Lets the wallet sign for a time. Called again it counts anew.", Result: "null",
		},
		{Name: "walletlock", Run: a.inWallet(a.walletLock), Help: "Removes the wallet's keys from memory.", Result: "null"},
		{
			Name: "walletpassphrasechange", Run: a.inWallet(a.walletPassphraseChange),
			Args: []Arg{passphrase("oldpassphrase", "The current passphrase"), passphrase("newpassphrase", "The new passphrase")},
			Help: "Changes the wallet passphrase.", Result: "null",
		},
		{
			Name: "encryptwallet", Run: a.inWallet(a.encryptWallet), Args: []Arg{passphrase("passphrase", "The pass phrase to encrypt the wallet with.")},
			Help: "Encrypts the wallet. Its words and addresses stay the same.", Result: `"text"`,
		},
	}
}

// addressType refuses the types that argument i may ask for and that these wallets have not.
func (c *Call) addressType(i int) error {
	switch kind := c.StringOr(i, "bech32"); kind {
	case "bech32":
		return nil
	case "legacy", "p2sh-segwit", "bech32m":
		return errorf(CodeKeypool, "Error: No %s addresses available.", kind)
	default:
		return errorf(CodeNotFound, "Unknown address type '%s'", kind)
	}
}

func (a *api) getNewAddress(_ context.Context, w Wallet, c *Call) (any, error) {
	if c.String(0) == "*" {
		return nil, errorf(CodeLabel, "Invalid label name")
	}
	if err := c.addressType(1); err != nil {
		return nil, err
	}
	return a.newAddress(w, ledger.ReceiveBranch, c.String(0))
}

func (a *api) getRawChangeAddress(_ context.Context, w Wallet, c *Call) (any, error) {
	if err := c.addressType(0); err != nil {
		return nil, err
	}
	return a.newAddress(w, ledger.ChangeBranch, "")
}

// newAddress hands out an address.
func (a *api) newAddress(w Wallet, branch uint32, label string) (any, error) {
	script, err := w.Address(branch, label)
	if err != nil {
		return nil, err
	}
	text, _ := a.addressOf(script) // P2WPKH has one
	return text, nil
}

// ownAddressJSON is the answer of getaddressinfo.
type ownAddressJSON struct {
	Address     string    `json:"address"`
	Script      hexBytes  `json:"scriptPubKey"`
	Mine        bool      `json:"ismine"`
	Solvable    bool      `json:"solvable"`
	Desc        string    `json:"desc,omitempty"`
	Parent      string    `json:"parent_desc,omitempty"`
	WatchOnly   bool      `json:"iswatchonly"`
	IsScript    *bool     `json:"isscript,omitempty"`
	IsWitness   bool      `json:"iswitness"`
	Version     *int      `json:"witness_version,omitempty"`
	Program     *hexBytes `json:"witness_program,omitempty"`
	PubKey      hexBytes  `json:"pubkey,omitempty"`
	Change      bool      `json:"ischange"`
	Timestamp   int64     `json:"timestamp,omitempty"`
	Path        string    `json:"hdkeypath,omitempty"`
	Fingerprint string    `json:"hdmasterfingerprint,omitempty"`
	Labels      []string  `json:"labels"`
}

func (a *api) getAddressInfo(_ context.Context, w Wallet, c *Call) (any, error) {
	script, err := address.Decode(a.Params, c.String(0))
	if err != nil {
		return nil, errorf(CodeNotFound, "%v", err)
	}
	text, _ := a.addressOf(script) // it came from one
	j := ownAddressJSON{Address: text, Script: script, Labels: []string{}}
	if kind, _ := classify(script); kind != typeUnknown {
		isScript := kind != typePubKeyHash && kind != typeKeyHashV0
		j.IsScript = &isScript
	}
	if version, program, err := txscript.ExtractWitnessProgramInfo(script); err == nil {
		shown := hexBytes(program)
		j.IsWitness, j.Version, j.Program = true, &version, &shown
	}
	key, mine := w.Key(script)
	if !mine {
		return j, nil
	}
	j.Mine, j.Solvable = true, true
	j.Desc, j.Parent = withChecksum(key.Descriptor), withChecksum(key.Parent)
	j.PubKey, j.Change, j.Timestamp = key.PubKey, key.Path.Branch == ledger.ChangeBranch, key.Born.Unix()
	j.Path, j.Fingerprint = key.Origin, key.Fingerprint
	if !j.Change {
		j.Labels = append(j.Labels, key.Label)
	}
	return j, nil
}

func (a *api) exportWords(_ context.Context, w Wallet, c *Call) (any, error) {
	if w.Info().Encrypted && !c.Has(0) {
		return nil, ledger.ErrWalletLocked
	}
	words, err := w.Words(c.String(0))
	if err != nil {
		return nil, err
	}
	return struct {
		Words string `json:"words"`
	}{words}, nil
}

// wrongState is Core's error for a method that does not fit whether the wallet is encrypted.
func wrongState(w Wallet, encrypted bool, method string) error {
	if w.Info().Encrypted == encrypted {
		return nil
	}
	state := "unencrypted"
	if !encrypted {
		state = "encrypted"
	}
	return errorf(CodeEncryptionState, "Error: running with an %s wallet, but %s was called.", state, method)
}

func (a *api) walletPassphrase(_ context.Context, w Wallet, c *Call) (any, error) {
	if err := wrongState(w, true, "walletpassphrase"); err != nil {
		return nil, err
	}
	seconds := c.Int(1)
	switch {
	case seconds < 0:
		return nil, errorf(CodeInvalidParameter, "Timeout cannot be negative.")
	case c.String(0) == "":
		return nil, errorf(CodeInvalidParameter, "passphrase cannot be empty")
	}
	return nil, w.Unlock(c.String(0), time.Duration(min(seconds, int64(maxUnlock/time.Second)))*time.Second)
}

func (a *api) walletLock(_ context.Context, w Wallet, _ *Call) (any, error) {
	if err := wrongState(w, true, "walletlock"); err != nil {
		return nil, err
	}
	return nil, w.Lock()
}

func (a *api) walletPassphraseChange(_ context.Context, w Wallet, c *Call) (any, error) {
	if err := wrongState(w, true, "walletpassphrasechange"); err != nil {
		return nil, err
	}
	if c.String(0) == "" || c.String(1) == "" {
		return nil, errorf(CodeInvalidParameter, "passphrase cannot be empty")
	}
	return nil, w.ChangePassphrase(c.String(0), c.String(1))
}

func (a *api) encryptWallet(_ context.Context, w Wallet, c *Call) (any, error) {
	if err := wrongState(w, false, "encryptwallet"); err != nil {
		return nil, err
	}
	if c.String(0) == "" {
		return nil, errorf(CodeInvalidParameter, "passphrase cannot be empty")
	}
	if err := w.Encrypt(c.String(0)); err != nil {
		return nil, errorf(CodeEncryption, "Error: Failed to encrypt the wallet: %v", err)
	}
	return "wallet encrypted; Its words and addresses are still the same. Backups made before are not encrypted: make a new one.", nil
}
