package rpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func (a *api) blockMethods() []Method {
	hash := Arg{Name: "blockhash", Type: ArgHex, Required: true, Help: "The block hash"}
	return []Method{
		{
			Name: "getbestblockhash", Category: "blockchain", Run: a.getBestBlockHash,
			Help:   "Returns the hash of the best (tip) block in the most-work fully-validated chain.",
			Result: `"hex"    (string) the block hash, hex-encoded`,
		},
		{
			Name: "getblockcount", Category: "blockchain", Run: a.getBlockCount,
			Help:   "Returns the height of the most-work fully-validated chain.\nThe genesis block has height 0.",
			Result: "n    (numeric) The current block count",
		},
		{
			Name: "getblockhash", Category: "blockchain", Run: a.getBlockHash,
			Args:   []Arg{{Name: "height", Type: ArgInt, Required: true, Help: "The height index"}},
			Help:   "Returns hash of block in best-block-chain at height provided.",
			Result: `"hex"    (string) The block hash`,
		},
		{
			Name: "getblockheader", Category: "blockchain", Run: a.getBlockHeader,
			Args: []Arg{hash, {Name: "verbose", Type: ArgBool, Default: "true", Help: "true for a json object, false for the hex-encoded data"}},
			Help: "If verbose is false, returns a string that is serialized, hex-encoded data for blockheader 'hash'.\n" +
				"If verbose is true, returns an Object with information about blockheader <hash>.",
			Result: "{...} or \"hex\"",
		},
		{
			Name: "getblock", Category: "blockchain", Run: a.getBlock,
			Args: []Arg{hash, {
				Name: "verbosity", Aliases: []string{"verbose"}, Type: ArgInt, Unchecked: true, Default: "1",
				Help: "0 for hex-encoded data, 1 for a JSON object, 2 for JSON object with transaction data, and 3 for JSON object with transaction data including prevout information for inputs",
			}},
			Help: "If verbosity is 0, returns a string that is serialized, hex-encoded data for block 'hash'.\n" +
				"If verbosity is 1, returns an Object with information about block <hash>.\n" +
				"If verbosity is 2, returns an Object with information about block <hash> and information about each transaction.\n" +
				"If verbosity is 3, returns an Object with information about block <hash> and information about each transaction, including prevout information for inputs.",
			Result: "\"hex\" or {...}",
		},
	}
}

func (a *api) getBestBlockHash(context.Context, *Call) (any, error) {
	return a.Chain.Tip().Hash.String(), nil
}

func (a *api) getBlockCount(context.Context, *Call) (any, error) { return a.Chain.Tip().Height, nil }

func (a *api) getBlockHash(_ context.Context, c *Call) (any, error) {
	height := c.Int(0)
	if height < 0 || height > int64(a.Chain.Tip().Height) {
		return nil, errorf(CodeInvalidParameter, "Block height out of range")
	}
	info, err := a.at(int32(height))
	if err != nil {
		return nil, err
	}
	return info.State.Hash.String(), nil
}

// headerJSON is a block header as getblockheader shows it.
type headerJSON struct {
	Hash          string `json:"hash"`
	Confirmations int32  `json:"confirmations"`
	Height        int32  `json:"height"`
	Version       int32  `json:"version"`
	VersionHex    string `json:"versionHex"`
	MerkleRoot    string `json:"merkleroot"`
	Time          int64  `json:"time"`
	MedianTime    int64  `json:"mediantime"`
	Nonce         uint32 `json:"nonce"`
	Bits          string `json:"bits"`
	Difficulty    Float  `json:"difficulty"`
	ChainWork     string `json:"chainwork"`
	Txs           int    `json:"nTx"`
	Previous      string `json:"previousblockhash,omitempty"`
	Next          string `json:"nextblockhash,omitempty"`
}

func (a *api) headerJSON(info ledger.BlockInfo) headerJSON {
	s, h := info.State, info.State.Header
	j := headerJSON{
		Hash:          s.Hash.String(),
		Confirmations: a.confirmations(s),
		Height:        s.Height,
		Version:       h.Version,
		VersionHex:    bitsHex(uint32(h.Version)),
		MerkleRoot:    h.MerkleRoot.String(),
		Time:          h.Timestamp.Unix(),
		MedianTime:    s.MedianTime().Unix(),
		Nonce:         h.Nonce,
		Bits:          bitsHex(h.Bits),
		Difficulty:    difficulty(h.Bits),
		ChainWork:     s.Work.String(),
		Txs:           info.Txs,
	}
	if s.Height > 0 {
		j.Previous = h.PrevBlock.String()
	}
	if info.Next != (chainhash.Hash{}) {
		j.Next = info.Next.String()
	}
	return j
}

func (a *api) getBlockHeader(_ context.Context, c *Call) (any, error) {
	hash, err := c.hash(0, "hash")
	if err != nil {
		return nil, err
	}
	info, err := a.info(hash)
	if err != nil {
		return nil, err
	}
	if c.BoolOr(1, true) {
		return a.headerJSON(info), nil
	}
	var w bytes.Buffer
	if err := info.State.Header.Serialize(&w); err != nil {
		return nil, err
	}
	return hex.EncodeToString(w.Bytes()), nil
}

// blockJSON is a block as getblock shows it.
type blockJSON struct {
	headerJSON
	StrippedSize int `json:"strippedsize"`
	Size         int `json:"size"`
	Weight       int `json:"weight"`
	Tx           any `json:"tx"`
}

func (a *api) getBlock(_ context.Context, c *Call) (any, error) {
	hash, err := c.hash(0, "blockhash")
	if err != nil {
		return nil, err
	}
	verbosity, err := c.verbosity(1, 1)
	if err != nil {
		return nil, err
	}
	info, err := a.info(hash)
	if err != nil {
		return nil, err
	}
	if verbosity <= 0 {
		raw, err := a.Chain.RawBlock(hash)
		if err != nil {
			return nil, dataError(err)
		}
		return hex.EncodeToString(raw), nil
	}
	b, err := a.Chain.Block(hash)
	if err != nil {
		return nil, dataError(err)
	}
	info.Txs = len(b.Txs)
	j := blockJSON{headerJSON: a.headerJSON(info), StrippedSize: b.StrippedSize(), Size: b.Size(), Weight: b.Weight()}
	if verbosity == 1 {
		j.Tx = txidsOf(b)
		return j, nil
	}
	coins, err := a.spentBy(b, info.State.Height)
	if err != nil {
		return nil, err
	}
	txs := make([]txJSON, len(b.Txs))
	for i, tx := range b.Txs {
		txs[i] = a.txJSON(tx, txView{hex: true, spent: coins, prevout: verbosity >= 3})
	}
	j.Tx = txs
	return j, nil
}

func txidsOf(b *consensus.Block) []string {
	ids := make([]string, len(b.Txs))
	for i, tx := range b.Txs {
		ids[i] = tx.TxID().String()
	}
	return ids
}

// spentBy returns the coins that the transactions of a block spend, its own outputs included. It returns nil if
// they are not known: the block was pruned, or never connected.
func (a *api) spentBy(b *consensus.Block, height int32) (consensus.Coins, error) {
	undo, err := a.Chain.UndoOf(b.Hash())
	switch {
	case errors.Is(err, ledger.ErrPruned) || errors.Is(err, ledger.ErrNoData):
		return nil, nil
	case err != nil:
		return nil, errorf(CodeInternal, "Undo data expected but can't be read. This could be due to disk corruption or a conflict with a pruning event.")
	}
	coins := make(consensus.Coins, len(undo))
	for _, e := range undo {
		coins[e.OutPoint] = e.Coin
	}
	for i, tx := range b.Txs {
		for n, out := range tx.Msg.TxOut {
			op := wire.OutPoint{Hash: tx.TxID(), Index: uint32(n)}
			coins[op] = outputCoin(out, height, i == 0)
		}
	}
	return coins, nil
}
