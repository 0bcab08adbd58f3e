package rpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func (a *api) miningMethods() []Method {
	return []Method{
		{
			Name: "getmininginfo", Category: "mining", Run: a.getMiningInfo,
			Help: "Returns a json object containing mining-related information.", Result: "{blocks, difficulty, networkhashps, pooledtx, chain, warnings}",
		},
		{
			Name: "getnetworkhashps", Category: "mining", Run: a.getNetworkHashPS,
			Args: []Arg{
				{Name: "nblocks", Type: ArgInt, Default: "120", Help: "The number of previous blocks to calculate estimate from, or -1 for blocks since last difficulty change."},
				{Name: "height", Type: ArgInt, Default: "-1", Help: "To estimate at the time of the given height."},
			},
			Help: "Returns the estimated network hashes per second based on the last n blocks.\n" +
				"Pass in [blocks] to override # of blocks, -1 specifies since last difficulty change.\n" +
				"Pass in [height] to estimate the network speed at the time when a certain block was found.",
			Result: "n    (numeric) Hashes per second estimated",
		},
		{
			Name: "submitblock", Category: "mining", Run: a.submitBlock,
			Args: []Arg{
				{Name: "hexdata", Type: ArgHex, Required: true, Help: "the hex-encoded block data to submit"},
				{Name: "dummy", Type: ArgString, Default: "ignored", Help: "dummy value, for compatibility with BIP22. This value is ignored."},
			},
			Help:   "Attempts to submit new block to network.\nSee https://en.bitcoin.it/wiki/BIP_0022 for full specification.",
			Result: "null, or a string according to BIP22",
		},
		{
			Name: "submitheader", Category: "mining", Run: a.submitHeader,
			Args: []Arg{{Name: "hexdata", Type: ArgHex, Required: true, Help: "the hex-encoded block header data"}},
			Help: "Decode the given hexdata as a header and submit it as a candidate chain tip if valid.\nThrows when the header is invalid.", Result: "null",
		},
	}
}

func (a *api) getMiningInfo(context.Context, *Call) (any, error) {
	tip := a.Chain.Tip()
	rate, err := a.hashRate(defaultWindow, tip.Height)
	if err != nil {
		return nil, err
	}
	j := struct {
		Blocks     int32    `json:"blocks"`
		Weight     *int     `json:"currentblockweight,omitempty"`
		Txs        *int     `json:"currentblocktx,omitempty"`
		Difficulty Float    `json:"difficulty"`
		HashRate   Float    `json:"networkhashps"`
		Pooled     int      `json:"pooledtx"`
		Chain      string   `json:"chain"`
		Warnings   []string `json:"warnings"`
	}{Blocks: tip.Height, Difficulty: difficulty(tip.Header.Bits), HashRate: rate, Pooled: a.Pool.Info().Count, Chain: a.Params.Chain, Warnings: []string{}}
	if txs, weight, ok := a.templates.size(); ok {
		j.Txs, j.Weight = &txs, &weight
	}
	return j, nil
}

const (
	defaultWindow  = 120  // blocks that getnetworkhashps looks at
	retargetWindow = 2016 // blocks of the same difficulty, at most, in Bitcoin's rule
)

func (a *api) getNetworkHashPS(_ context.Context, c *Call) (any, error) {
	blocks, height := c.IntOr(0, defaultWindow), c.IntOr(1, -1)
	tip := a.Chain.Tip()
	switch {
	case blocks < -1 || blocks == 0:
		return nil, errorf(CodeInvalidParameter, "Invalid nblocks. Must be a positive number or -1.")
	case height < -1 || height > int64(tip.Height):
		return nil, errorf(CodeInvalidParameter, "Block does not exist at specified height")
	case height == -1:
		height = int64(tip.Height)
	}
	return a.hashRate(blocks, int32(height))
}

// hashRate estimates the hashes per second that found the last blocks up to height; -1 for those since the last retarget.
func (a *api) hashRate(blocks int64, height int32) (Float, error) {
	if blocks == -1 {
		blocks = int64(height%retargetWindow) + 1
	}
	blocks = min(blocks, int64(height))
	if blocks == 0 {
		return 0, nil
	}
	last, err := a.at(height)
	if err != nil {
		return 0, err
	}
	first, earliest, latest := last, last.State.Header.Timestamp, last.State.Header.Timestamp
	for range blocks {
		if first, err = a.at(first.State.Height - 1); err != nil {
			return 0, err
		}
		at := first.State.Header.Timestamp
		if at.Before(earliest) {
			earliest = at
		}
		if at.After(latest) {
			latest = at
		}
	}
	seconds := latest.Unix() - earliest.Unix()
	if seconds == 0 {
		return 0, nil
	}
	work, _ := new(big.Float).SetInt(last.State.Work.Sub(first.State.Work).Big()).Float64()
	return Float(work / float64(seconds)), nil
}

func (a *api) submitBlock(ctx context.Context, c *Call) (any, error) {
	b, ok := parseBlock(c.String(0))
	if !ok {
		return nil, errorf(CodeDecode, "Block decode failed")
	}
	if len(b.Txs) == 0 || !consensus.IsCoinbase(b.Txs[0]) {
		return nil, errorf(CodeDecode, "Block does not start with a coinbase")
	}
	if verdict := a.knownVerdict(b.Hash()); verdict == "duplicate" || verdict == "duplicate-invalid" {
		return verdict, nil
	}
	prev, _ := a.Chain.Info(b.Header.PrevBlock) // if it is unknown, AddBlock says so
	added, err := a.Chain.AddBlock(ctx, a.completeBlock(b))
	if errors.Is(err, consensus.ErrPrevInvalid) && prev.Status != ledger.Invalid {
		return "inconclusive", nil // it made its branch the best, and one before it was refused: nothing was found out about it
	}
	if reason, refused := reasonOf(err); refused {
		return reason, nil
	}
	switch {
	case err != nil:
		return nil, err
	case added.Known:
		return "duplicate", nil
	case !added.Active:
		return "inconclusive", nil
	}
	return nil, a.Pool.CatchUp(ctx)
}

// parseBlock reads a serialized block in hexadecimal.
func parseBlock(text string) (*consensus.Block, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, false
	}
	b, err := consensus.ParseBlock(raw)
	return b, err == nil
}

// knownVerdict returns BIP22's word for a block that is in the tree already, "" if it is not.
func (a *api) knownVerdict(hash chainhash.Hash) string {
	info, err := a.Chain.Info(hash)
	if err != nil {
		return ""
	}
	switch info.Status {
	case ledger.Active, ledger.ValidFork:
		return "duplicate"
	case ledger.Invalid:
		return "duplicate-invalid"
	}
	return "duplicate-inconclusive"
}

// completeBlock adds the witness reserved value, which is not part of what was hashed, to the coinbase of a miner
// that left it out.
func (a *api) completeBlock(b *consensus.Block) *consensus.Block {
	prev, err := a.Chain.Info(b.Header.PrevBlock)
	coinbase := b.Txs[0].Msg
	if err != nil || prev.State.Height+1 < a.Params.SegwitHeight || coinbase.HasWitness() || !commitsWitness(coinbase) {
		return b
	}
	completed := coinbase.Copy()
	completed.TxIn[0].Witness = wire.TxWitness{make([]byte, chainhash.HashSize)}
	txs := slices.Clone(b.Txs)
	txs[0] = consensus.NewTx(completed)
	return consensus.AssembleBlock(b.Header, txs)
}

// commitsWitness reports whether a coinbase has an output that commits to the witnesses (BIP141).
func commitsWitness(coinbase *wire.MsgTx) bool {
	like := consensus.CommitmentScript([32]byte{})
	prefix := like[:len(like)-chainhash.HashSize]
	return slices.ContainsFunc(coinbase.TxOut, func(out *wire.TxOut) bool {
		return len(out.PkScript) >= len(like) && bytes.HasPrefix(out.PkScript, prefix)
	})
}

func (a *api) submitHeader(ctx context.Context, c *Call) (any, error) {
	raw, err := hex.DecodeString(c.String(0))
	if err != nil {
		return nil, errorf(CodeDecode, "Block header decode failed")
	}
	h, err := consensus.ParseHeader(raw)
	if err != nil {
		return nil, errorf(CodeDecode, "Block header decode failed")
	}
	if _, err := a.Chain.Info(h.PrevBlock); errors.Is(err, ledger.ErrUnknownBlock) {
		return nil, errorf(CodeVerify, "Must submit previous header (%v) first", h.PrevBlock)
	}
	if a.knownVerdict(h.BlockHash()) == "duplicate-invalid" {
		return nil, errorf(CodeVerify, "duplicate")
	}
	_, err = a.Chain.AddHeaders(ctx, []wire.BlockHeader{h})
	if reason, refused := reasonOf(err); refused {
		return nil, errorf(CodeVerify, "%s", reason)
	}
	return nil, err
}
