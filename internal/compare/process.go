package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
)

// Waits.
const (
	readyWithin = 60 * time.Second
	stopWithin  = 60 * time.Second
	pollEvery   = 20 * time.Millisecond
)

// startOptions says what a node is started with.
type startOptions struct {
	dir    string // its own; must not exist
	peer   string // address of a node to dial; empty for none
	assume string // hash of a block whose history's scripts are not run; empty for none
}

// process is a running node.
type process struct {
	kind    kind
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
	rpc     *client
	address string // where its peers dial it
}

// start starts a node and waits until it answers.
func start(ctx context.Context, k kind, o startOptions) (*process, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	cmd, ready, err := k.command(o)
	if err != nil {
		return nil, err
	}
	logs, err := os.Create(filepath.Join(o.dir, "output"))
	if err != nil {
		return nil, err
	}
	defer logs.Close()
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.Env = append(os.Environ(), "HOME="+o.dir)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{kind: k, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is of no interest: what it did is looked at by RPC
		close(p.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		if p.rpc, p.address = ready(); p.rpc != nil && p.rpc.call(ctx, "getblockcount", nil, nil) == nil {
			return p, nil
		}
		if err := p.pause(ctx); err != nil {
			p.stop()
			text, _ := os.ReadFile(logs.Name())
			return nil, fmt.Errorf("start: %w; it said: %s", err, text)
		}
	}
}

// pause waits a moment; it returns an error if there is nothing to wait for any more.
func (p *process) pause(ctx context.Context) error {
	select {
	case <-time.After(pollEvery):
		return nil
	case <-p.done:
		return errors.New("the node has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the node.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// announce submits the headers of all blocks.
func (p *process) announce(ctx context.Context, c *testChain) error {
	const digits = 2 * wire.MaxBlockHeaderPayload
	for i, b := range c.blocks {
		if err := p.rpc.call(ctx, "submitheader", []any{b[:digits]}, nil); err != nil {
			return fmt.Errorf("header %d: %w", i+1, err)
		}
	}
	return nil
}

// feed submits all blocks.
func (p *process) feed(ctx context.Context, c *testChain) error {
	for i, b := range c.blocks {
		var reason *string
		if err := p.rpc.call(ctx, "submitblock", []any{b}, &reason); err != nil {
			return fmt.Errorf("block %d: %w", i+1, err)
		}
		if reason != nil {
			return fmt.Errorf("block %d was refused: %s", i+1, *reason)
		}
	}
	return p.reach(ctx, c)
}

// reach waits until the node has the whole chain.
func (p *process) reach(ctx context.Context, c *testChain) error {
	for {
		var height int
		if err := p.rpc.call(ctx, "getblockcount", nil, &height); err != nil {
			return err
		}
		if height == len(c.blocks) {
			var tip string
			if err := p.rpc.call(ctx, "getbestblockhash", nil, &tip); err != nil {
				return err
			}
			if tip != c.tip {
				return fmt.Errorf("the tip is %s, not %s", tip, c.tip)
			}
			return nil
		}
		if err := p.pause(ctx); err != nil {
			return fmt.Errorf("at height %d: %w", height, err)
		}
	}
}

// use notes the processor time and the most memory that the node has used since its start, where the system tells.
func (p *process) use(f *figures) {
	const ticksPerSecond = 100 // of Linux's clock in /proc, on every platform that Go supports
	proc := filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid))
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, i := range []int{11, 12} { // user and system time
		ticks, _ := strconv.ParseInt(fields[i], 10, 64)
		f.cpu += time.Duration(ticks) * time.Second / ticksPerSecond
	}
	status, _ := os.ReadFile(filepath.Join(proc, "status"))
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
			f.memory = n << 10
		}
	}
}
