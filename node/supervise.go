package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// part is a long-lived part of the node.
type part struct {
	name string
	run  func(context.Context) error
}

// errStopped is the end of a part that nobody asked to end.
var errStopped = errors.New("it ended by itself")

// supervise runs the parts until ctx ends or one of them fails. Then it stops them in reverse order, each only when the one that was
// started after it has ended, so that no part works on what it depends on while that is closing. It returns the first failure.
func supervise(ctx context.Context, log *slog.Logger, parts []part) error {
	type ending struct {
		name string
		err  error
	}
	failed := make(chan ending, len(parts))
	stops := make([]func(), 0, len(parts))
	for _, p := range parts {
		partCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan struct{})
		go func() {
			defer close(done)
			err := p.run(partCtx)
			if partCtx.Err() == nil && err == nil {
				err = errStopped
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				failed <- ending{p.name, err}
			}
		}()
		stops = append(stops, func() {
			log.Debug("stopping", "part", p.name)
			cancel()
			<-done
		})
	}
	var first *ending
	select {
	case <-ctx.Done():
	case e := <-failed:
		first = &e
		log.Error("a part of the node failed, stopping", "part", e.name, "err", e.err)
	}
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
	}
	if first == nil && len(failed) > 0 { // while stopping
		e := <-failed
		first = &e
	}
	if first == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", first.name, first.err)
}
