package rpc

import (
	"context"
	"errors"
	"math"
	"time"

	"groat/internal/ledger"
)

// walletVersion is what Core says of every wallet since 0.17.
const walletVersion = 169900

func (a *api) walletFileMethods() []Method {
	startup := Arg{
		Name: "load_on_startup", Type: ArgBool, Default: "null",
		Help: "True to add this wallet to those that are loaded when the node starts, false to remove it, null to leave that as it is.",
	}
	name := Arg{Name: "wallet_name", Type: ArgString, Required: true, Help: "The name of the wallet, which is the name of its file without .wallet."}
	flag := func(name, help string) Arg { return Arg{Name: name, Type: ArgBool, Default: "false", Help: help} }
	return []Method{
		{
			Name: "createwallet", Run: a.createWallet,
			Args: []Arg{
				name, flag("disable_private_keys", "Not supported."), flag("blank", "Not supported."),
				{Name: "passphrase", Type: ArgString, Help: "Encrypt the wallet with this passphrase."},
				flag("avoid_reuse", "Not supported."),
				{Name: "descriptors", Type: ArgBool, Default: "true", Help: "Must be true."},
				startup, flag("external_signer", "Not supported."),
			},
			Help: "Creates and loads a new wallet. Its keys follow from twelve words, which exportwords shows: write them down.", Result: "{name, warnings}",
		},
		{
			Name: "restorewords", Run: a.restoreWords,
			Args: []Arg{
				name,
				{Name: "words", Type: ArgString, Required: true, Help: "12, 15, 18, 21 or 24 words of BIP39 with spaces between them."},
				{Name: "passphrase", Type: ArgString, Help: "Encrypt the wallet with this passphrase. It is not part of the words."},
				startup,
			},
			Help: "Brings a wallet back from its words and loads it. It looks through the whole chain for its coins; getwalletinfo says how far it is.\n" +
				"This method is not one of Bitcoin Core's.",
			Result: "{name, warnings}",
		},
		{Name: "loadwallet", Run: a.loadWallet, Args: []Arg{{Name: "filename", Type: ArgString, Required: true, Help: name.Help}, startup}, Help: "Loads a wallet from its file.", Result: "{name, warnings}"},
		{
			Name: "unloadwallet", Run: a.unloadWallet,
			Args: []Arg{{Name: "wallet_name", Type: ArgString, Default: "the wallet that the path names", Help: name.Help}, startup},
			Help: "Unloads a wallet.", Result: "{warnings}",
		},
		{
			Name: "listwallets", Help: "Returns the names of the loaded wallets.", Result: `["name", ...]`,
			Run: func(context.Context, *Call) (any, error) { return a.Wallets.Loaded(), nil },
		},
		{Name: "listwalletdir", Run: a.listWalletDir, Help: "Returns the wallets in the wallet directory.", Result: "{wallets: [{name}, ...]}"},
		{Name: "getwalletinfo", Run: a.inWallet(a.getWalletInfo), Help: "Returns various wallet state info.", Result: "{...}"},
		{
			Name: "backupwallet", Run: a.inWallet(a.backupWallet),
			Args: []Arg{{Name: "destination", Type: ArgString, Required: true, Help: "The file to write. It must not exist."}},
			Help: "Copies the wallet's keys to a file.", Result: "null",
		},
		{
			Name: "rescanblockchain", Run: a.inWallet(a.rescanBlockchain),
			Args: []Arg{
				{Name: "start_height", Type: ArgInt, Default: "0", Help: "Block height where the rescan should start"},
				{Name: "stop_height", Type: ArgInt, Default: "the tip", Help: "The last block height that should be scanned"},
			},
			Help: "Looks through blocks again for transactions of the wallet.", Result: "{start_height, stop_height}",
		},
	}
}

// loadedJSON is the answer of the methods that load a wallet.
type loadedJSON struct {
	Name     string   `json:"name"`
	Warnings []string `json:"warnings,omitempty"`
}

// startup returns argument i, whether to load the wallet with the node; nil if the caller does not say.
func (c *Call) startup(i int) *bool {
	if !c.Has(i) {
		return nil
	}
	yes := c.BoolOr(i, false)
	return &yes
}

func (a *api) createWallet(_ context.Context, c *Call) (any, error) {
	for _, unsupported := range []struct {
		asked bool
		text  string
	}{
		{c.BoolOr(1, false), "Wallets without private keys are not supported"},
		{c.BoolOr(2, false), "Blank wallets are not supported"},
		{c.BoolOr(4, false), "The avoid_reuse flag is not supported"},
		{!c.BoolOr(5, true), "Compiled without bdb support (required for legacy wallets)"},
		{c.BoolOr(7, false), "Compiled without external signing support (required for external signing)"},
	} {
		if unsupported.asked {
			return nil, errorf(CodeWallet, "%s", unsupported.text)
		}
	}
	result := loadedJSON{Name: c.String(0)}
	if c.Has(3) && c.String(3) == "" {
		result.Warnings = append(result.Warnings, "Empty string given as passphrase, wallet will not be encrypted.")
	}
	err := a.Wallets.Create(c.String(0), ledger.NewWallet{Passphrase: c.String(3), Startup: c.BoolOr(6, false)})
	return result, a.fileError(c.String(0), err)
}

func (a *api) restoreWords(_ context.Context, c *Call) (any, error) {
	if c.String(1) == "" {
		return nil, errorf(CodeInvalidParameter, "words cannot be empty")
	}
	err := a.Wallets.Create(c.String(0), ledger.NewWallet{Words: c.String(1), Passphrase: c.String(2), Startup: c.BoolOr(3, false)})
	if errors.Is(err, ledger.ErrWords) {
		return nil, errorf(CodeNotFound, "Invalid words: %v", err)
	}
	return loadedJSON{Name: c.String(0)}, a.fileError(c.String(0), err)
}

func (a *api) loadWallet(ctx context.Context, c *Call) (any, error) {
	name := c.String(0)
	if err := a.Wallets.Load(name, c.startup(1)); err != nil {
		return nil, a.fileError(name, err)
	}
	w, err := a.Wallets.Wallet(name)
	if err != nil {
		return nil, walletError(err) // unloaded by another call meanwhile
	}
	return loadedJSON{Name: name}, walletError(w.Sync(ctx))
}

// fileError puts what is wrong with a wallet file into Core's codes and words.
func (a *api) fileError(name string, err error) error {
	const verify = "Wallet file verification failed. "
	switch {
	case errors.Is(err, ledger.ErrWalletLoaded):
		return errorf(CodeWalletLoaded, "Wallet \"%s\" is already loaded.", name)
	case errors.Is(err, ledger.ErrWalletExists):
		return errorf(CodeWallet, verify+"Failed to create database path '%s'. Database already exists.", a.Wallets.Path(name))
	case errors.Is(err, ledger.ErrWalletName) && !errors.Is(err, ledger.ErrNoWalletFile):
		return errorf(CodeWallet, verify+"A wallet's name has 1 to 64 bytes, begins not with a dot, and has no character that a file name on some system must not have")
	case errors.Is(err, ledger.ErrNoWalletFile):
		return errorf(CodeWalletNotFound, verify+"Failed to load database path '%s'. Path does not exist.", a.Wallets.Path(name))
	case err != nil:
		return errorf(CodeWallet, verify+"%v", err)
	}
	return nil
}

func (a *api) unloadWallet(_ context.Context, c *Call) (any, error) {
	name := c.Wallet
	switch {
	case !c.HasWallet:
		given, err := c.Value(0).AsString()
		if err != nil {
			return nil, err
		}
		name = given
	case c.Has(0) && c.String(0) != name:
		return nil, errorf(CodeInvalidParameter, "RPC endpoint wallet and wallet_name parameter specify different wallets")
	}
	return struct{}{}, walletError(a.Wallets.Unload(name, c.startup(1)))
}

func (a *api) listWalletDir(context.Context, *Call) (any, error) {
	names, err := a.Wallets.OnDisk()
	if err != nil {
		return nil, err
	}
	list := make([]loadedJSON, len(names))
	for i, name := range names {
		list[i].Name = name
	}
	return struct {
		Wallets []loadedJSON `json:"wallets"`
	}{list}, nil
}

// walletInfoJSON is the answer of getwalletinfo.
type walletInfoJSON struct {
	Name          string    `json:"walletname"`
	Version       int       `json:"walletversion"`
	Format        string    `json:"format"`
	Balance       Amount    `json:"balance"`
	Unconfirmed   Amount    `json:"unconfirmed_balance"`
	Immature      Amount    `json:"immature_balance"`
	Txs           int       `json:"txcount"`
	KeyPool       int       `json:"keypoolsize"`
	KeyPoolChange int       `json:"keypoolsize_hd_internal"`
	UnlockedUntil *int64    `json:"unlocked_until,omitempty"`
	PayTxFee      Amount    `json:"paytxfee"`
	PrivateKeys   bool      `json:"private_keys_enabled"`
	AvoidReuse    bool      `json:"avoid_reuse"`
	Scanning      any       `json:"scanning"`
	Descriptors   bool      `json:"descriptors"`
	External      bool      `json:"external_signer"`
	Blank         bool      `json:"blank"`
	Birth         int64     `json:"birthtime"`
	Last          placeJSON `json:"lastprocessedblock"`
}

// scanJSON says how far a scan has come.
type scanJSON struct {
	Duration int64 `json:"duration"`
	Progress Float `json:"progress"`
}

func (a *api) getWalletInfo(ctx context.Context, w Wallet, _ *Call) (any, error) {
	balance, err := w.Balance(ctx, 0)
	if err != nil {
		return nil, err
	}
	info := w.Info()
	j := walletInfoJSON{
		Name: info.Name, Version: walletVersion, Format: "groat",
		Balance: Amount(balance.Trusted), Unconfirmed: Amount(balance.Pending), Immature: Amount(balance.Immature), Txs: info.Txs,
		KeyPool: info.Ahead[ledger.ReceiveBranch], KeyPoolChange: info.Ahead[ledger.ChangeBranch],
		PrivateKeys: true, Scanning: false, Descriptors: true, Birth: info.Birth.Unix(), Last: placeJSON{info.Last.Hash.String(), info.Last.Height},
	}
	if info.Encrypted {
		until := int64(0)
		if !info.UnlockedUntil.IsZero() {
			until = info.UnlockedUntil.Unix()
		}
		j.UnlockedUntil = &until
	}
	if info.Scanning {
		j.Scanning = scanJSON{int64(a.now().Sub(info.ScanSince) / time.Second), Float(info.ScanProgress)}
	}
	return j, nil
}

func (a *api) backupWallet(_ context.Context, w Wallet, c *Call) (any, error) {
	if err := w.Backup(c.String(0)); err != nil {
		return nil, errorf(CodeWallet, "Error: Wallet backup failed! %v", err)
	}
	return nil, nil
}

func (a *api) rescanBlockchain(ctx context.Context, w Wallet, c *Call) (any, error) {
	tip := int64(a.Chain.Tip().Height)
	start, stop := c.Int(0), c.IntOr(1, -1)
	switch {
	case start < 0 || start > tip:
		return nil, errorf(CodeInvalidParameter, "Invalid start_height")
	case c.Has(1) && (stop < 0 || stop > math.MaxInt32 || stop > tip):
		return nil, errorf(CodeInvalidParameter, "Invalid stop_height")
	case c.Has(1) && stop < start:
		return nil, errorf(CodeInvalidParameter, "stop_height must be greater than start_height")
	}
	if max(start, 1) < int64(a.Chain.Pruning().Height) { // the first block pays to nobody
		return nil, errorf(CodeMisc, "Can't rescan beyond pruned data. Use RPC call getblockchaininfo to determine your pruned height.")
	}
	var last int32
	var err error
	c.Idle(func() { last, err = w.Rescan(ctx, int32(start), int32(stop)) })
	return struct {
		Start int64 `json:"start_height"`
		Stop  int32 `json:"stop_height"`
	}{start, last}, err
}
