package wallet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"groat/consensus"
	"groat/internal/disk"
	"groat/internal/ledger"
)

// maxNameLen bounds a wallet's name, in bytes.
const maxNameLen = 64

// Options says where wallets are and what they follow.
type Options struct {
	Dir    string // of the wallet files; made if it is missing
	Params *consensus.Params
	Chain  Chain
	Pool   Pool
	Now    func() time.Time
	Log    *slog.Logger

	cost cost // of a passphrase; zero for the default
}

// Wallets are the wallets of a node. All methods may be called from any goroutine.
type Wallets struct {
	options Options // set once

	news chan struct{} // holds a token when a wallet was loaded that Run has not seen yet

	mu     sync.Mutex // guards loaded; held while files are read and written, never while calling the chain or the pool
	loaded map[string]*Wallet
}

// Open loads the wallets that are to be loaded at start. One that cannot be loaded is logged and left out: it should not keep a
// node from running.
func Open(o Options) (*Wallets, error) {
	if o.cost == (cost{}) {
		o.cost = defaultCost()
	}
	if err := disk.MakeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("make the directory of the wallets: %w", err)
	}
	ws := &Wallets{options: o, news: make(chan struct{}, 1), loaded: make(map[string]*Wallet)}
	names, err := ws.OnDisk()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := ws.loadAtStart(name); err != nil {
			o.Log.Error("Cannot open a wallet", "wallet", name, "err", err)
		}
	}
	return ws, nil
}

// loadAtStart loads a wallet if its file asks for it.
func (ws *Wallets) loadAtStart(name string) error {
	raw, err := readFile(keyPath(ws.options.Dir, name))
	if err != nil {
		return err
	}
	file, _, err := decodeKeys(ws.options.Params, raw)
	if err != nil || !file.Startup {
		return err
	}
	return ws.Load(name, nil)
}

// checkName refuses names that are no plain file names on every system.
func checkName(name string) error {
	bad := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`/\:*?"<>|`, r) }
	if name == "" || len(name) > maxNameLen || !utf8.ValidString(name) || strings.HasPrefix(name, ".") || strings.TrimSpace(name) != name || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("%w: %.80q", ledger.ErrWalletName, name)
	}
	return nil
}

// Path returns where the file of a wallet is or would be.
func (ws *Wallets) Path(name string) string { return keyPath(ws.options.Dir, name) }

// Create makes a wallet and loads it. It returns ErrWalletExists, ErrWalletName or ErrWords. A wallet from words looks through the whole chain for its
// coins, which Run does.
func (ws *Wallets) Create(name string, n ledger.NewWallet) error {
	if err := checkName(name); err != nil {
		return err
	}
	tip := ws.options.Chain.Tip()
	file, err := ws.newFile(n, tip)
	if err != nil {
		return err
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	path := ws.Path(name)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(ledger.ErrWalletExists, err)
	}
	if err := ws.write(name, file); err != nil {
		return err
	}
	w, err := openWallet(ws.options, name)
	if err != nil {
		return err
	}
	ws.take(w, tip.Height)
	return nil
}

// take adds a wallet to the loaded ones. From the first moment it says whether it has to scan. The caller holds mu.
func (ws *Wallets) take(w *Wallet, tip int32) {
	w.noteScan(tip)
	ws.loaded[w.name] = w
	select {
	case ws.news <- struct{}{}:
	default: // Run will look at all of them anyway
	}
}

// newFile draws or reads the secret of a wallet and derives what its file says. Tip is where the chain is now.
func (ws *Wallets) newFile(n ledger.NewWallet, tip consensus.State) (keyFile, error) {
	o := ws.options
	f := keyFile{Network: o.Params.Name, Created: o.Now().Unix(), Startup: n.Startup}
	e, err := newEntropy()
	f.Birth, f.BirthTime = place{Hash: tip.Hash, Height: tip.Height}, f.Created
	if n.Words != "" {
		e, err = parseWords(n.Words)
		f.Birth, f.BirthTime = place{Hash: o.Params.GenesisHash}, o.Params.Genesis.Header.Timestamp.Unix()
	}
	if err != nil {
		return f, err
	}
	if f.ID, err = newID(); err != nil {
		return f, err
	}
	key, fingerprint, err := accountKey(o.Params, e)
	if err != nil {
		return f, err
	}
	defer key.Zero()
	public, err := neuter(o.Params, key)
	if err != nil {
		return f, err
	}
	f.Account, f.Fingerprint = public.String(), fmt.Sprintf("%x", fingerprint)
	f.Secret = plain(e)
	if n.Passphrase != "" {
		f.Secret, err = seal(e, n.Passphrase, f.belongs(), o.cost)
	}
	return f, err
}

// write makes the two files of a new wallet. The keys come last: a wallet exists when they do.
func (ws *Wallets) write(name string, f keyFile) error {
	state, err := stateFile{ID: f.ID, Place: f.Birth}.encode()
	if err != nil {
		return err
	}
	keys, err := encodeKeys(f)
	if err != nil {
		return err
	}
	if err := disk.WriteFile(filepath.Join(ws.options.Dir, name+stateSuffix), state); err != nil {
		return err
	}
	return disk.WriteFile(ws.Path(name), keys)
}

// Load loads a wallet from its file. It returns ErrWalletLoaded, ErrNoWalletFile, ErrWalletDamaged. Startup, if it is not nil, says whether
// the wallet is to be loaded at every start from now on.
func (ws *Wallets) Load(name string, startup *bool) error {
	if err := checkName(name); err != nil {
		return errors.Join(ledger.ErrNoWalletFile, err)
	}
	tip := ws.options.Chain.Tip()
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.loaded[name] != nil {
		return ledger.ErrWalletLoaded
	}
	w, err := openWallet(ws.options, name)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.ErrNoWalletFile
	}
	if err != nil {
		return err
	}
	if err := w.setStartup(startup); err != nil {
		return err
	}
	ws.take(w, tip.Height)
	return nil
}

// Unload closes a wallet. It returns ErrNoWallet if it is not loaded. Startup is as in Load.
func (ws *Wallets) Unload(name string, startup *bool) error {
	ws.mu.Lock()
	w := ws.loaded[name]
	delete(ws.loaded, name)
	ws.mu.Unlock()
	if w == nil {
		return ledger.ErrNoWallet
	}
	return errors.Join(w.setStartup(startup), w.Close())
}

// setStartup notes whether the wallet is loaded at start; nil leaves it.
func (w *Wallet) setStartup(startup *bool) error {
	if startup == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file.Startup == *startup {
		return nil
	}
	w.file.Startup = *startup
	return w.saveKeys()
}

// Get returns a loaded wallet, or ErrNoWallet.
func (ws *Wallets) Get(name string) (*Wallet, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w := ws.loaded[name]
	if w == nil {
		return nil, ledger.ErrNoWallet
	}
	return w, nil
}

// Loaded returns the names of the loaded wallets, sorted.
func (ws *Wallets) Loaded() []string {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	names := make([]string, 0, len(ws.loaded))
	for name := range ws.loaded {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// OnDisk returns the names of all wallet files, sorted.
func (ws *Wallets) OnDisk() ([]string, error) {
	entries, err := os.ReadDir(ws.options.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the wallets: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), keySuffix); ok && !entry.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Run keeps all loaded wallets in step with the chain and the pool until ctx ends. A wallet that cannot follow is logged, and
// tried again with the next block.
func (ws *Wallets) Run(ctx context.Context) error {
	tip, stopTip := ws.options.Chain.Watch()
	defer stopTip()
	arrival, stopArrival := ws.options.Pool.Watch()
	defer stopArrival()
	for {
		ws.followAll(ctx)
		select {
		case <-tip:
		case <-arrival:
		case <-ws.news:
		case <-ctx.Done():
			return nil
		}
	}
}

// followAll brings every wallet to the tip.
func (ws *Wallets) followAll(ctx context.Context) {
	for _, name := range ws.Loaded() {
		w, err := ws.Get(name)
		if err != nil {
			continue // unloaded meanwhile
		}
		if err := w.catchUp(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ledger.ErrNoWallet) {
			w.log.Error("The wallet cannot follow the chain", "height", w.Info().Last.Height, "err", err)
		}
	}
}

// Close closes all wallets, after Run has returned and nobody calls them any more.
func (ws *Wallets) Close() error {
	var errs []error
	for _, name := range ws.Loaded() {
		errs = append(errs, ws.Unload(name, nil))
	}
	return errors.Join(errs...)
}
