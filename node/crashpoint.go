package node

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"groat/chain"
)

// crashPoint returns what ends this process at the point that --crash-at names, nil without one.
func (o Options) crashPoint() (func(string), error) {
	if o.CrashAt == "" {
		return nil, nil
	}
	if !o.Params.TestNetwork {
		return nil, fmt.Errorf("--crash-at is for tests on regtest only, not for %s", o.Params.Name)
	}
	name, times, counted := strings.Cut(o.CrashAt, ":")
	left := int64(1)
	if counted {
		n, err := strconv.ParseInt(times, 10, 32)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("--crash-at %s: give NAME or NAME:N with N at least 1", o.CrashAt)
		}
		left = n
	}
	if !slices.Contains(chain.Points(), name) {
		return nil, fmt.Errorf("--crash-at %s: there is no such point; take one of %s", o.CrashAt, strings.Join(chain.Points(), ", "))
	}
	var passed atomic.Int64
	return func(at string) {
		if at == name && passed.Add(1) == left {
			killSelf()
		}
	}, nil
}

// killSelf ends this process as a kill -9 would: nothing is closed or written any more.
func killSelf() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // the signal may take a moment
}
