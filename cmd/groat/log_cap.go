package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"
)

// Lines that one place in the code may write in a window: about 1 MiB an hour, as in Bitcoin Core since CVE-2025-54604.
const (
	maxLogLines = 4000
	logWindow   = time.Hour
)

// capped is a log handler that keeps one line, which peers may be able to cause as often as they like, from filling the disk. Lines for debugging
// are what an operator asks for, and pass.
type capped struct {
	next  slog.Handler
	sites *logSites
}

func newCapped(next slog.Handler) slog.Handler {
	return capped{next, &logSites{counts: map[uintptr]*logCount{}}}
}

// Enabled implements slog.Handler.
func (c capped) Enabled(ctx context.Context, level slog.Level) bool {
	return c.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (c capped) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return c.next.Handle(ctx, r)
	}
	allowed, notice := c.sites.take(r.PC, r.Time)
	if notice != "" {
		warning := slog.NewRecord(r.Time, slog.LevelWarn, notice, r.PC)
		warning.AddAttrs(slog.String("line", r.Message), slog.String("source", sourceOf(r.PC)))
		if err := c.next.Handle(ctx, warning); err != nil {
			return err
		}
	}
	if !allowed {
		return nil
	}
	return c.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (c capped) WithAttrs(attrs []slog.Attr) slog.Handler {
	return capped{c.next.WithAttrs(attrs), c.sites}
}

// WithGroup implements slog.Handler.
func (c capped) WithGroup(name string) slog.Handler { return capped{c.next.WithGroup(name), c.sites} }

// logSites counts the lines of each place in the code.
type logSites struct {
	mu     sync.Mutex
	counts map[uintptr]*logCount
}

type logCount struct {
	began       time.Time // of the window
	lines, lost int
}

// take says whether the place may write a line now, and what is to be said of those that it may not.
func (s *logSites) take(site uintptr, now time.Time) (allowed bool, notice string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[site]
	if c == nil {
		c = &logCount{began: now}
		s.counts[site] = c
	}
	if now.Sub(c.began) >= logWindow {
		if c.lost > 0 {
			notice = fmt.Sprintf("%d lines were left out", c.lost)
		}
		*c = logCount{began: now}
	}
	if c.lines < maxLogLines {
		c.lines++
		return true, notice
	}
	if c.lost++; c.lost == 1 {
		notice = "a line comes too often: the next ones are left out for up to an hour"
	}
	return false, notice
}

// sourceOf returns the file and line of a place in the code.
func sourceOf(site uintptr) string {
	frame, _ := runtime.CallersFrames([]uintptr{site}).Next()
	return fmt.Sprintf("%s:%d", frame.File, frame.Line)
}
