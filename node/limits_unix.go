//go:build unix

package node

import "syscall"

// openFileLimit returns how many files this process may have open. The Go runtime has raised it to the most that is allowed.
func openFileLimit() (limit uint64, known bool) {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0, false
	}
	return uint64(l.Cur), true
}
