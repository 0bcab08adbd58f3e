package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"

	"groat/node"
)

func TestProgress(t *testing.T) {
	now := time.Unix(0, 0)
	var out bytes.Buffer
	g := newProgress(&out, func() time.Time { return now })
	half := node.Progress{Bytes: 50, TotalBytes: 100, Blocks: 3000, Height: 2999}
	g.show(half)
	if out.Len() > 0 {
		t.Errorf("shown at once: %q", out.String())
	}
	now = now.Add(time.Minute)
	g.show(node.Progress{Headers: 7, TotalBytes: 10})
	if want := "7 headers read\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	now = now.Add(30 * time.Second) // since then: the headers do not count
	g.show(half)
	if want := " 50 %  height 2999  100 blocks/s  30s left\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	g.terminal = true
	now = now.Add(time.Second)
	g.show(half)
	g.end()
	if s := out.String(); !strings.HasPrefix(s, "\r["+strings.Repeat("#", 15)+strings.Repeat(".", 15)+"]  50 %") || !strings.HasSuffix(s, " \r") {
		t.Errorf("on a terminal: %q", s)
	}
}

func TestCoins(t *testing.T) {
	for amount, want := range map[int64]string{0: "0.00000000", 1: "0.00000001", 150_000_000: "1.50000000", -1: "-0.00000001"} {
		if got := coins(btcutil.Amount(amount)); got != want {
			t.Errorf("%d: %s, want %s", amount, got, want)
		}
	}
}
