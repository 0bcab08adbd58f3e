package node

import (
	"groat/rpc"
	"groat/wallet"
)

// wallets are the wallets as rpc asks for them.
type wallets struct{ *wallet.Wallets }

// Wallet returns a loaded wallet.
func (w wallets) Wallet(name string) (rpc.Wallet, error) {
	one, err := w.Get(name)
	if err != nil {
		return nil, err // not one, which would be no nil interface
	}
	return one, nil
}
