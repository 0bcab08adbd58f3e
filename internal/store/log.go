package store

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// logger hands Badger's log to ours. Its news are ours to debug with.
type logger struct {
	log    *slog.Logger
	errors *atomic.Int64 // how many there were: while it opens, Badger goes on without a table that is damaged, and only says so
}

// Errorf implements badger.Logger.
func (l logger) Errorf(format string, args ...any) {
	l.errors.Add(1)
	l.log.Error(line(format, args))
}

// Warningf implements badger.Logger.
func (l logger) Warningf(format string, args ...any) { l.log.Warn(line(format, args)) }

// Infof implements badger.Logger.
func (l logger) Infof(format string, args ...any) { l.log.Debug(line(format, args)) }

// Debugf implements badger.Logger. It is called in hot paths and says nothing of use.
func (l logger) Debugf(string, ...any) {}

func line(format string, args []any) string {
	return "store: " + strings.TrimSpace(fmt.Sprintf(format, args...))
}
