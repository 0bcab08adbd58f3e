package rpc

import (
	"context"
	"math"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func (a *api) coinMethods() []Method {
	return []Method{
		{
			Name: "gettxout", Category: "blockchain", Run: a.getTxOut,
			Args: []Arg{
				{Name: "txid", Type: ArgHex, Required: true, Help: "The transaction id"},
				{Name: "n", Type: ArgInt64, Required: true, Help: "vout number"},
				{Name: "include_mempool", Type: ArgBool, Default: "true", Help: "Whether to include the mempool. Note that an unspent output that is spent in the mempool won't appear."},
			},
			Help: "Returns details about an unspent transaction output.", Result: "null or {bestblock, confirmations, value, scriptPubKey, coinbase}",
		},
		{
			Name: "gettxoutsetinfo", Category: "blockchain", Run: a.getTxOutSetInfo,
			Args: []Arg{
				{Name: "hash_type", Type: ArgString, Default: "hash_serialized_3", Help: "Which UTXO set hash should be calculated. Options: 'hash_serialized_3', 'muhash', 'none'."},
				{Name: "hash_or_height", Type: ArgAny, Default: "the current best block", Help: "The block hash or height of the target height (not supported)."},
				{Name: "use_index", Type: ArgBool, Default: "true", Help: "Use coinstatsindex, if available (there is none)."},
			},
			Help:   "Returns statistics about the unspent transaction output set.\nNote this call may take some time.",
			Result: "{height, bestblock, txouts, bogosize, hash_serialized_3 or muhash, total_amount, transactions, disk_size}",
		},
	}
}

func (a *api) getTxOut(_ context.Context, c *Call) (any, error) {
	hash, err := c.hash(0, "txid")
	if err != nil {
		return nil, err
	}
	n := c.Int(1)
	if n < 0 || n > math.MaxUint32 {
		return nil, errorf(CodeMisc, "JSON integer out of range")
	}
	op := wire.OutPoint{Hash: hash, Index: uint32(n)}
	coins, place, err := a.Chain.Coins([]wire.OutPoint{op})
	if err != nil {
		return nil, err
	}
	coin, ok := coins[op]
	confirmations := place.Height - coin.Height + 1
	if c.BoolOr(2, true) {
		if _, spent := a.Pool.Spender(op); spent {
			return nil, nil
		}
		if waiting, here := a.Pool.Coin(op); here && !ok {
			coin, ok, confirmations = waiting, true, 0
		}
	}
	if !ok {
		return nil, nil
	}
	return struct {
		BestBlock     string     `json:"bestblock"`
		Confirmations int32      `json:"confirmations"`
		Value         Amount     `json:"value"`
		Script        scriptJSON `json:"scriptPubKey"`
		Coinbase      bool       `json:"coinbase"`
	}{place.Hash.String(), confirmations, Amount(coin.Value), a.scriptJSON(coin.PkScript), coin.Coinbase}, nil
}

// spendable returns the coins that a transaction spends, of the chain and the pool; those that are unknown are absent.
func (a *api) spendable(tx *consensus.Tx) (consensus.Coins, error) {
	ops := make([]wire.OutPoint, len(tx.Msg.TxIn))
	for i, in := range tx.Msg.TxIn {
		ops[i] = in.PreviousOutPoint
	}
	coins, _, err := a.Chain.Coins(ops)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		if coin, ok := a.Pool.Coin(op); ok {
			coins[op] = coin
		}
	}
	return coins, nil
}

// setJSON is the answer of gettxoutsetinfo.
type setJSON struct {
	Height       int32  `json:"height"`
	BestBlock    string `json:"bestblock"`
	Coins        int64  `json:"txouts"`
	BogoSize     int64  `json:"bogosize"`
	Hash         string `json:"hash_serialized_3,omitempty"`
	MuHash       string `json:"muhash,omitempty"`
	Total        Amount `json:"total_amount"`
	Transactions int64  `json:"transactions"`
	DiskSize     int64  `json:"disk_size"`
}

func (a *api) getTxOutSetInfo(ctx context.Context, c *Call) (any, error) {
	hash := ledger.SetHash(c.StringOr(0, string(ledger.HashSerialized)))
	switch hash {
	case ledger.HashSerialized, ledger.MuHash, ledger.NoHash:
	default:
		return nil, errorf(CodeInvalidParameter, "'%s' is not a valid hash_type", hash)
	}
	if c.Has(1) {
		return nil, errorf(CodeInvalidParameter, "Querying specific block heights requires coinstatsindex")
	}
	set, err := a.Chain.UTXOSet(ctx, hash)
	if err != nil {
		return nil, err
	}
	j := setJSON{
		Height:       set.Tip.Height,
		BestBlock:    set.Tip.Hash.String(),
		Coins:        set.Coins,
		BogoSize:     set.BogoSize,
		Total:        Amount(set.Total),
		Transactions: set.Txs,
		DiskSize:     set.DiskBytes,
	}
	switch hash {
	case ledger.HashSerialized:
		j.Hash = set.Hash.String()
	case ledger.MuHash:
		j.MuHash = set.Hash.String()
	}
	return j, nil
}
