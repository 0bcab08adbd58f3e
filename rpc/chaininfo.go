package rpc

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func (a *api) chainMethods() []Method {
	block := Arg{Name: "blockhash", Type: ArgHex, Required: true, Help: "the hash of the block"}
	return []Method{
		{
			Name: "getblockchaininfo", Category: "blockchain", Run: a.getBlockchainInfo,
			Help: "Returns an object containing various state info regarding blockchain processing.", Result: "{...}",
		},
		{
			Name: "getdifficulty", Category: "blockchain", Run: a.getDifficulty,
			Help:   "Returns the proof-of-work difficulty as a multiple of the minimum difficulty.",
			Result: "n    (numeric) the proof-of-work difficulty as a multiple of the minimum difficulty.",
		},
		{
			Name: "getchaintips", Category: "blockchain", Run: a.getChainTips,
			Help:   "Return information about all known tips in the block tree, including the main chain as well as orphaned branches.",
			Result: "[{height, hash, branchlen, status}, ...]",
		},
		{
			Name: "getdeploymentinfo", Category: "blockchain", Run: a.getDeploymentInfo,
			Args:   []Arg{{Name: "blockhash", Type: ArgHex, Default: "hash of current chain tip", Help: "The block hash at which to query deployment state"}},
			Help:   "Returns an object containing various state info regarding deployments of consensus changes.",
			Result: "{hash, height, deployments}",
		},
		{
			Name: "getchaintxstats", Category: "blockchain", Run: a.getChainTxStats,
			Args: []Arg{
				{Name: "nblocks", Type: ArgInt, Default: "one month", Help: "Size of the window in number of blocks"},
				{Name: "blockhash", Type: ArgHex, Default: "chain tip", Help: "The hash of the block that ends the window."},
			},
			Help: "Compute statistics about the total number and rate of transactions in the chain.", Result: "{...}",
		},
		{
			Name: "invalidateblock", Category: categoryHidden, Run: a.mark(Chain.Invalidate),
			Args: []Arg{block}, Help: "Permanently marks a block as invalid, as if it violated a consensus rule.", Result: "null",
		},
		{
			Name: "reconsiderblock", Category: categoryHidden, Run: a.mark(Chain.Reconsider),
			Args: []Arg{block}, Result: "null",
			Help: "Removes invalidity status of a block, its ancestors and its descendants, reconsider them for activation.\n" +
				"This can be used to undo the effects of invalidateblock.",
		},
		{
			Name: "preciousblock", Category: "blockchain", Run: a.mark(Chain.Precious),
			Args: []Arg{block}, Result: "null",
			Help: "Treats a block as if it were received before others with the same work.\n\n" +
				"A later preciousblock call can override the effect of an earlier one.\n\n" +
				"The effects of preciousblock last across restarts.",
		},
	}
}

// chainInfo is what getblockchaininfo returns.
type chainInfo struct {
	Chain           string   `json:"chain"`
	Blocks          int32    `json:"blocks"`
	Headers         int32    `json:"headers"`
	BestBlockHash   string   `json:"bestblockhash"`
	Difficulty      Float    `json:"difficulty"`
	Time            int64    `json:"time"`
	MedianTime      int64    `json:"mediantime"`
	Progress        Float    `json:"verificationprogress"`
	InitialDownload bool     `json:"initialblockdownload"`
	ChainWork       string   `json:"chainwork"`
	SizeOnDisk      int64    `json:"size_on_disk"`
	Pruned          bool     `json:"pruned"`
	PruneHeight     *int32   `json:"pruneheight,omitempty"`
	Automatic       *bool    `json:"automatic_pruning,omitempty"`
	PruneTarget     int64    `json:"prune_target_size,omitempty"`
	Warnings        []string `json:"warnings"`
}

func (a *api) getBlockchainInfo(context.Context, *Call) (any, error) {
	tip, pruning := a.Chain.Tip(), a.Chain.Pruning()
	info := chainInfo{
		Chain:           a.Params.Chain,
		Blocks:          tip.Height,
		Headers:         a.Chain.BestHeader().Height,
		BestBlockHash:   tip.Hash.String(),
		Difficulty:      difficulty(tip.Header.Bits),
		Time:            tip.Header.Timestamp.Unix(),
		MedianTime:      tip.MedianTime().Unix(),
		Progress:        a.progress(tip),
		InitialDownload: a.Chain.InitialDownload(),
		ChainWork:       tip.Work.String(),
		SizeOnDisk:      a.Chain.DiskSize(),
		Pruned:          pruning.Pruned,
		Warnings:        []string{},
	}
	if pruning.Pruned {
		info.PruneHeight, info.Automatic, info.PruneTarget = &pruning.Height, &pruning.Automatic, pruning.Target
	}
	return info, nil
}

// progress estimates how much of the chain has been verified, in blocks: those that are known, or those that should have been found by now.
func (a *api) progress(tip consensus.State) Float {
	have := float64(tip.Height) + 1
	want := float64(a.Chain.BestHeader().Height) + 1
	if !a.Params.TestNetwork { // blocks come at will on a test network
		behind := a.now().Sub(tip.Header.Timestamp)
		want = max(want, have+float64(behind/a.Params.BlockInterval))
	}
	return Float(min(1, have/want))
}

func (a *api) getDifficulty(context.Context, *Call) (any, error) {
	return difficulty(a.Chain.Tip().Header.Bits), nil
}

func (a *api) getChainTips(context.Context, *Call) (any, error) {
	type tipJSON struct {
		Height int32         `json:"height"`
		Hash   string        `json:"hash"`
		Branch int32         `json:"branchlen"`
		Status ledger.Status `json:"status"`
	}
	tips := a.Chain.Tips()
	slices.SortStableFunc(tips, func(x, y ledger.Tip) int { return cmp.Compare(y.Height, x.Height) })
	list := make([]tipJSON, len(tips))
	for i, t := range tips {
		list[i] = tipJSON{t.Height, t.Hash.String(), t.BranchLength, t.Status}
	}
	return list, nil
}

// mark returns the handler of a method that changes what is thought of a block. The pool follows before it answers.
func (a *api) mark(change func(Chain, context.Context, chainhash.Hash) error) func(context.Context, *Call) (any, error) {
	return func(ctx context.Context, c *Call) (any, error) {
		hash, err := c.hash(0, "blockhash")
		if err != nil {
			return nil, err
		}
		if _, err := a.info(hash); err != nil {
			return nil, err
		}
		if err := change(a.Chain, ctx, hash); err != nil {
			if reason, ok := reasonOf(err); ok {
				return nil, errorf(CodeDatabase, "%s", reason)
			}
			return nil, err
		}
		return nil, a.Pool.CatchUp(ctx)
	}
}

// deployment is a change of the rules that miners signal for (BIP9).
type deployment struct {
	Type   string   `json:"type"`
	Height int32    `json:"height"`
	Active bool     `json:"active"`
	BIP9   bip9JSON `json:"bip9"`
}

// buried is a change of the rules that is part of the network's definition.
type buried struct {
	Type   string `json:"type"`
	Active bool   `json:"active"`
	Height int32  `json:"height"`
}

type bip9JSON struct {
	StartTime  int64  `json:"start_time"`
	Timeout    int64  `json:"timeout"`
	MinHeight  int32  `json:"min_activation_height"`
	Status     string `json:"status"`
	Since      int32  `json:"since"`
	StatusNext string `json:"status_next"`
}

// alwaysActive is how Core shows a deployment that needs no signals. Taproot's rules hold from the first block on
// every network of ours.
func alwaysActive() deployment {
	const startAlways, noTimeout = -1, math.MaxInt64
	return deployment{
		Type: "bip9", Active: true,
		BIP9: bip9JSON{StartTime: startAlways, Timeout: noTimeout, Status: "active", StatusNext: "active"},
	}
}

func (a *api) getDeploymentInfo(_ context.Context, c *Call) (any, error) {
	s := a.Chain.Tip()
	if c.Has(0) {
		hash, err := c.hash(0, "blockhash")
		if err != nil {
			return nil, err
		}
		info, err := a.info(hash)
		if err != nil {
			return nil, err
		}
		s = info.State
	}
	since := func(height int32) buried { return buried{"buried", s.Height+1 >= height, height} }
	p := a.Params
	return struct {
		Hash        string `json:"hash"`
		Height      int32  `json:"height"`
		Deployments any    `json:"deployments"`
	}{
		s.Hash.String(), s.Height,
		struct {
			BIP34   buried     `json:"bip34"`
			BIP66   buried     `json:"bip66"`
			BIP65   buried     `json:"bip65"`
			CSV     buried     `json:"csv"`
			Segwit  buried     `json:"segwit"`
			Taproot deployment `json:"taproot"`
		}{
			since(p.BIP34Height), since(p.BIP66Height), since(p.BIP65Height),
			since(p.CSVHeight), since(p.SegwitHeight), alwaysActive(),
		},
	}, nil
}

// windowJSON is the answer of getchaintxstats.
type windowJSON struct {
	Time        int64  `json:"time"`
	Txs         int    `json:"txcount,omitempty"`
	FinalHash   string `json:"window_final_block_hash"`
	FinalHeight int32  `json:"window_final_block_height"`
	Blocks      int32  `json:"window_block_count"`
	Interval    *int64 `json:"window_interval,omitempty"`
	WindowTxs   int    `json:"window_tx_count,omitempty"`
	Rate        Float  `json:"txrate,omitempty"`
}

func (a *api) getChainTxStats(ctx context.Context, c *Call) (any, error) {
	last, err := a.statsEnd(c)
	if err != nil {
		return nil, err
	}
	blocks := max(0, min(int32(monthSeconds/int64(a.Params.BlockInterval.Seconds())), last.State.Height-1))
	if c.Has(0) {
		n := c.Int(0)
		if n < 0 || (n > 0 && n >= int64(last.State.Height)) {
			return nil, errorf(CodeInvalidParameter, "Invalid block count: should be between 0 and the block's height - 1")
		}
		blocks = int32(n)
	}
	total, window, err := a.countTxs(ctx, last.State, blocks)
	if err != nil {
		return nil, err
	}
	j := windowJSON{
		Time: last.State.Header.Timestamp.Unix(), Txs: total,
		FinalHash: last.State.Hash.String(), FinalHeight: last.State.Height, Blocks: blocks,
	}
	if blocks == 0 {
		return j, nil
	}
	first, err := a.at(last.State.Height - blocks)
	if err != nil {
		return nil, err
	}
	took := last.State.MedianTime().Unix() - first.State.MedianTime().Unix()
	j.Interval, j.WindowTxs = &took, window
	if took > 0 {
		j.Rate = Float(window) / Float(took)
	}
	return j, nil
}

const monthSeconds = 30 * 24 * 60 * 60

// statsEnd returns the block that ends the window of getchaintxstats.
func (a *api) statsEnd(c *Call) (ledger.BlockInfo, error) {
	if !c.Has(1) {
		return a.info(a.Chain.Tip().Hash)
	}
	hash, err := c.hash(1, "blockhash")
	if err != nil {
		return ledger.BlockInfo{}, err
	}
	info, err := a.info(hash)
	if err != nil {
		return ledger.BlockInfo{}, err
	}
	if !a.active(info.State) {
		return ledger.BlockInfo{}, errorf(CodeInvalidParameter, "Block is not in main chain")
	}
	return info, nil
}

// countTxs returns the number of transactions from the genesis up to a block of the best chain, and in the last blocks of them.
func (a *api) countTxs(ctx context.Context, last consensus.State, blocks int32) (total, window int, err error) {
	hash := last.Hash // by hash: the best chain may change meanwhile
	for height := last.Height; height >= 0; height-- {
		info, err := a.info(hash)
		if err != nil {
			return 0, 0, err
		}
		hash = info.State.Header.PrevBlock
		total += info.Txs
		if height > last.Height-blocks {
			window += info.Txs
		}
		if height%1024 == 0 && ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
	}
	return total, window, nil
}
