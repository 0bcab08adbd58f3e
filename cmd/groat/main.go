// Command groat is a full node of networks with Bitcoin's rules, and everything to drive it: the node itself, calls to a running
// node, block files, and whole networks on one machine. It parses flags, reads the configuration and prints; what a node does lives
// in package node, what a test network does in package testnet.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals // the second one means now
		os.Exit(exitFailed)
	}()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, lookupEnv: os.LookupEnv}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// app is one invocation of groat: its streams, its environment and the flags that all commands share.
type app struct {
	in        io.Reader
	out, err  io.Writer
	lookupEnv func(string) (string, bool)

	shared  sharedFlags
	started bool // flags and arguments were accepted, a command runs
}

// run executes one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := newRootCommand(a)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if !a.started { // cobra refused the command line itself
		err = withCode(exitUsage, err)
	}
	a.report(cmd, err)
	return exitCode(err)
}

// report prints err as one line, with a hint where the command line was wrong. RPC errors keep the form that scripts know from bitcoin-cli.
func (a *app) report(cmd *cobra.Command, err error) {
	var silent silentError
	if errors.As(err, &silent) {
		return
	}
	var rpc rpcFailure
	if errors.As(err, &rpc) {
		fmt.Fprintf(a.err, "error code: %d\nerror message:\n%s\n", rpc.code, rpc.message)
		return
	}
	line := strings.Join(strings.Fields(err.Error()), " ")
	if exitCode(err) == exitUsage {
		line += fmt.Sprintf("; see '%s --help'", cmd.CommandPath())
	}
	fmt.Fprintf(a.err, "groat: %s\n", line)
}
