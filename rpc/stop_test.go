package rpc

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// A client may have opened a connection that it turned out not to need; net/http would wait five seconds for its request.
func TestUnusedConnectionsHoldNothingUp(t *testing.T) {
	s, err := New(Options{Address: "127.0.0.1:0", Cookie: filepath.Join(t.TempDir(), ".cookie"), Now: time.Now, Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	s.Ready(Parts{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	unused, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close()
	exchange(t, s, post(cookieOf(t, s), `{"method":"uptime"}`)) // by now the other one is accepted
	began := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the end took %v", took)
	}
}
