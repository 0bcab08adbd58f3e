package node

import (
	"context"
	"log/slog"
	"time"

	"groat/consensus"
	"groat/internal/ledger"
)

// How often the operator is told of what at most.
const (
	tipEvery     = time.Second
	syncEvery    = 5 * time.Second
	standstill   = time.Minute // without a new block while some are missing
	syncDistance = 12          // blocks behind the best header from which on it is a download, not a new tip
)

// observed is the chain as an observer sees it.
type observed interface {
	Tip() consensus.State
	BestHeader() consensus.State
	Storage() ledger.Storage
	Watch() (wake <-chan struct{}, stop func())
}

// observer tells the operator of new tips and, during a download, how far it has come. However fast blocks come, the log grows slowly.
type observer struct {
	chain observed   // set once
	peers func() int // set once
	log   *slog.Logger

	told    consensus.State // the tip that the operator was told of last
	at      time.Time       // when he was
	syncing bool            // it was in a download
}

// run tells until ctx ends. A change during a pause is told after it, so the last line is never an old tip.
func (o *observer) run(ctx context.Context) error {
	wake, stop := o.chain.Watch()
	defer stop()
	o.told, o.at = o.chain.Tip(), time.Now()
	for {
		pause := time.Duration(0)
		select {
		case <-wake:
			pause = o.tell(time.Now())
		case <-time.After(standstill):
			o.complain()
		case <-ctx.Done():
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// tell tells of the tip if it is a new one, and returns how long to be silent then.
func (o *observer) tell(now time.Time) (pause time.Duration) {
	tip, best := o.chain.Tip(), o.chain.BestHeader()
	if tip.Hash == o.told.Hash {
		return 0
	}
	blocks, took, before := tip.Height-o.told.Height, now.Sub(o.at), o.syncing
	behind := best.Height - tip.Height
	o.told, o.at, o.syncing = tip, now, behind >= syncDistance
	if !o.syncing {
		o.log.Info("new tip", "height", tip.Height, "hash", tip.Hash, "blocks", blocks)
		return tipEvery
	}
	line := []any{"height", tip.Height, "headers", best.Height, "peers", o.peers(), "cache_mib", o.chain.Storage().CacheBytes >> 20}
	if before && blocks > 0 { // else the time before the download would count
		rate := float64(blocks) / took.Seconds()
		left := time.Duration(float64(behind) / rate * float64(time.Second)).Round(time.Second)
		line = append(line, "blocks_per_second", int(rate+0.5), "left", left)
	}
	o.log.Info("downloading blocks", line...)
	return syncEvery
}

// complain tells of blocks that are missing and do not come.
func (o *observer) complain() {
	tip, best := o.chain.Tip(), o.chain.BestHeader()
	if best.Height > tip.Height {
		o.log.Info("no new block for a minute", "height", tip.Height, "headers", best.Height, "peers", o.peers())
	}
}
