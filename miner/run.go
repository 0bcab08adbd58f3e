package miner

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

const (
	refresh = 5 * time.Second // after which a template is made anew: for the clock and for new transactions
	pause   = time.Second     // between blocks of a network whose work is trivial
)

// MineOptions say how to mine.
type MineOptions struct {
	Script  []byte // the coinbases pay to it
	Threads int    // that grind; at least one does
}

// Run mines on the tip of the chain until ctx ends, whoever made it and whether or not anybody listens. On a test network it makes a block a
// second at most. The error is a failure of this node.
func (m *Miner) Run(ctx context.Context, o MineOptions) error {
	tips, stop := m.chain.Watch()
	defer stop()
	for {
		found, err := m.mineOne(ctx, o, tips)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case found && m.chain.Tip().Params().TestNetwork:
			wait(ctx, pause)
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// mineOne works on one template until it is stale, and reports whether it gave a block.
func (m *Miner) mineOne(ctx context.Context, o MineOptions, tips <-chan struct{}) (bool, error) {
	_, t, err := m.template(ctx, o.Script)
	if err != nil {
		return false, err
	}
	start := time.Now()
	msg, tries := m.grindAll(ctx, t, max(o.Threads, 1), tips)
	if took := time.Since(start).Seconds(); took > 0 {
		m.log.Debug("mining", "height", t.Height, "hashrate", math.Round(float64(tries)/took), "txs", len(t.Block.Transactions)-1)
	}
	if msg == nil {
		return false, nil
	}
	hash, err := m.submit(ctx, consensus.NewBlock(msg))
	if errors.Is(err, errStale) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m.log.Info("mined a block", "height", t.Height, "hash", hash, "txs", len(msg.Transactions)-1)
	return true, nil
}

// grindAll lets threads grind t, each with extra nonces of its own, until one finds a block, the tip moves, the template is old or ctx ends. It
// returns nil without a block, and how many nonces were tried, when all threads have ended.
func (m *Miner) grindAll(ctx context.Context, t *ledger.Template, threads int, tips <-chan struct{}) (*wire.MsgBlock, uint64) {
	ctx, cancel := context.WithTimeout(ctx, refresh)
	defer cancel()
	var wg sync.WaitGroup
	var tried atomic.Uint64
	var block atomic.Pointer[wire.MsgBlock]
	for range threads {
		msg := *t.Block
		msg.Transactions = slices.Clone(t.Block.Transactions)
		extra := m.nextExtra()
		setExtra(&msg, extra)
		wg.Go(func() {
			found, n := grind(ctx, &msg, extra, noLimit)
			tried.Add(n)
			if found && block.CompareAndSwap(nil, &msg) {
				cancel()
			}
		})
	}
	done := make(chan struct{})
	go func() { // ends with the threads, which are waited for below
		wg.Wait()
		close(done)
	}()
	for {
		select {
		case <-done:
			return block.Load(), tried.Load()
		case <-tips:
			if m.chain.Tip().Hash != t.Block.Header.PrevBlock {
				cancel()
			}
		}
	}
}
