package rpc

import (
	"context"
	"errors"

	"groat/consensus"
)

const (
	defaultCheckLevel  = 3
	defaultCheckBlocks = 6
)

func (a *api) verifyMethods() []Method {
	return []Method{{
		Name: "verifychain", Category: "blockchain", Run: a.verifyChain,
		Args: []Arg{
			{
				Name: "checklevel", Type: ArgInt, Default: "3",
				Help: "How thorough the block verification is:\n0: the block can be read\n1: it is valid by itself\n2: its undo record can be read\n" +
					"3: it connects to what it spent\n4: the scripts of what it spent agree, too",
			},
			{Name: "nblocks", Type: ArgInt, Default: "6, 0=all", Help: "The number of blocks to check."},
		},
		Help: "Verifies blockchain database.", Result: "true|false    (boolean) Verification finished successfully. If false, check the log for reason.",
	}}
}

func (a *api) verifyChain(ctx context.Context, c *Call) (any, error) {
	level := c.IntOr(0, defaultCheckLevel)
	tip := a.Chain.Tip()
	blocks := c.IntOr(1, defaultCheckBlocks)
	if blocks <= 0 || blocks > int64(tip.Height) {
		blocks = int64(tip.Height)
	}
	hash := tip.Hash
	for range blocks { // from the tip downwards, by hash: the best chain may change meanwhile
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		info, err := a.info(hash)
		if err != nil {
			return nil, err
		}
		if err := a.verifyBlock(info.State, level); err != nil {
			a.log.Error("A block does not verify", "height", info.State.Height, "hash", hash, "err", err)
			return false, nil
		}
		hash = info.State.Header.PrevBlock
	}
	return true, nil
}

// verifyBlock checks a block of the best chain, which is not the first, against what is stored of it.
func (a *api) verifyBlock(s consensus.State, level int64) error {
	b, err := a.Chain.Block(s.Hash)
	if err != nil || level < 1 {
		return err
	}
	if err := consensus.CheckBlock(a.Params, b); err != nil || level < 2 {
		return err
	}
	undo, err := a.Chain.UndoOf(s.Hash)
	if err != nil || level < 3 {
		return err
	}
	parent, err := a.Chain.Info(s.Header.PrevBlock)
	if err != nil {
		return err
	}
	if err := consensus.CheckBlockPlace(parent.State, b); err != nil {
		return err
	}
	spent := make(consensus.Coins, len(undo))
	for _, e := range undo {
		spent[e.OutPoint] = e.Coin
	}
	delta, err := consensus.Connect(parent.State, b, spent)
	if err != nil {
		return err
	}
	if len(delta.Spent) != len(undo) {
		return errors.New("the undo record has other coins than the block spends")
	}
	if level < 4 {
		return nil
	}
	for _, check := range consensus.ScriptChecks(parent.State, b, spent) {
		if err := check.Verify(); err != nil {
			return err
		}
	}
	return nil
}
