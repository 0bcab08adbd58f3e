// Package disk knows how much room a file system has left. Badger and our own files ask before they write,
// because a full disk under a memory-mapped file is a fatal signal and not an error value.
package disk

import (
	"errors"
	"fmt"
	"math"
)

// ErrFull is what every *FullError is, for errors.Is.
var ErrFull = errors.New("disk full")

// FullError says that a file system has not enough room left. Unless the file system itself refused, nothing has been written, and
// the same call may succeed after room was made.
type FullError struct {
	Path string // a directory on the file system
	Free int64  // bytes that are left for us; -1 if the file system itself refused
	Need int64  // bytes that must be free before the write; 0 if unknown
}

// Error tells the operator in one line what is wrong and what to do.
func (e *FullError) Error() string {
	const advice = "make room on it or move the data directory, then start again; nothing is lost"
	if e.Free < 0 {
		return fmt.Sprintf("the disk of %s is full: %s", e.Path, advice)
	}
	return fmt.Sprintf("the disk of %s is nearly full, %s free where %s are needed: %s", e.Path, size(e.Free), size(roundUp(e.Need)), advice)
}

// Is makes every FullError an ErrFull.
func (e *FullError) Is(target error) bool { return target == ErrFull }

// Check returns a *FullError if fewer than need bytes are free where path lies.
func Check(path string, need int64) error {
	free, err := Free(path)
	if err != nil {
		return err
	}
	if free < need {
		return &FullError{Path: path, Free: free, Need: need}
	}
	return nil
}

// Explain turns the operating system's "no space left" into a *FullError for path and returns other errors as
// they are.
func Explain(path string, err error) error {
	if isFull(err) {
		return &FullError{Path: path, Free: -1}
	}
	return err
}

const mib = 1 << 20

func roundUp(n int64) int64 { return n + min(mib-1, math.MaxInt64-n) }

func size(n int64) string { return fmt.Sprintf("%d MiB", n/mib) }
