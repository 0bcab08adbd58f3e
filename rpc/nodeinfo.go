package rpc

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"
)

// maxEstimateTarget is the number of blocks that estimatesmartfee looks ahead at most.
const maxEstimateTarget = 1008

func (a *api) nodeMethods() []Method {
	return []Method{
		{
			Name: "estimatesmartfee", Category: "util", Run: a.estimateSmartFee,
			Args: []Arg{
				{Name: "conf_target", Type: ArgInt, Required: true, Help: "Confirmation target in blocks (1 - 1008)"},
				{Name: "estimate_mode", Type: ArgString, Default: "economical", Help: "The fee estimate mode: unset, economical or conservative"},
			},
			Help: "Estimates the approximate fee per kilobyte needed for a transaction to begin\n" +
				"confirmation within conf_target blocks if possible. There is no estimate yet: errors says so.",
			Result: "{errors, blocks}",
		},
		{
			Name: "setmocktime", Category: categoryHidden, Run: a.setMockTime,
			Args: []Arg{{Name: "timestamp", Type: ArgInt64, Required: true, Help: "The time in seconds since 1970.\nPass 0 to go back to using the system time."}},
			Help: "Set the local time to given timestamp (-regtest only)", Result: "null",
		},
		{
			Name: "mockscheduler", Category: categoryHidden, Run: a.mockScheduler,
			Args: []Arg{{Name: "delta_time", Type: ArgInt64, Required: true, Help: "Number of seconds to forward the scheduler into the future."}},
			Help: "Bump the scheduler into the future (-regtest only). There is no scheduler: nothing is done by the clock that a test could wait for.", Result: "null",
		},
		{
			Name: "getindexinfo", Category: "util",
			Run:  func(context.Context, *Call) (any, error) { return struct{}{}, nil },
			Args: []Arg{{Name: "index_name", Type: ArgString, Help: "Filter results for an index with a specific name."}},
			Help: "Returns the status of one or all available indices currently running in the node. There are none.", Result: "{}",
		},
		{
			Name: "getzmqnotifications", Category: "zmq",
			Run:  func(context.Context, *Call) (any, error) { return []string{}, nil },
			Help: "Returns information about the active ZeroMQ notifications. There are none.", Result: "[]",
		},
		{
			Name: "logging", Category: "control", Run: logging,
			Args: []Arg{
				{Name: "include", Type: ArgArray, Sample: `["category",...]`, Help: "The categories to add to debug logging"},
				{Name: "exclude", Type: ArgArray, Sample: `["category",...]`, Help: "The categories to remove from debug logging"},
			},
			Help: "Gets and sets the logging configuration. There are no categories: use --log-level.", Result: "{}",
		},
		{
			Name: "getmemoryinfo", Category: "control", Run: getMemoryInfo,
			Args: []Arg{{Name: "mode", Type: ArgString, Default: `"stats"`, Help: "determines what kind of information is returned: stats"}},
			Help: "Returns an object containing information about memory usage. No memory is locked.", Result: "{locked}",
		},
	}
}

func (a *api) estimateSmartFee(_ context.Context, c *Call) (any, error) {
	target := c.Int(0)
	if target < 1 || target > maxEstimateTarget {
		return nil, errorf(CodeInvalidParameter, "Invalid conf_target, must be between 1 and %d", maxEstimateTarget)
	}
	modes := []string{"unset", "economical", "conservative"}
	if mode := strings.ToLower(c.StringOr(1, "unset")); !slices.Contains(modes, mode) {
		return nil, errorf(CodeInvalidParameter, `Invalid estimate_mode parameter, must be one of: "%s"`, strings.Join(modes, `", "`))
	}
	return struct {
		Errors []string `json:"errors"`
		Blocks int64    `json:"blocks"`
	}{[]string{"Insufficient data or no feerate found"}, target}, nil
}

func (a *api) setMockTime(_ context.Context, c *Call) (any, error) {
	const latest = math.MaxInt64 / int64(time.Second)
	t := c.Int(0)
	switch {
	case !a.Params.TestNetwork || a.Clock == nil:
		return nil, errorf(CodeMisc, "setmocktime is for regression testing (-regtest mode) only")
	case t < 0 || t > latest:
		return nil, errorf(CodeInvalidParameter, "Mocktime must be in the range [0, %d], not %d.", latest, t)
	case t == 0:
		a.Clock.SetMock(time.Time{})
	default:
		a.Clock.SetMock(time.Unix(t, 0))
	}
	return nil, nil
}

func (a *api) mockScheduler(_ context.Context, c *Call) (any, error) {
	switch seconds := c.Int(0); {
	case !a.Params.TestNetwork:
		return nil, errorf(CodeMisc, "mockscheduler is for regression testing (-regtest mode) only")
	case seconds <= 0 || seconds > int64(time.Hour/time.Second):
		return nil, errorf(CodeInvalidParameter, "delta_time must be between 1 and 3600 seconds (1 hr)")
	}
	return nil, nil
}

func logging(_ context.Context, c *Call) (any, error) {
	asked := append(slices.Clone(c.Value(0).List), c.Value(1).List...)
	if len(asked) == 0 {
		return struct{}{}, nil
	}
	name, err := asked[0].AsString()
	if err != nil {
		return nil, err
	}
	return nil, errorf(CodeInvalidParameter, "unknown logging category %s", name)
}

func getMemoryInfo(_ context.Context, c *Call) (any, error) {
	switch mode := c.StringOr(0, "stats"); mode {
	case "stats":
	case "mallocinfo":
		return nil, errorf(CodeInvalidParameter, "mallocinfo mode not available")
	default:
		return nil, errorf(CodeInvalidParameter, "unknown mode %s", mode)
	}
	type locked struct {
		Used       int `json:"used"`
		Free       int `json:"free"`
		Total      int `json:"total"`
		Locked     int `json:"locked"`
		ChunksUsed int `json:"chunks_used"`
		ChunksFree int `json:"chunks_free"`
	}
	return struct {
		Locked locked `json:"locked"`
	}{}, nil
}
