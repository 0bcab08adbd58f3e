package rpc

import (
	"context"
	"slices"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/internal/ledger"
)

// feeArgs are the arguments with which a payment says what fee it offers, in Core's order.
type feeArgs struct{ replaceable, target, mode, rate int }

func (a *api) walletSendMethods() []Method {
	replaceable := Arg{Name: "replaceable", Type: ArgBool, Default: "true", Help: "Signal that this transaction can be replaced by a transaction (BIP 125)"}
	target := Arg{Name: "conf_target", Type: ArgInt, Default: "wallet default", Help: "Confirmation target in blocks. There is no estimate yet: the wallet's default rate is used."}
	mode := Arg{Name: "estimate_mode", Type: ArgString, Default: `"unset"`, Help: "unset, economical or conservative. There is no estimate yet."}
	rate := Arg{Name: "fee_rate", Type: ArgAmount, Default: "twice the mempool's minimum", Help: "Specify a fee rate in sat/vB."}
	verbose := Arg{Name: "verbose", Type: ArgBool, Default: "false", Help: "If true, return extra information about the transaction."}
	comment := func(name string) Arg {
		return Arg{Name: name, Type: ArgString, Help: "Taken for compatibility. It is not kept."}
	}
	return []Method{
		{
			Name: "sendtoaddress", Run: a.inWallet(a.sendToAddress),
			Args: []Arg{
				{Name: "address", Type: ArgString, Required: true, Help: "The address to send to."},
				{Name: "amount", Type: ArgAmount, Required: true, Help: "The amount in coins to send. eg 0.1"},
				comment("comment"), comment("comment_to"),
				{Name: "subtractfeefromamount", Type: ArgBool, Default: "false", Help: "The fee will be deducted from the amount being sent."},
				replaceable, target, mode,
				{Name: "avoid_reuse", Type: ArgBool, Default: "false", Help: "Not supported."},
				rate, verbose,
			},
			Help: "Send an amount to a given address.", Result: `"txid" or {txid, fee_reason}`,
		},
		{
			Name: "sendmany", Run: a.inWallet(a.sendMany),
			Args: []Arg{
				{Name: "dummy", Type: ArgString, Default: `""`, Help: `Must be set to "" for backwards compatibility.`},
				{Name: "amounts", Type: ArgObject, Required: true, Sample: `{"address":amount,...}`, Help: "The addresses and amounts"},
				{Name: "minconf", Type: ArgInt, Help: "Ignored dummy value"},
				comment("comment"),
				{Name: "subtractfeefrom", Type: ArgArray, Sample: `["address",...]`, Help: "The addresses that the fee is taken from in equal parts."},
				replaceable, target, mode, rate, verbose,
			},
			Help: "Send multiple times.", Result: `"txid" or {txid, fee_reason}`,
		},
	}
}

func (a *api) sendToAddress(ctx context.Context, w Wallet, c *Call) (any, error) {
	if c.BoolOr(8, false) {
		return nil, errorf(CodeWallet, "wallet does not have the \"avoid reuse\" feature enabled")
	}
	order, err := c.order(feeArgs{replaceable: 5, target: 6, mode: 7, rate: 9})
	if err != nil {
		return nil, err
	}
	if err := unlocked(w); err != nil {
		return nil, err
	}
	payment, err := a.payment(c.String(0), c.Value(1))
	if err != nil {
		return nil, err
	}
	payment.LessFee = c.BoolOr(4, false)
	order.Payments = []ledger.WalletPayment{payment}
	return send(ctx, w, order, c.BoolOr(10, false))
}

func (a *api) sendMany(ctx context.Context, w Wallet, c *Call) (any, error) {
	if c.String(0) != "" {
		return nil, errorf(CodeInvalidParameter, "Dummy value must be set to \"\"")
	}
	order, err := c.order(feeArgs{replaceable: 5, target: 6, mode: 7, rate: 8})
	if err != nil {
		return nil, err
	}
	if err := unlocked(w); err != nil {
		return nil, err
	}
	amounts := c.Value(1)
	for i, text := range amounts.Keys {
		payment, err := a.payment(text, amounts.List[i])
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(order.Payments, func(p ledger.WalletPayment) bool { return slices.Equal(p.PkScript, payment.PkScript) }) {
			return nil, errorf(CodeInvalidParameter, "Invalid parameter, duplicated address: %s", text)
		}
		order.Payments = append(order.Payments, payment)
	}
	if err := subtractFee(order.Payments, amounts.Keys, c.Value(4)); err != nil {
		return nil, err
	}
	return send(ctx, w, order, c.BoolOr(9, false))
}

// subtractFee marks the payments whose address is in list. Addresses has the addresses of payments in order.
func subtractFee(payments []ledger.WalletPayment, addresses []string, list Value) error {
	for _, v := range list.List {
		text, err := v.AsString()
		if err != nil {
			return err
		}
		i := slices.Index(addresses, text)
		switch {
		case i < 0:
			return errorf(CodeInvalidParameter, "Invalid parameter 'subtract fee from output', destination %s not found in tx outputs", text)
		case payments[i].LessFee:
			return errorf(CodeInvalidParameter, "Invalid parameter 'subtract fee from output', position %d is duplicated", i)
		}
		payments[i].LessFee = true
	}
	return nil
}

// payment reads an address and an amount.
func (a *api) payment(text string, amount Value) (ledger.WalletPayment, error) {
	script, err := a.payTo(text)
	if err != nil {
		return ledger.WalletPayment{}, err
	}
	value, err := ParseAmount(amount)
	return ledger.WalletPayment{PkScript: script, Amount: value}, err
}

// order reads what a payment says about its fee.
func (c *Call) order(at feeArgs) (ledger.WalletOrder, error) {
	order := ledger.WalletOrder{Final: !c.BoolOr(at.replaceable, true)}
	mode := c.StringOr(at.mode, "unset")
	if c.Has(at.rate) {
		switch {
		case c.Has(at.target):
			return order, errorf(CodeInvalidParameter, "Cannot specify both conf_target and fee_rate. Please provide either a confirmation target in blocks for automatic fee estimation, or an explicit fee rate.")
		case mode != "unset":
			return order, errorf(CodeInvalidParameter, "Cannot specify both estimate_mode and fee_rate")
		}
		rate, err := parseSatRate(c.Value(at.rate))
		order.FeeRate = rate
		return order, err
	}
	if !slices.Contains([]string{"unset", "economical", "conservative"}, mode) {
		return order, errorf(CodeInvalidParameter, "Invalid estimate_mode parameter, must be one of: \"unset\", \"economical\", \"conservative\"")
	}
	if target := c.Int(at.target); c.Has(at.target) && (target < 1 || target > 1008) {
		return order, errorf(CodeInvalidParameter, "Invalid conf_target, must be between 1 and 1008")
	}
	return order, nil
}

// parseSatRate reads a fee rate in satoshis per vbyte, with at most three decimals, and returns it per 1000 vbytes.
func parseSatRate(v Value) (btcutil.Amount, error) {
	const places = 3
	if v.Kind != Number && v.Kind != String {
		return 0, errorf(CodeType, "Amount is not a number or string")
	}
	n, ok := parseFixed(v.Text, places)
	switch {
	case !ok:
		return 0, errorf(CodeType, "Invalid amount")
	case n < 0 || n > satUnit:
		return 0, errorf(CodeType, "Amount out of range")
	case n == 0:
		return 0, errorf(CodeFunds, "Fee rate (0.000 sat/vB) is lower than the minimum fee rate setting (1.000 sat/vB)")
	}
	return btcutil.Amount(n), nil
}

// send makes a payment and says which transaction it is.
func send(ctx context.Context, w Wallet, order ledger.WalletOrder, verbose bool) (any, error) {
	sent, err := w.Send(ctx, order)
	if err != nil {
		return nil, err
	}
	if !verbose {
		return sent.Tx.TxID().String(), nil
	}
	reason := "Fallback fee"
	if order.FeeRate != 0 {
		reason = "PayTxFee set"
	}
	return struct {
		TxID   string `json:"txid"`
		Reason string `json:"fee_reason"`
	}{sent.Tx.TxID().String(), reason}, nil
}
