package chain

import (
	"context"
	"errors"

	"groat/consensus"
)

// stretchChanges is about how many coins the blocks of a stretch create and spend: enough scripts for many cores, few enough for the tip to move often.
const stretchChanges = 16_384

// stretch is some blocks in a row on a view of their own.
type stretch struct {
	view   *view
	blocks []fitted
	checks []consensus.ScriptCheck
	passed chan error // gets the verdict on checks
}

// rush connects the blocks of path, which follow the tip, with two things going on at once: while the scripts of one stretch run on all
// cores, across the borders of its blocks, the next one is connected on top of it. Nothing of a stretch is published, stored or flushed before its
// scripts and all before it have passed. It goes on with blocks that come meanwhile, and ends early before a block that fails, which is judged by
// itself then, and if there is a better way to go. An error is never a block's.
func (c *Chain) rush(ctx context.Context, path []id) error {
	scripts, cancel := context.WithCancel(ctx)
	var running *stretch
	defer func() {
		cancel()
		if running != nil {
			<-running.passed // it reads the blocks that we let go (CVE-2024-52911)
		}
	}()
	for left := path; ; {
		next, whole := c.gather(ctx, running, left)
		if left = left[len(next.blocks):]; !whole {
			left = nil
		} else if len(left) == 0 {
			left = c.beyond(path[len(path)-1])
			path = append(path, left...)
		}
		before := running
		if before != nil {
			err := <-before.passed
			running = nil
			if err != nil {
				return faultOnly(err)
			}
		}
		if len(next.blocks) > 0 {
			go func() { next.passed <- c.o.Scripts.Verify(scripts, next.checks) }()
			running = next
		}
		if before != nil {
			if err := c.publish(before); err != nil {
				return err
			}
			next.view.load = c.load // has it all now
			if c.bestChanged(path) {
				return nil
			}
		}
		if running == nil || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// beyond returns the way from last to the best block if that follows it.
func (c *Chain) beyond(last id) []id {
	c.mu.RLock()
	defer c.mu.RUnlock()
	undo, connect := c.tree.path(last, c.tree.best)
	if len(undo) > 0 {
		return nil
	}
	return connect
}

// faultOnly returns err unless it is a block's.
func faultOnly(err error) error {
	var rule consensus.RuleError
	if errors.As(err, &rule) {
		return nil
	}
	return err
}

// gather connects blocks of path on what below leaves, nil for the tip, until they make a stretch. It is not whole if a block was refused or could not be
// read: what comes before it is in the stretch.
func (c *Chain) gather(ctx context.Context, below *stretch, path []id) (s *stretch, whole bool) {
	s = &stretch{view: newView(c.load), passed: make(chan error, 1)}
	at := c.tip
	if below != nil {
		s.view.load, at = below.view.find, below.last().after
	}
	for _, i := range path {
		if s.view.size() >= c.stretch || c.o.FlushEvery > 0 && len(s.blocks) >= int(c.o.FlushEvery) {
			break
		}
		l, err := c.link(ctx, s.view, at, i)
		if err != nil {
			return s, false
		}
		s.blocks, s.checks, at = append(s.blocks, l), append(s.checks, l.checks...), l.after
	}
	return s, true
}

func (s *stretch) last() *fitted { return &s.blocks[len(s.blocks)-1] }

// publish makes the end of s, whose scripts have passed, the tip.
func (c *Chain) publish(s *stretch) error {
	for k := range s.blocks {
		if err := c.confirm(&s.blocks[k]); err != nil {
			return err
		}
	}
	return c.commit(s.view, s.last().after, int32(len(s.blocks)))
}
