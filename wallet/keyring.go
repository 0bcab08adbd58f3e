package wallet

import (
	"errors"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"

	"groat/internal/ledger"
)

// gapLimit is how many addresses behind the last one in use are watched on each branch (BIP44).
const gapLimit = 20

// maxAddresses bounds each branch. All are kept in memory and derived at start, 15,000 a second.
const maxAddresses = 1 << 20

// errExhausted says that a branch has no further address.
var errExhausted = errors.New("all addresses of this wallet have been handed out")

// keyring knows a wallet's scripts: those that were handed out or paid to, and gapLimit more on each branch.
type keyring struct {
	account *account
	next    [2]uint32 // first index per branch that was neither handed out nor paid to
	end     [2]uint32 // first index that is not watched
	scripts map[string]ledger.WalletPath
}

// newKeyring watches the scripts of an account up to the gap behind next.
func newKeyring(a *account, next [2]uint32) (*keyring, error) {
	k := &keyring{account: a, next: next, scripts: make(map[string]ledger.WalletPath)}
	return k, k.extend()
}

// extend watches what lies within the gap.
func (k *keyring) extend() error {
	for branch := range k.end {
		for limit := min(uint64(k.next[branch])+gapLimit, maxAddresses); uint64(k.end[branch]) < limit; k.end[branch]++ {
			path := ledger.WalletPath{Branch: uint32(branch), Index: k.end[branch]}
			script, err := k.account.script(path)
			if errors.Is(err, hdkeychain.ErrInvalidChild) {
				continue // BIP32: this index has no key, go on with the next
			}
			if err != nil {
				return err
			}
			k.scripts[string(script)] = path
		}
	}
	return nil
}

// find returns the path of a script of the wallet.
func (k *keyring) find(script []byte) (ledger.WalletPath, bool) {
	p, ok := k.scripts[string(script)]
	return p, ok
}

// peek returns the next address of a branch without handing it out.
func (k *keyring) peek(branch uint32) (ledger.WalletPath, []byte, error) {
	for index := k.next[branch]; index < maxAddresses; index++ {
		path := ledger.WalletPath{Branch: branch, Index: index}
		script, err := k.account.script(path)
		if errors.Is(err, hdkeychain.ErrInvalidChild) {
			continue
		}
		return path, script, err
	}
	return ledger.WalletPath{}, nil, errExhausted
}

// issue returns the next address of a branch, which will not be returned again.
func (k *keyring) issue(branch uint32) (ledger.WalletPath, []byte, error) {
	path, script, err := k.peek(branch)
	if err == nil {
		_, err = k.used(path)
	}
	return path, script, err
}

// used notes that something was paid to a path: it and those before it will not be handed out any more. It reports whether that is news.
func (k *keyring) used(p ledger.WalletPath) (bool, error) {
	if p.Index < k.next[p.Branch] {
		return false, nil
	}
	k.next[p.Branch] = p.Index + 1
	return true, k.extend()
}
