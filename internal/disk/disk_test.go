//go:build unix

package disk

import (
	"errors"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	if err := Check(dir, 1); err != nil {
		t.Fatalf("one byte: %v", err)
	}
	err := Check(dir, math.MaxInt64)
	var full *FullError
	if !errors.As(err, &full) || !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want a FullError", err)
	}
	if full.Path != dir || full.Need != math.MaxInt64 || full.Free <= 0 {
		t.Fatalf("got %+v", full)
	}
	if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) {
		t.Fatalf("not one clear line: %q", err)
	}
}

func TestExplain(t *testing.T) {
	noSpace := &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	if err := Explain("/data", noSpace); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	other := &os.PathError{Op: "write", Path: "x", Err: syscall.EIO}
	if err := Explain("/data", other); err != error(other) {
		t.Fatalf("got %v, want it as it was", err)
	}
	if Explain("/data", nil) != nil {
		t.Fatal("nil became an error")
	}
}
