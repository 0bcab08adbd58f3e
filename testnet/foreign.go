package testnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// run is one run of a node's process.
type run interface {
	pid() int
	running() bool
	// stop asks the process to end, by a signal or else by ask, waits, and ends it by force when ctx or the patience ends.
	stop(ctx context.Context, ask func(context.Context) error) error
	kill() error
}

// foreign is a process that an earlier launcher started and that a state file tells of. Its pid may have passed to another program
// since, so it is signalled only while it also has the start time on record.
type foreign struct {
	id      int
	started string // as startedAt gave it; "" where the system cannot tell
	rpc     string // URL
}

func (f foreign) pid() int { return f.id }

// certain reports whether the process on record is there, without doubt.
func (f foreign) certain() bool {
	started, ok := startedAt(f.id)
	return ok && started == f.started
}

// running reports whether the process is there. Where start times cannot be read, whoever answers at its address is taken for it:
// its RPC server will let nobody in who lacks its cookie.
func (f foreign) running() bool {
	if f.started != "" {
		return f.certain()
	}
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(f.rpc, "http://"), time.Second)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func (f foreign) stop(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err := f.signal(syscall.SIGTERM)
	if err != nil {
		err = ask(ctx)
	}
	switch {
	case err == nil:
		err = f.awaitEnd(ctx)
	case !f.running():
		return nil
	}
	if err == nil || !f.certain() {
		return err
	}
	return errors.Join(err, f.kill())
}

func (f foreign) kill() error {
	if err := f.signal(os.Kill); err != nil {
		return err
	}
	return f.awaitEnd(context.Background())
}

// signal sends a signal to the process if it is without doubt the one on record.
func (f foreign) signal(s os.Signal) error {
	if !f.certain() {
		return fmt.Errorf("process %d is not certainly the node that was started; end it by hand if it is", f.id)
	}
	p, err := os.FindProcess(f.id)
	if err != nil {
		return err
	}
	return p.Signal(s)
}

// awaitEnd waits until the process is gone.
func (f foreign) awaitEnd(ctx context.Context) error {
	return poll(ctx, func() (bool, error) { return !f.running(), nil })
}
