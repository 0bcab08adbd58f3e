package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

func (a *api) scanMethods() []Method {
	return []Method{{
		Name: "scantxoutset", Category: "blockchain", Run: a.scanTxOutSet,
		Args: []Arg{
			{Name: "action", Type: ArgString, Required: true, Help: `"start" for starting a scan, "abort" for aborting the current one, "status" for progress report (in %) of it`},
			{
				Name: "scanobjects", Type: ArgArray, Sample: `["descriptor",{"desc":"str","range":n or [n,n]},...]`,
				Help: `Array of scan objects. Required for "start" action. Every one is a descriptor, or an object with a descriptor and a range.`,
			},
		},
		Help: "Scans the unspent transaction output set for entries that match certain output descriptors.",
		Result: "{success, txouts, height, bestblock, unspents: [{txid, vout, scriptPubKey, desc, amount, coinbase, height}, ...], total_amount},\n" +
			"or null or {progress} for status, or a boolean for abort",
	}}
}

// coinScan is the one scan of the coins that may be under way.
type coinScan struct {
	progress atomic.Int64 // percent

	mu   sync.Mutex // guards all below
	stop context.CancelFunc
}

// begin takes the right to scan. It returns false if there is a scan already.
func (s *coinScan) begin(ctx context.Context) (_ context.Context, end func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return nil, nil, false
	}
	s.progress.Store(0)
	ctx, s.stop = context.WithCancel(ctx)
	return ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stop()
		s.stop = nil
	}, true
}

// abort ends the scan under way. It returns false if there is none.
func (s *coinScan) abort() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop == nil {
		return false
	}
	s.stop()
	return true
}

// status returns how far the scan under way has come, nil if there is none.
func (s *coinScan) status() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop == nil {
		return nil
	}
	return struct {
		Progress int64 `json:"progress"`
	}{s.progress.Load()}
}

func (a *api) scanTxOutSet(ctx context.Context, c *Call) (any, error) {
	switch action := c.String(0); action {
	case "status":
		return a.scan.status(), nil
	case "abort":
		return a.scan.abort(), nil
	case "start":
	default:
		return nil, errorf(CodeInvalidParameter, "Invalid action '%s'", action)
	}
	scanning, end, ok := a.scan.begin(ctx)
	if !ok {
		return nil, errorf(CodeInvalidParameter, "Scan already in progress, use action \"abort\" or \"status\"")
	}
	defer end()
	if c.Count() < 2 {
		return nil, errorf(CodeMisc, "scanobjects argument is required for the start action")
	}
	wanted, err := a.scanObjects(c.Value(1).List)
	if err != nil {
		return nil, err
	}
	found, err := a.findCoins(scanning, wanted)
	if ctx.Err() == nil && errors.Is(err, context.Canceled) {
		found, err = foundJSON{Unspents: []unspentJSON{}}, nil // somebody called abort
	}
	return found, err
}

// scanObjects returns the scripts to look for, each with the descriptor to show; "" if it is to be inferred from the script.
func (a *api) scanObjects(list []Value) (map[string]string, error) {
	wanted := make(map[string]string)
	for _, v := range list {
		span := indexes{0, defaultScanRange}
		text := v
		switch v.Kind {
		case String:
		case Object:
			var ok bool
			if text, ok = v.Get("desc"); !ok {
				return nil, errorf(CodeInvalidParameter, "Descriptor needs to be provided in scan object")
			}
			if given, _ := v.Get("range"); !given.IsNull() {
				var err error
				if span, err = parseRange(given); err != nil {
					return nil, err
				}
			}
		default:
			return nil, errorf(CodeInvalidParameter, "Scan object needs to be either a string or an object")
		}
		name, err := text.AsString()
		if err != nil {
			return nil, err
		}
		d, err := a.parseDescriptor(name)
		if err != nil {
			return nil, err
		}
		if !d.Ranged {
			span = indexes{}
		}
		for i := span.first; i <= span.last; i++ {
			outs, err := d.At(uint32(i))
			if err != nil {
				return nil, errorf(CodeNotFound, "Cannot derive script without private keys: '%s'", name)
			}
			for _, out := range outs {
				shown := ""
				if d.Solvable && len(outs) == 1 {
					shown = withChecksum(out.Text)
				}
				wanted[string(out.Script)] = shown
			}
		}
	}
	return wanted, nil
}

// unspentJSON is a coin that was found.
type unspentJSON struct {
	TxID     string   `json:"txid"`
	Vout     uint32   `json:"vout"`
	Script   hexBytes `json:"scriptPubKey"`
	Desc     string   `json:"desc"`
	Amount   Amount   `json:"amount"`
	Coinbase bool     `json:"coinbase"`
	Height   int32    `json:"height"`
}

// foundJSON is the answer of scantxoutset.
type foundJSON struct {
	Success  bool          `json:"success"`
	Coins    int64         `json:"txouts"`
	Height   int32         `json:"height"`
	Best     string        `json:"bestblock"`
	Unspents []unspentJSON `json:"unspents"`
	Total    Amount        `json:"total_amount"`
}

// findCoins looks through all coins for those with the wanted scripts.
func (a *api) findCoins(ctx context.Context, wanted map[string]string) (foundJSON, error) {
	found := foundJSON{Success: true, Unspents: []unspentJSON{}}
	var total btcutil.Amount
	tip, err := a.Chain.EachCoin(ctx, func(op wire.OutPoint, coin consensus.Coin) {
		found.Coins++
		a.scan.progress.Store(int64(binary.BigEndian.Uint16(op.Hash[:])) * 100 >> 16) // ids are spread evenly
		desc, ok := wanted[string(coin.PkScript)]
		if !ok {
			return
		}
		if desc == "" {
			desc = a.describe(coin.PkScript)
		}
		total += coin.Value
		found.Unspents = append(found.Unspents, unspentJSON{
			TxID: op.Hash.String(), Vout: op.Index, Script: coin.PkScript, Desc: desc, Amount: Amount(coin.Value), Coinbase: coin.Coinbase, Height: coin.Height,
		})
	})
	found.Height, found.Best, found.Total = tip.Height, tip.Hash.String(), Amount(total)
	return found, err
}
