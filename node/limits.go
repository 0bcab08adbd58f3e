package node

// fewFiles is a limit on open files below which a node with many peers may fail: each peer takes one, each table of the database too.
const fewFiles = 1024

// checkLimits tells the operator of limits that will hurt.
func (o Options) checkLimits() {
	if limit, known := openFileLimit(); known && limit < fewFiles {
		o.Log.Warn("few files may be open: raise the limit with 'ulimit -n', or lower --max-peers", "limit", limit)
	}
}
