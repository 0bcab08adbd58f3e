package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A line that comes without end is left out after a while, which is said once; others still come, and so does it after an hour.
func TestLogCannotBeFilled(t *testing.T) {
	var out bytes.Buffer
	h := newCapped(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})).WithAttrs([]slog.Attr{slog.String("node", "a")})
	now := time.Unix(1_800_000_000, 0)
	say := func(site uintptr, level slog.Level, text string) {
		t.Helper()
		if err := h.Handle(t.Context(), slog.NewRecord(now, level, text, site)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 * maxLogLines {
		say(1, slog.LevelInfo, "flood")
		say(2, slog.LevelDebug, "detail")
	}
	say(3, slog.LevelInfo, "other")
	count := func(text string) int { return strings.Count(out.String(), text) }
	if n := count("msg=flood"); n != maxLogLines {
		t.Errorf("%d lines of a flood, want %d", n, maxLogLines)
	}
	if n := count("a line comes too often"); n != 1 {
		t.Errorf("said %d times that lines are left out", n)
	}
	if n := count("msg=detail"); n != 3*maxLogLines {
		t.Errorf("%d lines for debugging, want %d", n, 3*maxLogLines)
	}
	if count("msg=other") != 1 || count("node=a") != maxLogLines+1+3*maxLogLines+1 {
		t.Error("another line is missing, or its attributes are")
	}
	now = now.Add(logWindow)
	say(1, slog.LevelInfo, "flood")
	if n := count("8000 lines were left out"); n != 1 || count("msg=flood") != maxLogLines+1 {
		t.Errorf("after an hour: %d notices, %d lines", n, count("msg=flood"))
	}
}
