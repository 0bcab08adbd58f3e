// Package client calls a node's JSON-RPC. It tells the failures apart that a caller acts on: nobody answers, the
// login is refused, the node is not ready yet, or the method failed with a code.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// What keeps a call from being answered. Ask with errors.Is.
var (
	ErrUnreachable  = errors.New("cannot connect") // wraps what the dial said
	ErrUnauthorized = errors.New("login refused")
	ErrNotReady     = errors.New("not ready") // an Error with code -28 is one
)

// errNoCookie is wrapped in an ErrUnauthorized if there was no cookie to log in with: the node may be about to write it.
var errNoCookie = errors.New("no cookie file")

const codeWarmup = -28

// Error is what the node answered instead of a result: Bitcoin Core's code and text.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error returns the message with its code.
func (e *Error) Error() string { return fmt.Sprintf("%s (code %d)", e.Message, e.Code) }

// Is reports whether target is ErrNotReady and the node has said so.
func (e *Error) Is(target error) bool { return target == ErrNotReady && e.Code == codeWarmup }

// Auth is a way to log in.
type Auth struct {
	cookie         string // path
	user, password string
}

// CookieFile logs in with the cookie file at path. It is read at every call, as it changes when the node starts.
func CookieFile(path string) Auth { return Auth{cookie: path} }

// UserPassword logs in with a user and password of the node's options.
func UserPassword(user, password string) Auth { return Auth{user: user, password: password} }

// login returns the user and password to send.
func (a Auth) login() (user, password string, err error) {
	if a.cookie == "" {
		return a.user, a.password, nil
	}
	content, err := os.ReadFile(a.cookie)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "", fmt.Errorf("%w at %s", errNoCookie, a.cookie)
	case err != nil:
		return "", "", fmt.Errorf("%w: read the cookie: %w", ErrUnauthorized, err)
	}
	user, password, ok := strings.Cut(string(content), ":")
	if !ok {
		return "", "", fmt.Errorf("%w: %s is not a cookie file", ErrUnauthorized, a.cookie)
	}
	return user, password, nil
}

// Client calls the methods of one node. It may be used by several goroutines.
type Client struct {
	url  string // http://host:port
	path string
	auth Auth
	http *http.Client
}

// New returns a client of the node at a URL, http://host:port. It connects with the first call.
func New(url string, auth Auth) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: 10 * time.Second} // no proxy: a node is called directly
	return &Client{url: strings.TrimSuffix(url, "/"), path: "/", auth: auth, http: &http.Client{Transport: transport}}
}

// Wallet returns a client of the same node whose calls are about the wallet with this name.
func (c *Client) Wallet(name string) *Client {
	w := *c
	w.path = "/wallet/" + url.PathEscape(name)
	return &w
}

// Close closes the connections that are kept for further calls.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call and answer are JSON-RPC 2.0.
type call struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
}

// Call calls a method. params is a slice, or a map or struct for arguments by name, or nil. The result is stored in what result points
// to, unless that is nil. A failure of the method is an Error.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	body, err := json.Marshal(call{Version: "2.0", ID: 1, Method: method, Params: params})
	if err != nil {
		return fmt.Errorf("encode the parameters of %s: %w", method, err)
	}
	raw, err := c.post(ctx, body)
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("decode the answer to %s: %w", method, err)
	}
	if a.Error != nil {
		return a.Error
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fmt.Errorf("decode the result of %s: %w", method, err)
	}
	return nil
}

// post sends a request and returns the body of the answer. Without a cookie it asks all the same: whether somebody answers at all is worth knowing.
func (c *Client) post(ctx context.Context, body []byte) ([]byte, error) {
	user, password, noLogin := c.auth.login()
	if noLogin != nil && !errors.Is(noLogin, errNoCookie) {
		return nil, noLogin
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+c.path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if noLogin == nil {
		req.SetBasicAuth(user, password)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unanswered(ctx, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, c.unanswered(ctx, err)
	case resp.StatusCode == http.StatusUnauthorized && noLogin != nil:
		return nil, fmt.Errorf("%w by %s: %w", ErrUnauthorized, c.url, noLogin)
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("%w by %s", ErrUnauthorized, c.url)
	case len(raw) == 0 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json"):
		return nil, fmt.Errorf("%s answered %s: %s", c.url, resp.Status, bytes.TrimSpace(raw[:min(len(raw), 200)]))
	}
	return raw, nil
}

// unanswered says why there is no answer.
func (c *Client) unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer from %s: %w", c.url, ctx.Err())
	}
	var cause *url.Error
	if errors.As(err, &cause) {
		err = cause.Err // without the URL once more
	}
	return fmt.Errorf("%w to %s: %w", ErrUnreachable, c.url, err)
}

const pollInterval = 25 * time.Millisecond

// WaitReady waits until the node answers. It gives up with the last failure when ctx ends, or when waiting cannot help.
func (c *Client) WaitReady(ctx context.Context) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var last error
	for {
		err := c.Call(ctx, "uptime", nil, nil)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrUnreachable) || errors.Is(err, ErrNotReady) || errors.Is(err, errNoCookie):
			last = err
		case ctx.Err() == nil:
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if last == nil {
				last = err
			}
			return fmt.Errorf("wait for the node: %w (%w)", ctx.Err(), last)
		}
	}
}
