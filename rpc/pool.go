package rpc

import (
	"cmp"
	"context"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/internal/ledger"
)

func (a *api) poolMethods() []Method {
	txid := Arg{Name: "txid", Type: ArgHex, Required: true, Help: "The transaction id (must be in mempool)"}
	verbose := Arg{Name: "verbose", Type: ArgBool, Default: "false", Help: "True for a json object, false for array of transaction ids"}
	return []Method{
		{
			Name: "getmempoolinfo", Category: "blockchain", Run: a.getMempoolInfo,
			Help: "Returns details on the active state of the TX memory pool.", Result: "{...}",
		},
		{
			Name: "getrawmempool", Category: "blockchain", Run: a.getRawMempool,
			Args: []Arg{verbose, {Name: "mempool_sequence", Type: ArgBool, Default: "false",
				Help: "If verbose=false, returns a json object with transaction list and mempool sequence number attached."}},
			Help:   "Returns all transaction ids in memory pool as a json array of string transaction ids.\n\nHint: use getmempoolentry to fetch a specific transaction from the mempool.",
			Result: "[\"hex\", ...] or {\"transactionid\": {...}, ...} or {txids, mempool_sequence}",
		},
		{
			Name: "getmempoolentry", Category: "blockchain", Run: a.getMempoolEntry, Args: []Arg{txid},
			Help: "Returns mempool data for given transaction", Result: "{...}",
		},
		{
			Name: "getmempoolancestors", Category: "blockchain", Args: []Arg{txid, verbose},
			Run:  a.relatives(func(e ledger.PoolEntry) []chainhash.Hash { return e.Depends }),
			Help: "If txid is in the mempool, returns all in-mempool ancestors.", Result: "[\"hex\", ...] or {\"transactionid\": {...}, ...}",
		},
		{
			Name: "getmempooldescendants", Category: "blockchain", Args: []Arg{txid, verbose},
			Run:  a.relatives(func(e ledger.PoolEntry) []chainhash.Hash { return e.SpentBy }),
			Help: "If txid is in the mempool, returns all in-mempool descendants.", Result: "[\"hex\", ...] or {\"transactionid\": {...}, ...}",
		},
		{
			Name: "gettxspendingprevout", Category: "blockchain", Run: a.getTxSpendingPrevout,
			Args: []Arg{{
				Name: "outputs", Type: ArgArray, Required: true, Sample: `[{"txid":"hex","vout":n},...]`,
				Help: "The transaction outputs that we want to check, and within each, the txid (string) vout (numeric).",
			}},
			Help: "Scans the mempool to find transactions spending any of the given outputs", Result: "[{txid, vout, spendingtxid}, ...]",
		},
	}
}

func (a *api) getMempoolInfo(context.Context, *Call) (any, error) {
	info := a.Pool.Info()
	return struct {
		Loaded         bool   `json:"loaded"`
		Size           int    `json:"size"`
		Bytes          int64  `json:"bytes"`
		Usage          int64  `json:"usage"`
		TotalFee       Amount `json:"total_fee"`
		MaxMempool     int64  `json:"maxmempool"`
		MinFee         Amount `json:"mempoolminfee"`
		RelayFee       Amount `json:"minrelaytxfee"`
		IncrementalFee Amount `json:"incrementalrelayfee"`
		Unbroadcast    int    `json:"unbroadcastcount"`
		FullRBF        bool   `json:"fullrbf"`
	}{
		Loaded: true, Size: info.Count, Bytes: info.Bytes, Usage: info.Usage, TotalFee: Amount(info.TotalFee),
		MaxMempool: info.MaxBytes, MinFee: Amount(max(info.MinFeeRate, info.RelayFee)), RelayFee: Amount(info.RelayFee),
		IncrementalFee: incrementalFee,
		FullRBF:        true,
	}, nil
}

// incrementalFee is the rate, in sat per 1000 vbytes, that a replacement must add: Core's default.
const incrementalFee Amount = 1000

// entryJSON is a transaction of the pool as getmempoolentry shows it.
type entryJSON struct {
	VSize           int      `json:"vsize"`
	Weight          int      `json:"weight"`
	Time            int64    `json:"time"`
	Height          int32    `json:"height"`
	DescendantCount int      `json:"descendantcount"`
	DescendantSize  int      `json:"descendantsize"`
	AncestorCount   int      `json:"ancestorcount"`
	AncestorSize    int      `json:"ancestorsize"`
	WTxID           string   `json:"wtxid"`
	Fees            feesJSON `json:"fees"`
	Depends         []string `json:"depends"`
	SpentBy         []string `json:"spentby"`
	Replaceable     bool     `json:"bip125-replaceable"`
	Unbroadcast     bool     `json:"unbroadcast"`
}

type feesJSON struct {
	Base       Amount `json:"base"`
	Modified   Amount `json:"modified"`
	Ancestor   Amount `json:"ancestor"`
	Descendant Amount `json:"descendant"`
}

func (a *api) entryJSON(e ledger.PoolEntry) entryJSON {
	return entryJSON{
		VSize: e.VSize, Weight: e.Tx.Weight(), Time: e.Time.Unix(), Height: e.Height,
		DescendantCount: e.DescendantCount, DescendantSize: e.DescendantSize,
		AncestorCount: e.AncestorCount, AncestorSize: e.AncestorSize,
		WTxID: e.Tx.WTxID().String(),
		Fees: feesJSON{
			Base: Amount(e.Fee), Modified: Amount(e.Fee),
			Ancestor: Amount(e.AncestorFees), Descendant: Amount(e.DescendantFees),
		},
		Depends: hashTexts(e.Depends), SpentBy: hashTexts(e.SpentBy),
		Replaceable: a.replaceable(e),
	}
}

// replaceable reports whether a transaction or one of its ancestors in the pool signals that it may be replaced (BIP125).
func (a *api) replaceable(e ledger.PoolEntry) bool {
	if signalsReplacement(e.Tx.Msg) {
		return true
	}
	for _, ancestor := range a.walk(e, func(e ledger.PoolEntry) []chainhash.Hash { return e.Depends }) {
		if signalsReplacement(ancestor.Tx.Msg) {
			return true
		}
	}
	return false
}

// maxReplaceable is the highest sequence of an input that signals replacement (BIP125).
const maxReplaceable = wire.MaxTxInSequenceNum - 2

func signalsReplacement(msg *wire.MsgTx) bool {
	return slices.ContainsFunc(msg.TxIn, func(in *wire.TxIn) bool { return in.Sequence <= maxReplaceable })
}

// walk returns all entries that next leads to from e, e not included, in the order of their arrival.
func (a *api) walk(e ledger.PoolEntry, next func(ledger.PoolEntry) []chainhash.Hash) []ledger.PoolEntry {
	seen := map[chainhash.Hash]bool{e.Tx.TxID(): true}
	var found []ledger.PoolEntry
	for todo := next(e); len(todo) > 0; todo = todo[1:] {
		if seen[todo[0]] {
			continue
		}
		seen[todo[0]] = true
		if relative, ok := a.Pool.Entry(todo[0]); ok {
			found = append(found, relative)
			todo = append(slices.Clip(todo), next(relative)...)
		}
	}
	slices.SortFunc(found, func(x, y ledger.PoolEntry) int { return cmp.Compare(x.Sequence, y.Sequence) })
	return found
}

// listEntries shows entries by id, or only their ids.
func (a *api) listEntries(entries []ledger.PoolEntry, verbose bool) any {
	if !verbose {
		ids := make([]string, len(entries))
		for i, e := range entries {
			ids[i] = e.Tx.TxID().String()
		}
		return ids
	}
	byID := make(map[string]entryJSON, len(entries))
	for _, e := range entries {
		byID[e.Tx.TxID().String()] = a.entryJSON(e)
	}
	return byID
}

func (a *api) getRawMempool(_ context.Context, c *Call) (any, error) {
	verbose, sequence := c.BoolOr(0, false), c.BoolOr(1, false)
	if verbose && sequence {
		return nil, errorf(CodeInvalidParameter, "Verbose results cannot contain mempool sequence values.")
	}
	if !sequence {
		return a.listEntries(a.Pool.Entries(), verbose), nil
	}
	place := a.Pool.Info().Sequence // before the list: a caller then sees an arrival twice rather than never
	return struct {
		TxIDs    any    `json:"txids"`
		Sequence uint64 `json:"mempool_sequence"`
	}{a.listEntries(a.Pool.Entries(), false), place}, nil
}

// poolEntry returns the transaction of the pool that argument 0 names.
func (a *api) poolEntry(c *Call) (ledger.PoolEntry, error) {
	hash, err := c.hash(0, "parameter 1")
	if err != nil {
		return ledger.PoolEntry{}, err
	}
	e, ok := a.Pool.Entry(hash)
	if !ok {
		return ledger.PoolEntry{}, errorf(CodeNotFound, "Transaction not in mempool")
	}
	return e, nil
}

func (a *api) getMempoolEntry(_ context.Context, c *Call) (any, error) {
	e, err := a.poolEntry(c)
	if err != nil {
		return nil, err
	}
	return a.entryJSON(e), nil
}

// relatives returns the handler of a method that lists what next leads to from a transaction.
func (a *api) relatives(next func(ledger.PoolEntry) []chainhash.Hash) func(context.Context, *Call) (any, error) {
	return func(_ context.Context, c *Call) (any, error) {
		e, err := a.poolEntry(c)
		if err != nil {
			return nil, err
		}
		return a.listEntries(a.walk(e, next), c.BoolOr(1, false)), nil
	}
}

func (a *api) getTxSpendingPrevout(_ context.Context, c *Call) (any, error) {
	type spentJSON struct {
		TxID  string `json:"txid"`
		Vout  uint32 `json:"vout"`
		Spent string `json:"spendingtxid,omitempty"`
	}
	outputs := c.Value(0).List
	if len(outputs) == 0 {
		return nil, errorf(CodeInvalidParameter, "Invalid parameter, outputs are missing")
	}
	list := make([]spentJSON, len(outputs))
	for i, v := range outputs {
		op, err := parseOutPoint(v)
		if err != nil {
			return nil, err
		}
		list[i] = spentJSON{TxID: op.Hash.String(), Vout: op.Index}
		if id, spent := a.Pool.Spender(op); spent {
			list[i].Spent = id.String()
		}
	}
	return list, nil
}
