package node

import (
	"os"
	"runtime/debug"
)

// fewFiles is a limit on open files below which a node with many peers may fail: each peer takes one, each table of the database too.
const fewFiles = 1024

// checkLimits tells the operator of limits that will hurt.
func (o Options) checkLimits() {
	if limit, known := openFileLimit(); known && limit < fewFiles {
		o.Log.Warn("few files may be open: raise the limit with 'ulimit -n', or lower --max-peers", "limit", limit)
	}
}

// gcPercent trades a little processor time for memory: a node idles with little live data, and the default lets garbage grow to as much again.
const gcPercent = 50

// restMiB is what a node takes besides its budgets at most: blocks on their way, peers, scripts that were verified, code.
const restMiB = 384

// tuneMemory sets up the garbage collector, unless the environment does. Near the limit garbage is collected more often, so that it does not come
// on top of full budgets; idle nodes are far below.
func (o Options) tuneMemory() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(o.memoryLimit())
	}
}

// memoryLimit returns the bytes of memory that the node should keep below.
func (o Options) memoryLimit() int64 { return int64(o.CacheMiB+o.MempoolMiB+restMiB) << 20 }
