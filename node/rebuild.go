package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"groat/chain"
	"groat/internal/disk"
	"groat/internal/ledger"
	"groat/internal/store"
)

// rebuildFile is there from the first moment in which a rebuild has taken something away until its end.
const rebuildFile = "rebuild.json"

// rebuildState is what it holds: a rebuild that was killed before all was taken away begins again, a later one goes on.
type rebuildState struct {
	Cleared bool `json:"cleared"`
}

// errRebuilding says that a rebuild has to be finished first.
var errRebuilding = errors.New("a rebuild was interrupted")

// NeedsRebuild says whether err means that nothing can be done with the data directory before it is rebuilt.
func NeedsRebuild(err error) bool {
	for _, why := range []error{chain.ErrDamaged, chain.ErrOutdated, store.ErrDamaged, errRebuilding} {
		if errors.Is(err, why) {
			return true
		}
	}
	return false
}

func (d *dataDir) rebuilding() bool {
	_, err := os.Stat(filepath.Join(d.path, rebuildFile))
	return err == nil
}

// Rebuild makes the index, the coins and the undo records of the data directory anew from its block files, by all rules, without a network or RPC.
// report is called after every block.
func Rebuild(ctx context.Context, o Options, report func(Progress)) (set ledger.SetInfo, err error) {
	dir, err := openExistingDataDir(o.dir(), o.Params)
	if err != nil {
		return set, err
	}
	defer func() { err = o.closed(err, dir.close()) }()
	if err := clearForRebuild(dir, o); err != nil {
		return set, err
	}
	memory := memoryLimit{coins: o.budget()}
	report = memory.reporting(report)
	l, err := buildLedger(o, time.Now, dir, func(o chain.Options) (*chain.Chain, error) { return chain.Rebuild(ctx, o, report) })
	if err != nil {
		return set, err
	}
	if set, err = l.chain.UTXOSet(ctx, ledger.HashSerialized); err != nil {
		return set, o.closed(err, l.close())
	}
	if err := l.close(); err != nil {
		return set, err
	}
	return set, os.Remove(filepath.Join(dir.path, rebuildFile))
}

// clearForRebuild removes what is to be made anew, unless an earlier rebuild has done so.
func clearForRebuild(dir *dataDir, o Options) error {
	name := filepath.Join(dir.path, rebuildFile)
	var state rebuildState
	if readJSON(name, &state) == nil && state.Cleared {
		o.Log.Info("going on with a rebuild that was interrupted")
		return nil
	}
	if err := chain.CanRebuild(chain.Options{Dir: dir.blocks(), Params: o.Params}); err != nil {
		return err
	}
	if err := writeJSON(name, state); err != nil {
		return err
	}
	undos, err := filepath.Glob(filepath.Join(dir.blocks(), "rev*.dat"))
	for _, name := range undos {
		err = errors.Join(err, os.Remove(name))
	}
	// What is removed must not come back with a power cut after the note that it is gone.
	if err := errors.Join(err, os.RemoveAll(dir.store()), disk.SyncDir(dir.blocks()), disk.SyncDir(dir.path)); err != nil {
		return fmt.Errorf("remove what is to be made anew: %w", err)
	}
	state.Cleared = true
	return writeJSON(name, state)
}
