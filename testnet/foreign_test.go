package testnet

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// sleeper starts a process that does nothing for long.
func sleeper(t *testing.T) *process {
	t.Helper()
	path, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("needs the program sleep")
	}
	p, err := startProcess(path, []string{"1000"}, t.TempDir()+"/log", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.kill() })
	return p
}

func TestForeignProcessIsStopped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("start times are known on Linux only")
	}
	p := sleeper(t)
	started, ok := startedAt(p.pid())
	f := foreign{id: p.pid(), started: started}
	if !ok || !f.running() {
		t.Fatal("a process on record does not run")
	}
	if err := f.stop(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if f.running() {
		t.Error("it still runs")
	}
}

func TestProcessThatTookThePIDIsLeftAlone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("start times are known on Linux only")
	}
	p := sleeper(t)
	f := foreign{id: p.pid(), started: "1"} // of the node that had this pid before
	if f.running() {
		t.Error("another process is taken for the node")
	}
	refused := errors.New("nobody answers")
	if err := f.stop(t.Context(), func(context.Context) error { return refused }); err != nil {
		t.Errorf("a node that is gone: %v", err)
	}
	if f.kill() == nil || f.signal(syscall.SIGTERM) == nil {
		t.Error("another process was signalled")
	}
	if !p.running() {
		t.Error("another process was ended")
	}
}
