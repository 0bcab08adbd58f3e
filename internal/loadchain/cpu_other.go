//go:build !unix

package loadchain

import "time"

// CPU returns the processor time that this process has used: what a benchmark on a shared machine can compare. It is zero where
// the system does not tell.
func CPU() time.Duration { return 0 }
