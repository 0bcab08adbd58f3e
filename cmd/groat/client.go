package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"groat/node"
	"groat/rpc/client"
)

// clientTimeout is how long a call may take by default: as long as bitcoin-cli gives it, since rescans and the like take long.
const clientTimeout = 15 * time.Minute

// codeWarmup is what a node answers that is still starting.
const codeWarmup = -28

// addClientFlags declares the flags of commands that ask a running node, for cmd and the commands below it.
func addClientFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.String("rpc-url", "", "`URL` of the node (default that of the node running on DATADIR/NETWORK, else the network's port here)")
	f.String("rpc-user", "", "`name` to log in with, instead of the cookie")
	f.String("rpc-password", "", "`password` to log in with; better given as GROAT_RPC_PASSWORD")
	f.Duration("timeout", clientTimeout, "longest `time` to wait for an answer")
	for _, name := range []string{"rpc-url", "rpc-user", "rpc-password"} {
		markSetting(f, name)
	}
}

// remote is a running node, or a wallet of it, as commands call it.
type remote struct {
	client  *client.Client
	url     string
	timeout time.Duration
	ready   string // path of the ready file by which it was found; "" if it was not
	start   string // what starts such a node
}

// dial finds the running node. It calls nobody yet.
func (a *app) dial(cmd *cobra.Command) (*remote, error) {
	params, err := a.params()
	if err != nil {
		return nil, err
	}
	dir, err := a.networkDir()
	if err != nil {
		return nil, err
	}
	flags := cmd.Flags()
	get := func(name string) string { value, _ := flags.GetString(name); return value } // declared by addClientFlags
	r := &remote{url: get("rpc-url"), start: "groat node --network " + params.Name}
	if r.timeout, err = flags.GetDuration("timeout"); err != nil {
		return nil, err
	}
	cookie := filepath.Join(dir, ".cookie")
	if r.url == "" {
		r.url = "http://" + node.DefaultOptions(params).RPCListen
		if found, ok := readReady(filepath.Join(dir, "ready.json")); ok {
			r.url, cookie, r.ready = found.RPC, found.Cookie, filepath.Join(dir, "ready.json")
		}
	}
	if u, err := url.Parse(r.url); err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, usagef("--rpc-url %s: give http://HOST:PORT", r.url)
	}
	user, password := get("rpc-user"), get("rpc-password")
	if (user == "") != (password == "") {
		return nil, usagef("--rpc-user and --rpc-password belong together; give both or neither")
	}
	auth := client.CookieFile(cookie)
	if user != "" {
		auth = client.UserPassword(user, password)
	}
	r.client = client.New(r.url, auth)
	return r, nil
}

// readReady reads the ready file of a running node.
func readReady(path string) (node.Ready, bool) {
	var r node.Ready
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &r) != nil || r.RPC == "" {
		return node.Ready{}, false
	}
	return r, true
}

// wallet returns the wallet of that name on the same node.
func (r *remote) wallet(name string) *remote {
	w := *r
	w.client = r.client.Wallet(name)
	return &w
}

// call calls a method. The result may be nil. An error has the exit code it leads to.
func (r *remote) call(ctx context.Context, result any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	return r.callWith(ctx, result, method, params)
}

// callWith is call with the arguments as one value: a list, or an object with their names.
func (r *remote) callWith(ctx context.Context, result any, method string, params any) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return r.explain(ctx, r.client.Call(ctx, method, params, result))
}

// explain gives an error of a call its exit code, and says what to do.
func (r *remote) explain(ctx context.Context, err error) error {
	code, message, isRPC := rpcError(err)
	switch {
	case err == nil:
		return nil
	case isRPC && code == codeWarmup:
		return withCode(exitNotReady, fmt.Errorf("the node at %s is still starting (%s); ask again in a moment: %w", r.url, message, err))
	case isRPC:
		return withCode(exitFailed, err)
	case errors.Is(err, client.ErrUnauthorized):
		return withCode(exitRefused, fmt.Errorf("the node at %s refused the login; check --datadir and --network, or --rpc-user and --rpc-password", r.url))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return withCode(exitTimeout, fmt.Errorf("the node at %s gave no answer within %v; give it more time with --timeout", r.url, r.timeout))
	case errors.Is(err, client.ErrUnreachable):
		return withCode(exitNoConnection, fmt.Errorf("no node answers at %s: start one with '%s', or name its address with --rpc-url", r.url, r.start))
	}
	return err
}

// rpcError returns the code and the message of an error that the node answered with.
func rpcError(err error) (code int, message string, ok bool) {
	var rpc *client.Error
	if !errors.As(err, &rpc) {
		return 0, "", false
	}
	return rpc.Code, rpc.Message, true
}

// rpcCode returns Bitcoin Core's code of an error that the node answered with.
func rpcCode(err error) (code int, ok bool) {
	code, _, ok = rpcError(err)
	return code, ok
}
