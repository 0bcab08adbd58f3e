//go:build !linux

package blockfile

import (
	"os"
	"runtime"
)

const dirsSync = runtime.GOOS != "windows" // where a directory cannot be synced and need not be

func datasync(f *os.File) error { return f.Sync() }
