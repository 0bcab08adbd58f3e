package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// stopTimeout is how long a node may take to write its state before it is ended by force.
const stopTimeout = 30 * time.Second

// process is one run of a program, whose end can be awaited by many.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process is gone
	err  error         // how it ended; read after gone
}

// startProcess starts a program whose output goes to the file at logPath. Unless it is detached it ends with this process where the
// system can do that.
func startProcess(binary string, args []string, logPath string, detached bool) (*process, error) {
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer out.Close() // the child has its own descriptor
	p := &process{cmd: exec.Command(binary, args...), gone: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GROAT_") })
	p.cmd.SysProcAttr = processAttributes(detached)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// running reports whether the process is still there.
func (p *process) running() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// stop asks the process to end, by ask where it takes no signals, and waits. It ends it by force when ctx or the patience ends.
func (p *process) stop(ctx context.Context, ask func(context.Context) error) error {
	if p.cmd.Process.Signal(syscall.SIGTERM) != nil && p.running() {
		if err := ask(ctx); err != nil {
			return errors.Join(err, p.kill())
		}
	}
	patience := time.NewTimer(stopTimeout)
	defer patience.Stop()
	select {
	case <-p.gone:
		return p.err
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.kill())
	case <-patience.C:
		return errors.Join(fmt.Errorf("process %d did not stop within %v and was killed", p.pid(), stopTimeout), p.kill())
	}
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.gone
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
