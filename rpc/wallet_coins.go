package rpc

import (
	"context"
	"math"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func (a *api) walletCoinMethods() []Method {
	return []Method{
		{
			Name: "getbalance", Run: a.inWallet(a.getBalance),
			Args: []Arg{
				{Name: "dummy", Type: ArgString, Help: `Remains for backward compatibility. Must be excluded or set to "*".`},
				{Name: "minconf", Type: ArgInt, Default: "0", Help: "Only include transactions confirmed at least this many times."},
				{Name: "include_watchonly", Type: ArgBool, Default: "false", Help: "There are none."},
				{Name: "avoid_reuse", Type: ArgBool, Default: "false", Help: "Not supported."},
			},
			Help: "Returns the total available balance: coins in blocks, and own change.", Result: "n",
		},
		{Name: "getbalances", Run: a.inWallet(a.getBalances), Help: "Returns an object with all balances.", Result: "{mine: {trusted, untrusted_pending, immature}, lastprocessedblock}"},
		{
			Name: "listunspent", Run: a.inWallet(a.listUnspent),
			Args: []Arg{
				{Name: "minconf", Type: ArgInt, Default: "1", Help: "The minimum confirmations to filter"},
				{Name: "maxconf", Type: ArgInt, Default: "9999999", Help: "The maximum confirmations to filter"},
				{Name: "addresses", Type: ArgArray, Default: "[]", Sample: `["address",...]`, Help: "The addresses to filter"},
				{Name: "include_unsafe", Type: ArgBool, Default: "true", Help: "Include outputs that are not safe to spend"},
				{
					Name: "query_options", Type: ArgObject, Sample: `{"minimumAmount":amount,"maximumAmount":amount,"maximumCount":n,"minimumSumAmount":amount,"include_immature_coinbase":bool}`,
					Help: "JSON with query options",
				},
			},
			Help: "Returns the unspent outputs of the wallet.", Result: "[{...}, ...]",
		},
	}
}

func (a *api) getBalance(ctx context.Context, w Wallet, c *Call) (any, error) {
	if c.Has(0) && c.String(0) != "*" {
		return nil, errorf(codeDeprecated, "dummy first argument must be excluded or set to \"*\".")
	}
	if c.BoolOr(3, false) {
		return nil, errorf(CodeWallet, "wallet does not have the \"avoid reuse\" feature enabled")
	}
	balance, err := w.Balance(ctx, int32(c.Int(1)))
	return Amount(balance.Trusted), err
}

func (a *api) getBalances(ctx context.Context, w Wallet, _ *Call) (any, error) {
	balance, err := w.Balance(ctx, 0)
	if err != nil {
		return nil, err
	}
	type mine struct {
		Trusted  Amount `json:"trusted"`
		Pending  Amount `json:"untrusted_pending"`
		Immature Amount `json:"immature"`
	}
	return struct {
		Mine mine      `json:"mine"`
		Last placeJSON `json:"lastprocessedblock"`
	}{mine{Amount(balance.Trusted), Amount(balance.Pending), Amount(balance.Immature)}, lastProcessed(w)}, nil
}

// coinFilter says which coins listunspent shows.
type coinFilter struct {
	minConf, maxConf     int64
	scripts              map[string]bool // nil for all
	unsafe, immature     bool
	least, most, leastIn btcutil.Amount
	count                int64
}

// coinFilter reads the arguments of listunspent.
func (a *api) coinFilter(c *Call) (coinFilter, error) {
	f := coinFilter{minConf: c.IntOr(0, 1), maxConf: c.IntOr(1, 9999999), unsafe: c.BoolOr(3, true), most: consensus.MaxMoney, leastIn: consensus.MaxMoney, count: math.MaxInt64}
	for _, v := range c.Value(2).List {
		text, err := v.AsString()
		if err != nil {
			return f, err
		}
		script, err := a.payTo(text)
		if err != nil {
			return f, err
		}
		if f.scripts[string(script)] {
			return f, errorf(CodeInvalidParameter, "Invalid parameter, duplicated address: %s", text)
		}
		if f.scripts == nil {
			f.scripts = make(map[string]bool)
		}
		f.scripts[string(script)] = true
	}
	return f, f.options(c.Value(4))
}

// options reads the options of listunspent.
func (f *coinFilter) options(v Value) (err error) {
	for i, key := range v.Keys {
		value := v.List[i]
		switch key {
		case "minimumAmount":
			f.least, err = ParseAmount(value)
		case "maximumAmount":
			f.most, err = ParseAmount(value)
		case "minimumSumAmount":
			f.leastIn, err = ParseAmount(value)
		case "maximumCount":
			f.count, err = value.AsInt(64)
		case "include_immature_coinbase":
			f.immature, err = value.AsBool()
		default:
			err = errorf(CodeType, "Unexpected key %s", key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// takes reports whether a coin passes.
func (f *coinFilter) takes(c ledger.WalletCoin) bool {
	conf := int64(c.Confirmations)
	return conf >= f.minConf && conf <= f.maxConf && (f.scripts == nil || f.scripts[string(c.PkScript)]) &&
		(f.unsafe || c.Trusted) && (f.immature || c.Mature) && c.Value >= f.least && c.Value <= f.most
}

// coinJSON is an unspent output.
type coinJSON struct {
	TxID          string   `json:"txid"`
	Vout          uint32   `json:"vout"`
	Address       string   `json:"address,omitempty"`
	Label         *string  `json:"label,omitempty"`
	Script        hexBytes `json:"scriptPubKey"`
	Amount        Amount   `json:"amount"`
	Confirmations int32    `json:"confirmations"`
	Ancestors     int      `json:"ancestorcount,omitempty"`
	AncestorSize  int      `json:"ancestorsize,omitempty"`
	AncestorFees  int64    `json:"ancestorfees,omitempty"`
	Spendable     bool     `json:"spendable"`
	Solvable      bool     `json:"solvable"`
	Desc          string   `json:"desc,omitempty"`
	Parents       []string `json:"parent_descs"`
	Safe          bool     `json:"safe"`
}

func (a *api) listUnspent(ctx context.Context, w Wallet, c *Call) (any, error) {
	filter, err := a.coinFilter(c)
	if err != nil {
		return nil, err
	}
	coins, err := w.Coins(ctx)
	if err != nil {
		return nil, err
	}
	list := []coinJSON{}
	var sum btcutil.Amount
	for _, coin := range coins {
		if !filter.takes(coin) {
			continue
		}
		if int64(len(list)) >= filter.count || sum >= filter.leastIn {
			break
		}
		sum += coin.Value
		list = append(list, a.coinJSON(w, coin))
	}
	return list, nil
}

func (a *api) coinJSON(w Wallet, coin ledger.WalletCoin) coinJSON {
	key, _ := w.Key(coin.PkScript) // it is the wallet's
	j := coinJSON{
		TxID: coin.OutPoint.Hash.String(), Vout: coin.OutPoint.Index, Script: coin.PkScript, Amount: Amount(coin.Value),
		Confirmations: coin.Confirmations, Spendable: true, Solvable: true, Desc: withChecksum(key.Descriptor),
		Parents: []string{withChecksum(key.Parent)}, Safe: coin.Trusted,
	}
	j.Address, _ = a.addressOf(coin.PkScript)
	if coin.Path.Branch == ledger.ReceiveBranch {
		j.Label = &coin.Label
	}
	if entry, ok := a.Pool.Entry(coin.OutPoint.Hash); ok && coin.Confirmations == 0 {
		j.Ancestors, j.AncestorSize, j.AncestorFees = entry.AncestorCount, entry.AncestorSize, sats(entry.AncestorFees)
	}
	return j
}
