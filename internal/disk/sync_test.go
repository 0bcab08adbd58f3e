//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMakeDir(t *testing.T) {
	top := t.TempDir()
	path := filepath.Join(top, "a", "b", "c")
	for range 2 { // the second finds it there
		if err := MakeDir(path); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	file := filepath.Join(top, "file")
	if err := WriteFile(file, nil); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "below")} {
		if err := MakeDir(bad); err == nil {
			t.Errorf("made %s", bad)
		}
	}
}

// A reader sees the old content or the new one, and what could not be written changes nothing and leaves nothing.
func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path+".tmp", []byte("of a crash"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"old", "new and longer", ""} {
		if err := WriteFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := os.Stat(path + ".tmp"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left over: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "none", "f")
	if err := WriteFile(missing, nil); !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), missing) != 1 {
		t.Errorf("got %v", err)
	}
	taken := filepath.Join(t.TempDir(), "d")
	if err := errors.Join(os.Mkdir(taken, 0o700), WriteFile(filepath.Join(taken, "x"), nil)); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(taken, nil); err == nil {
		t.Error("a directory was written over")
	}
	if _, err := os.Stat(taken + ".tmp"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left over: %v", err)
	}
}
