package rpc

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func (a *api) txMethods() []Method {
	return []Method{
		{
			Name: "getrawtransaction", Category: "rawtransactions", Run: a.getRawTransaction,
			Args: []Arg{
				{Name: "txid", Type: ArgHex, Required: true, Help: "The transaction id"},
				{
					Name: "verbosity", Aliases: []string{"verbose"}, Type: ArgInt, Unchecked: true, Default: "0",
					Help: "0 for hex-encoded data, 1 for a JSON object, and 2 for JSON object with fee and prevout",
				},
				{Name: "blockhash", Type: ArgHex, Help: "The block in which to look for the transaction"},
			},
			Help: "By default, this call only returns a transaction if it is in the mempool. If a blockhash argument\n" +
				"is passed, it will return the transaction if the specified block is available and the transaction is in that block.",
			Result: "\"hex\" or {...}",
		},
		{
			Name: "decoderawtransaction", Category: "rawtransactions", Run: a.decodeRawTransaction,
			Args: []Arg{
				{Name: "hexstring", Type: ArgHex, Required: true, Help: "The transaction hex string"},
				{
					Name: "iswitness", Type: ArgBool, Default: "depends on heuristic tests",
					Help: "Whether the transaction hex is a serialized witness transaction.",
				},
			},
			Help: "Return a JSON object representing the serialized, hex-encoded transaction.", Result: "{...}",
		},
		a.createMethod(),
	}
}

// placedTx is a transaction with the block it is in.
type placedTx struct {
	Active *bool `json:"in_active_chain,omitempty"`
	txJSON
	BlockHash     string `json:"blockhash,omitempty"`
	Confirmations *int32 `json:"confirmations,omitempty"`
	Time          int64  `json:"time,omitempty"`
	BlockTime     int64  `json:"blocktime,omitempty"`
}

func (a *api) getRawTransaction(_ context.Context, c *Call) (any, error) {
	txid, err := c.hash(0, "parameter 1")
	if err != nil {
		return nil, err
	}
	if txid == a.Params.Genesis.Header.MerkleRoot { // its only transaction
		return nil, errorf(CodeNotFound, "The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved")
	}
	verbosity, err := c.verbosity(1, 0)
	if err != nil {
		return nil, err
	}
	if c.Has(2) {
		return a.txInBlock(c, txid, verbosity)
	}
	tx, ok := a.Pool.Get(txid)
	if !ok {
		return nil, errorf(CodeNotFound, "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction queries. Use gettransaction for wallet transactions.")
	}
	if verbosity <= 0 {
		return hex.EncodeToString(tx.Raw()), nil
	}
	return placedTx{txJSON: a.txJSON(tx, txView{hex: true})}, nil
}

// txInBlock returns a transaction of the block that argument 2 names.
func (a *api) txInBlock(c *Call, txid chainhash.Hash, verbosity int64) (any, error) {
	hash, err := c.hash(2, "parameter 3")
	if err != nil {
		return nil, err
	}
	info, err := a.Chain.Info(hash)
	if err != nil {
		return nil, errorf(CodeNotFound, "Block hash not found")
	}
	if !info.HaveData {
		return nil, errorf(CodeMisc, "Block not available")
	}
	b, err := a.Chain.Block(hash)
	if err != nil {
		return nil, dataError(err)
	}
	i := slices.IndexFunc(b.Txs, func(tx *consensus.Tx) bool { return tx.TxID() == txid })
	if i < 0 {
		return nil, errorf(CodeNotFound, "No such transaction found in the provided block. Use gettransaction for wallet transactions.")
	}
	if verbosity <= 0 {
		return hex.EncodeToString(b.Txs[i].Raw()), nil
	}
	view := txView{hex: true}
	if verbosity >= 2 {
		if view.spent, err = a.spentBy(b, info.State.Height); err != nil {
			return nil, err
		}
		view.prevout = true
	}
	return a.placed(b.Txs[i], view, info), nil
}

// placed shows a transaction with the block it is in.
func (a *api) placed(tx *consensus.Tx, view txView, info ledger.BlockInfo) placedTx {
	active, confirmations := a.active(info.State), max(0, a.confirmations(info.State))
	j := placedTx{
		Active:        &active,
		txJSON:        a.txJSON(tx, view),
		BlockHash:     info.State.Hash.String(),
		Confirmations: &confirmations,
	}
	if active {
		j.Time = info.State.Header.Timestamp.Unix()
		j.BlockTime = j.Time
	}
	return j
}

func (a *api) decodeRawTransaction(_ context.Context, c *Call) (any, error) {
	forms := anyForm
	if c.Has(1) {
		forms = withoutWitness
		if c.BoolOr(1, false) {
			forms = withWitness
		}
	}
	tx, ok := parseTx(c.String(0), forms)
	if !ok {
		return nil, errorf(CodeDecode, "TX decode failed")
	}
	return a.txJSON(tx, txView{}), nil
}
