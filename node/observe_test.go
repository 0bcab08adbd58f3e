package node

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// heights is a chain that is nothing but its height.
type heights struct {
	mu        sync.Mutex
	tip, best int32
	wake      chan struct{}
}

func (h *heights) set(tip, best int32) {
	h.mu.Lock()
	h.tip, h.best = tip, best
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func at(height int32) consensus.State {
	return consensus.State{Height: height, Hash: chainhash.Hash{byte(height), byte(height >> 8)}}
}

func (h *heights) Tip() consensus.State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return at(h.tip)
}

func (h *heights) BestHeader() consensus.State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return at(h.best)
}

func (h *heights) Storage() ledger.Storage                    { return ledger.Storage{CacheBytes: 7 << 20} }
func (h *heights) Watch() (wake <-chan struct{}, stop func()) { return h.wake, func() {} }

// observe runs story beside an observer of h, in virtual time, and returns the lines that it wrote.
func observe(t *testing.T, story func(h *heights)) (lines []string) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer // read when the observer has ended
		h := &heights{wake: make(chan struct{}, 1)}
		plain := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == "hash" {
				return slog.Attr{}
			}
			return a
		}})
		o := &observer{chain: h, peers: func() int { return 3 }, log: slog.New(plain)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- o.run(ctx) }()
		synctest.Wait()
		story(h)
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		lines = strings.Split(strings.TrimSpace(out.String()), "\n")
	})
	return lines
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the log says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestManyNewTipsAreFewLines(t *testing.T) {
	lines := observe(t, func(h *heights) {
		for height := range int32(1000) { // in a second and a half
			h.set(height+1, height+1)
			time.Sleep(1500 * time.Microsecond)
		}
		time.Sleep(time.Second)
		h.set(1001, 1001)
		time.Sleep(time.Hour) // with nothing to tell
	})
	wantLines(t, lines, `msg="new tip" height=1 blocks=1`, `msg="new tip" height=667 blocks=666`, `msg="new tip" height=1000 blocks=333`, `msg="new tip" height=1001 blocks=1`)
}

func TestDownloadTellsItsProgress(t *testing.T) {
	lines := observe(t, func(h *heights) {
		time.Sleep(standstill / 2) // which is no part of the download
		for height := range int32(1200) {
			h.set(height+1, 1200)
			time.Sleep(9 * time.Millisecond) // so that no two things happen at one moment
		}
		time.Sleep(10 * time.Second)
	})
	wantLines(t, lines,
		`msg="downloading blocks" height=1 headers=1200 peers=3 cache_mib=7`,
		`msg="downloading blocks" height=556 headers=1200 peers=3 cache_mib=7 blocks_per_second=111 left=6s`,
		`msg="downloading blocks" height=1112 headers=1200 peers=3 cache_mib=7 blocks_per_second=111 left=1s`,
		`msg="new tip" height=1200 blocks=88`)
}

func TestStandstillIsTold(t *testing.T) {
	lines := observe(t, func(h *heights) {
		h.set(5, 10)
		time.Sleep(2*standstill + 30*time.Second)
	})
	wantLines(t, lines, `msg="new tip" height=5 blocks=5`,
		`msg="no new block for a minute" height=5 headers=10 peers=3`, `msg="no new block for a minute" height=5 headers=10 peers=3`)
}
