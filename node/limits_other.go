//go:build !unix

package node

// openFileLimit knows nothing where there is no such limit.
func openFileLimit() (limit uint64, known bool) { return 0, false }
