package node

import (
	"os"
	"runtime/debug"
	"testing"
)

// The limit follows headers and pool, up and down, and moves only when it is worth it.
func TestMemoryLimitFollows(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "") // which leaves it as it was afterwards
	if err := os.Unsetenv("GOMEMLIMIT"); err != nil {
		t.Fatal(err)
	}
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	pool := int64(0)
	m := memoryLimit{coins: 32 << 20, pool: func() int64 { return pool }}
	for _, step := range []struct {
		headers int32
		pool    int64
		want    int64
	}{
		{0, 0, 112 << 20},
		{20_000, 0, 112 << 20}, // 4,000,000 bytes more: not yet
		{1_000_000, 0, 112<<20 + 200_000_000},
		{1_000_000, 300 << 20, 412<<20 + 200_000_000},
		{1_000_000, 0, 112<<20 + 200_000_000},
	} {
		pool = step.pool
		m.allow(step.headers)
		if got := debug.SetMemoryLimit(-1); got != step.want {
			t.Errorf("the limit for %d headers and %d bytes of pool is %d, want %d", step.headers, step.pool, got, step.want)
		}
	}
	t.Setenv("GOMEMLIMIT", "1GiB")
	m.allow(2_000_000)
	if got := debug.SetMemoryLimit(-1); got != 112<<20+200_000_000 {
		t.Errorf("the limit is %d though the environment gives one", got)
	}
}
