package rpc

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// maxStopWait bounds how long stop may be told to wait.
const maxStopWait = time.Minute

// controlMethods returns the methods that are about the server and its table.
func controlMethods(s *Server, t table) []Method {
	echoArgs := make([]Arg, 10)
	for i := range echoArgs {
		echoArgs[i] = Arg{Name: fmt.Sprintf("arg%d", i), Type: ArgAny}
	}
	textArgs := slices.Clone(echoArgs)
	for i := range textArgs {
		textArgs[i].Type, textArgs[i].Unchecked = ArgString, true
	}
	return []Method{
		{
			Name: "help", Category: "control", Run: func(_ context.Context, c *Call) (any, error) { return t.help(c.String(0)), nil },
			Args: []Arg{{Name: "command", Type: ArgString, Default: "all commands", Help: "The command to get help on"}},
			Help: "List all commands, or get help for a specified command.", Result: `"str"    (string) The help text`,
		},
		{
			Name: "stop", Category: "control", Run: s.stop,
			Args: []Arg{{Name: "wait", Type: ArgInt, Help: "how long to wait in ms", Hidden: true}},
			Help: "Request a graceful shutdown of groat.", Result: `"str"    (string) A string with the content 'groat stopping'`,
		},
		{
			Name: "uptime", Category: "control",
			Run:    func(context.Context, *Call) (any, error) { return int64(time.Since(s.started).Seconds()), nil },
			Help:   "Returns the total uptime of the server.",
			Result: "n    (numeric) The number of seconds that the server has been running",
		},
		{
			Name: "getrpcinfo", Category: "control", Run: s.getRPCInfo,
			Help: "Returns details of the RPC server.", Result: "{active_commands, logpath}",
		},
		{
			Name: "echo", Category: categoryHidden, Run: echo, Args: textArgs,
			Help: "Simply echo back the input arguments. This command is for testing.", Result: "[...]",
		},
		{
			Name: "echojson", Category: categoryHidden, Run: echo, Args: echoArgs,
			Help: "Simply echo back the input arguments. This command is for testing.", Result: "[...]",
		},
	}
}

func echo(_ context.Context, c *Call) (any, error) { return Value{Kind: Array, List: c.args}, nil }

// stop asks the node to stop. Calls under way are answered, this one among them.
func (s *Server) stop(ctx context.Context, c *Call) (any, error) {
	s.opts.Stop()
	if wait := time.Duration(c.Int(0)) * time.Millisecond; wait > 0 {
		pause(context.WithoutCancel(ctx), min(wait, maxStopWait))
	}
	return "groat stopping", nil
}

func (s *Server) getRPCInfo(context.Context, *Call) (any, error) {
	type command struct {
		Method   string `json:"method"`
		Duration int64  `json:"duration"` // microseconds
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	list := make([]command, 0, len(s.active))
	for _, call := range s.active {
		list = append(list, command{call.method, now.Sub(call.since).Microseconds()})
	}
	slices.SortFunc(list, func(x, y command) int { return cmp.Compare(y.Duration, x.Duration) })
	return struct {
		Active  []command `json:"active_commands"`
		LogPath string    `json:"logpath"`
	}{list, s.opts.LogFile}, nil
}
