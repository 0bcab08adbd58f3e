package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"syscall"

	"groat/rpc"
)

// listenRPC takes the RPC port and makes the server on it. stop is what the method of that name does.
func listenRPC(o Options, dir *dataDir, c *clock, stop func()) (*rpc.Server, error) {
	listener, err := net.Listen("tcp", o.RPCListen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("RPC address %s is in use by another program; stop that one, or choose another address with --rpc-listen", o.RPCListen)
	case err != nil:
		return nil, fmt.Errorf("cannot listen for RPC on %s: %w; choose another address with --rpc-listen", o.RPCListen, bareNet(err))
	}
	server, err := rpc.New(rpc.Options{
		Listener: listener,
		Cookie:   filepath.Join(dir.path, cookieFile),
		User:     o.RPCUser,
		Password: o.RPCPassword,
		Metrics:  o.Metrics,
		Version:  o.Version,
		Now:      c.now,
		Stop:     stop,
		Log:      o.Log,
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return server, nil
}

// cookieFile is the name of the file with the RPC login of this run.
const cookieFile = ".cookie"

// bareNet returns what the operating system said, without the address that the message names already.
func bareNet(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// early is a part that begins before the others are there.
type early struct {
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // read after ended
}

// startEarly starts run.
func startEarly(ctx context.Context, run func(context.Context) error) *early {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e := &early{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(e.ended)
		e.err = run(ctx)
	}()
	return e
}

// run is the early part among the others: it ends when ctx does, or by itself.
func (e *early) run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return e.stop()
	case <-e.ended:
		return e.err
	}
}

// stop ends the part and waits for it.
func (e *early) stop() error {
	e.cancel()
	<-e.ended
	return e.err
}
