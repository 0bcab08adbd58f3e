package store

import (
	"fmt"
	"log/slog"
	"strings"
)

// logger hands Badger's log to ours. Its news are ours to debug with.
type logger struct{ log *slog.Logger }

// Errorf implements badger.Logger.
func (l logger) Errorf(format string, args ...any) { l.log.Error(line(format, args)) }

// Warningf implements badger.Logger.
func (l logger) Warningf(format string, args ...any) { l.log.Warn(line(format, args)) }

// Infof implements badger.Logger.
func (l logger) Infof(format string, args ...any) { l.log.Debug(line(format, args)) }

// Debugf implements badger.Logger. It is called in hot paths and says nothing of use.
func (l logger) Debugf(string, ...any) {}

func line(format string, args []any) string {
	return "store: " + strings.TrimSpace(fmt.Sprintf(format, args...))
}
