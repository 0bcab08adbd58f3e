package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"slices"

	"groat/internal/ledger"
)

func (a *api) walletTxMethods() []Method {
	txid := Arg{Name: "txid", Type: ArgHex, Required: true, Help: "The transaction id"}
	watch := Arg{Name: "include_watchonly", Type: ArgBool, Default: "false", Help: "There are none."}
	return []Method{
		{
			Name: "listtransactions", Run: a.inWallet(a.listTransactions),
			Args: []Arg{
				{Name: "label", Aliases: []string{"dummy"}, Type: ArgString, Default: `"*"`, Help: "If set, only what was paid to or from addresses with this label."},
				{Name: "count", Type: ArgInt, Default: "10", Help: "The number of transactions to return"},
				{Name: "skip", Type: ArgInt, Default: "0", Help: "The number of transactions to skip"},
				watch,
			},
			Help: "Returns the last transactions, the newest last.", Result: "[{...}, ...]",
		},
		{
			Name: "gettransaction", Run: a.inWallet(a.getTransaction),
			Args: []Arg{txid, watch, {Name: "verbose", Type: ArgBool, Default: "false", Help: "Whether to include a decoded field"}},
			Help: "Get detailed information about a transaction of the wallet.", Result: "{...}",
		},
		{
			Name: "abandontransaction", Run: a.inWallet(a.abandonTransaction), Args: []Arg{txid},
			Help:   "Give up a transaction that is neither in a block nor in the mempool, with its descendants in this wallet, so that their inputs may be spent again.",
			Result: "null",
		},
	}
}

// walletTxJSON is what wallets tell of a transaction beside the amounts.
type walletTxJSON struct {
	Confirmations    int32    `json:"confirmations"`
	Generated        bool     `json:"generated,omitempty"`
	Trusted          *bool    `json:"trusted,omitempty"`
	BlockHash        string   `json:"blockhash,omitempty"`
	BlockHeight      *int32   `json:"blockheight,omitempty"`
	BlockIndex       *int     `json:"blockindex,omitempty"`
	BlockTime        int64    `json:"blocktime,omitempty"`
	TxID             string   `json:"txid"`
	WTxID            string   `json:"wtxid"`
	Conflicts        []string `json:"walletconflicts"`
	MempoolConflicts []string `json:"mempoolconflicts"`
	Time             int64    `json:"time"`
	Received         int64    `json:"timereceived"`
	Replaceable      string   `json:"bip125-replaceable"`
}

func (a *api) walletTxJSON(t ledger.WalletTx) walletTxJSON {
	j := walletTxJSON{
		Confirmations: t.Confirmations, Generated: t.Coinbase, TxID: t.Tx.TxID().String(), WTxID: t.Tx.WTxID().String(),
		Conflicts: hashTexts(t.Conflicts), MempoolConflicts: []string{}, Time: t.Seen.Unix(), Received: t.Seen.Unix(), Replaceable: "no",
	}
	for _, id := range t.Conflicts {
		if a.Pool.Has(id) {
			j.MempoolConflicts = append(j.MempoolConflicts, id.String())
		}
	}
	if t.Confirmations > 0 {
		j.BlockHash, j.BlockHeight, j.BlockIndex, j.BlockTime = t.Block.Hash.String(), &t.Block.Height, &t.BlockIndex, t.BlockTime.Unix()
		return j
	}
	j.Trusted = &t.Trusted
	if entry, ok := a.Pool.Entry(t.Tx.TxID()); ok && a.replaceable(entry) {
		j.Replaceable = "yes"
	} else if !ok && t.Confirmations == 0 {
		j.Replaceable = "unknown"
	}
	return j
}

// partJSON is one output that a transaction paid or received.
type partJSON struct {
	Address   string   `json:"address,omitempty"`
	Parents   []string `json:"parent_descs,omitempty"`
	Category  string   `json:"category"`
	Amount    Amount   `json:"amount"`
	Label     *string  `json:"label,omitempty"`
	Vout      uint32   `json:"vout"`
	Fee       *Amount  `json:"fee,omitempty"`
	Abandoned bool     `json:"abandoned"`
}

// partsJSON returns the parts of a transaction that have a label, or all for the label "*".
func (a *api) partsJSON(w Wallet, t ledger.WalletTx, label string) []partJSON {
	list := []partJSON{}
	for _, p := range t.Parts {
		if label != "*" && p.Label != label {
			continue
		}
		j := partJSON{Category: p.Category, Amount: Amount(p.Amount), Vout: p.Vout, Abandoned: t.Abandoned}
		j.Address, _ = a.addressOf(p.PkScript) // none is shown if there is none
		key, mine := w.Key(p.PkScript)
		if mine || p.Label != "" {
			j.Label = &p.Label
		}
		if p.Category == "send" {
			fee := Amount(t.Fee)
			j.Fee = &fee
		} else if mine {
			j.Parents = []string{withChecksum(key.Parent)}
		}
		list = append(list, j)
	}
	return list
}

// listedJSON is an entry of listtransactions.
type listedJSON struct {
	partJSON
	walletTxJSON
}

func (a *api) listTransactions(ctx context.Context, w Wallet, c *Call) (any, error) {
	label, count, skip := c.StringOr(0, "*"), c.IntOr(1, 10), c.Int(2)
	switch {
	case label == "":
		return nil, errorf(CodeInvalidParameter, "Label argument must be a valid label name or \"*\".")
	case count < 0:
		return nil, errorf(CodeInvalidParameter, "Negative count")
	case skip < 0:
		return nil, errorf(CodeInvalidParameter, "Negative from")
	}
	need := count + skip
	var list []listedJSON // newest first
	for most := min(need, math.MaxInt32/2); ; most *= 2 {
		txs, err := w.History(ctx, int(most))
		if err != nil {
			return nil, err
		}
		list = list[:0]
		for _, t := range txs {
			shared := a.walletTxJSON(t)
			for _, part := range a.partsJSON(w, t, label) {
				list = append(list, listedJSON{part, shared})
			}
		}
		if int64(len(list)) >= need || int64(len(txs)) < most || most > math.MaxInt32/2 {
			break // enough, or all there are
		}
	}
	list = list[min(int64(len(list)), skip):min(int64(len(list)), need)]
	slices.Reverse(list)
	if list == nil {
		list = []listedJSON{}
	}
	return list, nil
}

// transactionJSON is the answer of gettransaction.
type transactionJSON struct {
	Amount Amount  `json:"amount"`
	Fee    *Amount `json:"fee,omitempty"`
	walletTxJSON
	Details []partJSON `json:"details"`
	Hex     string     `json:"hex"`
	Decoded any        `json:"decoded,omitempty"`
	Last    placeJSON  `json:"lastprocessedblock"`
}

func (a *api) getTransaction(ctx context.Context, w Wallet, c *Call) (any, error) {
	id, err := c.hash(0, "txid")
	if err != nil {
		return nil, err
	}
	t, err := w.Transaction(ctx, id)
	if err != nil {
		return nil, err
	}
	j := transactionJSON{
		Amount: Amount(t.Net), walletTxJSON: a.walletTxJSON(t), Details: a.partsJSON(w, t, "*"), Hex: hex.EncodeToString(t.Tx.Raw()), Last: lastProcessed(w),
	}
	if t.FromMe {
		fee := Amount(t.Fee)
		j.Fee = &fee
	}
	if c.BoolOr(2, false) {
		j.Decoded = a.txJSON(t.Tx, txView{})
	}
	return j, nil
}

func (a *api) abandonTransaction(ctx context.Context, w Wallet, c *Call) (any, error) {
	id, err := c.hash(0, "txid")
	if err != nil {
		return nil, err
	}
	err = w.Abandon(ctx, id)
	if errors.Is(err, ledger.ErrNotAbandonable) {
		return nil, errorf(CodeNotFound, "Transaction not eligible for abandonment")
	}
	return nil, err
}
