package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// kind is a program that can be measured.
type kind interface {
	name() string
	assumes() bool // it can skip the scripts below a block that is given by its hash
	// command returns how a node is started, and a function that returns how it is reached, a nil client while that is not known.
	command(o startOptions) (cmd *exec.Cmd, ready func() (*client, string), err error)
}

// build builds the programs.
func build(ctx context.Context, o options) ([]kind, error) {
	bin := filepath.Join(o.dir, "bin")
	ours := filepath.Join(bin, "groat")
	if err := goTool(ctx, nil, "build", "-trimpath", "-o", ours, "groat/cmd/groat"); err != nil {
		return nil, err
	}
	kinds := []kind{groat{ours, o.cache}}
	if o.btcd == "" {
		return kinds, nil
	}
	theirs := filepath.Join(bin, o.btcd)
	if _, err := os.Stat(filepath.Join(theirs, "btcd")); err != nil {
		if err := goTool(ctx, []string{"GOBIN=" + theirs, "GOFLAGS="}, "install", "github.com/btcsuite/btcd@"+o.btcd); err != nil {
			return nil, err
		}
	}
	return append(kinds, btcd{filepath.Join(theirs, "btcd")}), nil
}

func goTool(ctx context.Context, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

type groat struct {
	binary string
	cache  int // MiB
}

func (groat) name() string  { return "groat" }
func (groat) assumes() bool { return true }

func (g groat) command(o startOptions) (*exec.Cmd, func() (*client, string), error) {
	file := filepath.Join(o.dir, "ready.json")
	args := []string{"node", "--network", "regtest", "--datadir", filepath.Join(o.dir, "data"), "--rpc-listen", "127.0.0.1:0",
		"--p2p-listen", "/ip4/127.0.0.1/tcp/0", "--no-discovery", "--log-level", "warn", "--ready-file", file, "--dbcache", strconv.Itoa(g.cache)}
	if o.peer != "" {
		args = append(args, "--peer", o.peer)
	}
	if o.assume != "" {
		args = append(args, "--assume-valid", o.assume)
	}
	return exec.Command(g.binary, args...), func() (*client, string) {
		var ready struct {
			RPC, Cookie string
			Listen      []string
		}
		text, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(text, &ready) != nil || len(ready.Listen) == 0 {
			return nil, ""
		}
		cookie, err := os.ReadFile(ready.Cookie)
		if err != nil {
			return nil, ""
		}
		user, password, _ := strings.Cut(strings.TrimSpace(string(cookie)), ":")
		return &client{ready.RPC, user, password}, ready.Listen[0]
	}, nil
}

type btcd struct{ binary string }

func (btcd) name() string  { return "btcd" }
func (btcd) assumes() bool { return false }

func (k btcd) command(o startOptions) (*exec.Cmd, func() (*client, string), error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, nil, err
	}
	c := &client{"http://" + ports[0], "bench", "bench"}
	args := []string{"--regtest", "--datadir=" + filepath.Join(o.dir, "data"), "--logdir=" + filepath.Join(o.dir, "logs"),
		"--configfile=" + filepath.Join(o.dir, "btcd.conf"), "--rpcuser=" + c.user, "--rpcpass=" + c.password, "--notls",
		"--rpclisten=" + ports[0], "--listen=" + ports[1], "--nodnsseed", "--debuglevel=warn"}
	if o.peer != "" {
		args = append(args, "--connect="+o.peer)
	}
	return exec.Command(k.binary, args...), func() (*client, string) { return c, ports[1] }, nil
}

// freePorts returns loopback addresses that were free a moment ago: btcd cannot choose its own and say which.
func freePorts(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out, nil
}
