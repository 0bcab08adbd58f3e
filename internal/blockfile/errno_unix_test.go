//go:build unix

package blockfile

import "syscall"

const errNoSpace = syscall.ENOSPC
