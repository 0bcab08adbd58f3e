//go:build unix

package disk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Free returns the bytes that an ordinary user may still write where path lies.
func Free(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("read the free space of %s: %w", path, err)
	}
	return int64(uint64(st.Bavail) * uint64(st.Bsize)), nil // the types differ between systems
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
