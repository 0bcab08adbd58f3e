package main

import (
	"errors"
	"fmt"
)

// The exit codes that scripts may rely on.
const (
	exitDone         = 0
	exitFailed       = 1
	exitUsage        = 2
	exitNoConnection = 3
	exitRefused      = 4 // the node refused the login
	exitNotReady     = 5 // the node is still starting
	exitTimeout      = 6
	exitAssertion    = 10 // what was to be proved is not so
)

// codedError is an error with the exit code it leads to.
type codedError struct {
	code int
	err  error
}

func (e codedError) Error() string { return e.err.Error() }
func (e codedError) Unwrap() error { return e.err }

// withCode gives err an exit code.
func withCode(code int, err error) error { return codedError{code, err} }

// usagef says that the command line or the configuration is wrong.
func usagef(format string, args ...any) error {
	return withCode(exitUsage, fmt.Errorf(format, args...))
}

// silentError ends the program with its code without a further word: what there was to say has been printed.
type silentError struct{ code int }

func (e silentError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode returns the exit code of an error that a command returned.
func exitCode(err error) int {
	var coded codedError
	var silent silentError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &silent):
		return silent.code
	case errors.As(err, &coded):
		return coded.code
	}
	return exitFailed
}
