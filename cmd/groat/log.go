package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

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
		if err := tryLogFile(file); err != nil {
			return nil, nil, fmt.Errorf("log file %s cannot be written: %w; choose another with --log-file", file, cause(err))
		}
		rotated := &lumberjack.Logger{Filename: file, MaxSize: logFileMiB, MaxBackups: logFilesKept}
		w, closeFile = rotated, rotated.Close
	}
	options := &slog.HandlerOptions{Level: level}
	switch a.shared.logFormat {
	case "text":
		return slog.New(newCapped(slog.NewTextHandler(w, options))), closeFile, nil
	case "json":
		return slog.New(newCapped(slog.NewJSONHandler(w, options))), closeFile, nil
	}
	return nil, nil, usagef("--log-format %s: take text or json", a.shared.logFormat)
}

// tryLogFile says whether a log can be written there. The library that turns log files over would drop every line without a word, and
// would move a directory of that name away.
func tryLogFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("no regular file")
	}
	return errors.Join(err, f.Close())
}
