package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// node answers what a test tells it to, and remembers what it was asked.
type node struct {
	*httptest.Server
	path, login, body string // of the last request
	status            int
	answers           []string // the last one is repeated
}

func newNode(t *testing.T, answers ...string) *node {
	n := &node{status: http.StatusOK, answers: answers}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		n.path, n.login, n.body = r.URL.EscapedPath(), user+":"+password, string(body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(n.status)
		_, _ = io.WriteString(w, n.answers[0])
		if len(n.answers) > 1 {
			n.answers = n.answers[1:]
		}
	}))
	t.Cleanup(n.Close)
	return n
}

const (
	good   = `{"jsonrpc":"2.0","result":{"a":1},"id":1}`
	warmup = `{"jsonrpc":"2.0","error":{"code":-28,"message":"Loading…"},"id":1}`
)

// cookie writes a cookie file and returns its path.
func cookie(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".cookie")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCall(t *testing.T) {
	n := newNode(t, good)
	path := cookie(t, "__cookie__:abc")
	c := New(n.URL+"/", CookieFile(path))
	t.Cleanup(c.Close)
	var result struct{ A int }
	if err := c.Call(t.Context(), "m", []any{"x", 2}, &result); err != nil || result.A != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if n.path != "/" || n.login != "__cookie__:abc" || n.body != `{"jsonrpc":"2.0","id":1,"method":"m","params":["x",2]}` {
		t.Errorf("path %s login %s body %s", n.path, n.login, n.body)
	}
	if err := os.WriteFile(path, []byte("__cookie__:def"), 0o600); err != nil { // the node was started again
		t.Fatal(err)
	}
	var raw json.RawMessage
	if err := c.Wallet("a b/c").Call(t.Context(), "m", nil, &raw); err != nil || string(raw) != `{"a":1}` {
		t.Fatalf("%s, %v", raw, err)
	}
	if n.path != "/wallet/a%20b%2Fc" || n.login != "__cookie__:def" || n.body != `{"jsonrpc":"2.0","id":1,"method":"m"}` {
		t.Errorf("path %s login %s body %s", n.path, n.login, n.body)
	}
	if err := New(n.URL, UserPassword("u", "p")).Call(t.Context(), "m", map[string]any{"k": true}, nil); err != nil || n.login != "u:p" {
		t.Errorf("login %s, %v", n.login, err)
	}
}

func TestErrors(t *testing.T) {
	n := newNode(t, `{"jsonrpc":"2.0","error":{"code":-5,"message":"Block not found"},"id":1}`)
	c := New(n.URL, UserPassword("u", "p"))
	err := c.Call(t.Context(), "m", nil, nil)
	var told *Error
	if !errors.As(err, &told) || *told != (Error{-5, "Block not found"}) || errors.Is(err, ErrNotReady) {
		t.Errorf("an error of the method: %v", err)
	}
	n.answers = []string{warmup}
	if err := c.Call(t.Context(), "m", nil, nil); !errors.Is(err, ErrNotReady) || !errors.As(err, &told) {
		t.Errorf("not ready: %v", err)
	}
	n.answers = []string{`{`}
	if err := c.Call(t.Context(), "m", nil, nil); err == nil {
		t.Error("no JSON, no error")
	}
	n.answers = []string{good}
	if err := c.Call(t.Context(), "m", nil, new(int)); err == nil {
		t.Error("a result of another type, no error")
	}
	n.answers, n.status = []string{""}, http.StatusUnauthorized
	if err := c.Call(t.Context(), "m", nil, nil); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("login refused: %v", err)
	}
	if err := New(n.URL, CookieFile(cookie(t, "x"))).Call(t.Context(), "m", nil, nil); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("no cookie in the file: %v", err)
	}
	if err := c.WaitReady(t.Context()); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("waiting does not help: %v", err)
	}
	n.answers, n.status = []string{"Work queue depth exceeded"}, http.StatusServiceUnavailable
	n.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Work queue depth exceeded", n.status) })
	if err := c.Call(t.Context(), "m", nil, nil); err == nil || !strings.Contains(err.Error(), "Work queue depth exceeded") {
		t.Errorf("busy: %v", err)
	}
	n.Close()
	err = New(n.URL, UserPassword("u", "p")).Call(t.Context(), "m", nil, nil)
	var dial *net.OpError
	if !errors.Is(err, ErrUnreachable) || !errors.As(err, &dial) {
		t.Errorf("nobody there: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Call(ended, "m", nil, nil); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("the caller's end: %v", err)
	}
}

func TestWaitReady(t *testing.T) {
	n := newNode(t, warmup, warmup, good)
	if err := New(n.URL, UserPassword("u", "p")).WaitReady(t.Context()); err != nil {
		t.Error(err)
	}
	n.answers = []string{warmup}
	soon, cancel := context.WithTimeout(t.Context(), 3*pollInterval)
	defer cancel()
	if err := New(n.URL, UserPassword("u", "p")).WaitReady(soon); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrNotReady) {
		t.Errorf("never ready: %v", err)
	}
}

func TestWaitReadyWithoutCookie(t *testing.T) {
	n := newNode(t, good)
	n.status = http.StatusUnauthorized
	soon, cancel := context.WithTimeout(t.Context(), 3*pollInterval)
	defer cancel()
	start := time.Now()
	c := New(n.URL, CookieFile(filepath.Join(t.TempDir(), ".cookie")))
	if err := c.WaitReady(soon); !errors.Is(err, ErrUnauthorized) || time.Since(start) < 2*pollInterval {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}
