package main

import (
	"io"
	"log/slog"

	"gopkg.in/natefinch/lumberjack.v2"
)

// The log file is turned over when it is this large, and this many old ones are kept.
const (
	logFileMiB   = 50
	logFilesKept = 5
)

// logger returns a logger as --log-level and --log-format ask for it. With a file name it writes there, else to w. The
// returned function closes the file.
func (a *app) logger(w io.Writer, file string) (*slog.Logger, func() error, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.shared.logLevel)); err != nil {
		return nil, nil, usagef("--log-level %s: take one of debug, info, warn, error", a.shared.logLevel)
	}
	closeFile := func() error { return nil }
	if file != "" {
		rotated := &lumberjack.Logger{Filename: file, MaxSize: logFileMiB, MaxBackups: logFilesKept}
		w, closeFile = rotated, rotated.Close
	}
	options := &slog.HandlerOptions{Level: level}
	switch a.shared.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), closeFile, nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), closeFile, nil
	}
	return nil, nil, usagef("--log-format %s: take text or json", a.shared.logFormat)
}
