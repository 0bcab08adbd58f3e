// Package e2e tests groat from outside: real processes, real files, real sockets, as a user has them. It builds the program once.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"groat/testnet"
)

// binary is the program under test, built by TestMain with the flags that GROAT_BUILD gives, such as -race.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "groat-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "groat")
		build := exec.Command("go", append(append([]string{"build"}, strings.Fields(os.Getenv("GROAT_BUILD"))...), "-o", binary, "groat/cmd/groat")...)
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build groat:", err)
			return 1
		}
		return m.Run()
	}())
}

// soak returns how often a test that may run for hours repeats what it does: few times, unless GROAT_SOAK gives a number.
func soak(t *testing.T, few int) int {
	t.Helper()
	text, ok := os.LookupEnv("GROAT_SOAK")
	if !ok {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("GROAT_SOAK: %v", err)
	}
	return n
}

// within returns a context for something that should long be done by then, also while the test is cleaned up.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), d)
	t.Cleanup(cancel)
	return ctx
}

// result is how one run of groat ended.
type result struct {
	code        int
	out, stderr string
	cpu         time.Duration // that it used
}

// groat runs one command to its end.
func groat(t testing.TB, args ...string) result {
	t.Helper()
	return groatEnv(t, nil, args...)
}

// groatEnv is groat with more environment variables.
func groatEnv(t testing.TB, env []string, args ...string) result {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(within(t, 5*time.Minute), binary, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("groat %s: %v", strings.Join(args, " "), err)
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return result{cmd.ProcessState.ExitCode(), out.String(), stderr.String(), cpu}
}

// wantError demands that a command failed with a code, in one line that holds the words and nothing else.
func (r result) wantError(t testing.TB, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d; stderr: %s", r.code, code, r.stderr)
	}
	if n := strings.Count(r.stderr, "\n"); n != 1 || !strings.HasPrefix(r.stderr, "groat: ") {
		t.Errorf("want one line of error, got %q", r.stderr)
	}
	for _, word := range words {
		if !strings.Contains(r.stderr, word) {
			t.Errorf("the error does not mention %q: %s", word, r.stderr)
		}
	}
}

// start starts a network that ends with the test, in a new directory unless one with nodes' files is named. Its logs are shown if the test failed.
func start(t testing.TB, c testnet.Config) *testnet.Network {
	t.Helper()
	c.Binary = binary
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	w, err := testnet.Start(within(t, time.Minute), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range w.Nodes {
				t.Logf("log of %s:\n%s", n.Name, tail(filepath.Join(n.Dir, "log"), 60))
			}
		}
		if err := w.Close(); err != nil {
			t.Errorf("stop the network: %v", err)
		}
	})
	return w
}

// tail returns the last lines of a file.
func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// call calls a method of a node, which must answer.
func call(t testing.TB, n *testnet.Node, result any, method string, params ...any) {
	t.Helper()
	if err := n.Call(t.Context(), result, method, params...); err != nil {
		t.Fatal(err)
	}
}
