package chain

// Points returns the names of the places on the commit path at which Options.Point is called, in about the order in which a run comes by. What
// follows a name in a flush happens only after it.
func Points() []string {
	return []string{
		pointBlock, pointUndo, pointReorg, pointReorgStep, pointFlush, pointBlocksSynced, pointUndosSynced,
		pointIndex, pointGoal, pointCoins, pointPlace, pointFlushed, pointReplay, pointReplayed, pointPruned, pointRemoved,
	}
}

const (
	pointBlock        = "after-block-append"
	pointUndo         = "after-undo-append"
	pointReorg        = "reorg-after-undo"    // all is undone and nothing connected
	pointReorgStep    = "reorg-step"          // a long way down was committed in between
	pointFlush        = "flush-begin"         //
	pointBlocksSynced = "after-block-sync"    //
	pointUndosSynced  = "after-undo-sync"     // nothing is written to the store yet
	pointIndex        = "flush-first-part"    // in a flush of several transactions: the index was written
	pointGoal         = "flush-goal"          // and the goal
	pointCoins        = "flush-middle"        // and a part of the coins
	pointPlace        = "flush-before-place"  // and all coins
	pointFlushed      = "after-flush"         //
	pointReplay       = "replay-middle"       // while Open finishes an interrupted flush: a block was worked out again
	pointReplayed     = "replay-before-place" // and the coins were written
	pointPruned       = "prune-after-index"   // the index says that blocks are gone, but they are not
	pointRemoved      = "prune-after-file"    // one of the files is
)

// point tells whoever wants to know that the writer is at a named place.
func (c *Chain) point(name string) {
	if c.o.Point != nil {
		c.o.Point(name)
	}
}
