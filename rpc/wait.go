package rpc

import (
	"context"
	"time"

	"groat/consensus"
)

func (a *api) waitMethods() []Method {
	timeout := Arg{Name: "timeout", Type: ArgInt, Default: "0", Help: "Time in milliseconds to wait for a response. 0 indicates no timeout."}
	const result = "{hash, height}"
	return []Method{
		{
			Name: "waitfornewblock", Category: categoryHidden, Run: a.waitForNewBlock, Args: []Arg{timeout}, Result: result,
			Help: "Waits for any new block and returns useful info about it.\n\nReturns the current block on timeout or exit.",
		},
		{
			Name: "waitforblock", Category: categoryHidden, Run: a.waitForBlock, Result: result,
			Args: []Arg{{Name: "blockhash", Type: ArgHex, Required: true, Help: "Block hash to wait for."}, timeout},
			Help: "Waits for a specific new block and returns useful info about it.\n\nReturns the current block on timeout or exit.",
		},
		{
			Name: "waitforblockheight", Category: categoryHidden, Run: a.waitForBlockHeight, Result: result,
			Args: []Arg{{Name: "height", Type: ArgInt, Required: true, Help: "Block height to wait for."}, timeout},
			Help: "Waits for (at least) block height and returns the height and hash\nof the current tip.\n\nReturns the current block on timeout or exit.",
		},
		{
			Name: "syncwithvalidationinterfacequeue", Category: categoryHidden, Run: a.syncFollowers, Result: "null",
			Help: "Waits for the mempool to catch up with everything that was in the chain when we entered this function.",
		},
	}
}

func (a *api) waitForNewBlock(ctx context.Context, c *Call) (any, error) {
	start := a.Chain.Tip().Hash
	return a.waitTip(ctx, c, c.Int(0), func(s consensus.State) bool { return s.Hash != start })
}

func (a *api) waitForBlock(ctx context.Context, c *Call) (any, error) {
	hash, err := c.hash(0, "blockhash")
	if err != nil {
		return nil, err
	}
	return a.waitTip(ctx, c, c.Int(1), func(s consensus.State) bool { return s.Hash == hash })
}

func (a *api) waitForBlockHeight(ctx context.Context, c *Call) (any, error) {
	height := c.Int(0)
	return a.waitTip(ctx, c, c.Int(1), func(s consensus.State) bool { return int64(s.Height) >= height })
}

// waitTip waits until the tip is as wanted, or for so many milliseconds, and returns the tip.
func (a *api) waitTip(ctx context.Context, c *Call, milliseconds int64, wanted func(consensus.State) bool) (any, error) {
	if milliseconds < 0 {
		return nil, errorf(CodeMisc, "Negative timeout")
	}
	if milliseconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(milliseconds)*time.Millisecond)
		defer cancel()
	}
	var tip consensus.State
	c.Idle(func() { tip = followTip(ctx, a.Chain, wanted) })
	return struct {
		Hash   string `json:"hash"`
		Height int32  `json:"height"`
	}{tip.Hash.String(), tip.Height}, nil
}

// followTip returns the tip once it is as wanted or ctx has ended.
func followTip(ctx context.Context, chain Chain, wanted func(consensus.State) bool) consensus.State {
	wake, stop := chain.Watch()
	defer stop()
	for {
		tip := chain.Tip()
		if wanted(tip) {
			return tip
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return tip
		}
	}
}

func (a *api) syncFollowers(ctx context.Context, _ *Call) (any, error) {
	return nil, a.Pool.CatchUp(ctx)
}
