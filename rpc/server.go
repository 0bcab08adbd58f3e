package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options says where a Server listens and who may call it.
type Options struct {
	Listener net.Listener // listens already; nil to listen on Address
	Address  string       // host:port; port 0 picks one

	Cookie         string // path of the cookie file
	User, Password string // accepted besides the cookie; an empty password turns them off

	Threads int // calls worked on at the same time; 0 for 16
	Queue   int // calls that may wait for a thread; 0 for 64

	Metrics bool // serve GET /metrics: to anybody if the server listens on loopback only, else to those who can log in

	Version string // of groat, as getnetworkinfo shows it
	LogFile string // as getrpcinfo shows it

	Now  func() time.Time
	Stop func() // asks the node to stop; returns at once
	Log  *slog.Logger
}

// Limits of the HTTP server. They are Bitcoin Core's where it has one.
const (
	defaultThreads = 16
	defaultQueue   = 64
	maxHeaderBytes = 8192
	maxBodyBytes   = 32 << 20
	smallBody      = 64 << 10 // bytes of a body that are read without waiting for others
	maxUploads     = 8        // larger bodies that are in memory at the same time
	idleTimeout    = 30 * time.Second
	bodyTimeout    = 60 * time.Second // to receive a body whole
	replyTimeout   = 60 * time.Second // to send an answer
	stopTimeout    = 10 * time.Second // for calls that are under way at the end
)

// Server answers JSON-RPC over HTTP.
type Server struct {
	opts     Options       // set once
	listener net.Listener  // set once
	auth     logins        // set once
	threads  chan struct{} // one token for each call that is worked on
	uploads  chan struct{} // one token for each large body
	started  time.Time     // set once, by the machine's clock

	inFlight atomic.Int64          // requests that are worked on or wait
	state    atomic.Pointer[state] // what is served now

	mu      sync.Mutex // guards all below
	active  map[uint64]activeCall
	nextID  uint64
	closed  bool
	tries   int       // logins refused since the log was told
	triesAt time.Time // when it was told
}

// state is what a server can do at the moment.
type state struct {
	phase   string // why it is not ready; "" once it is
	table   table
	metrics http.Handler // nil if there are none
}

// activeCall is a call that is being worked on.
type activeCall struct {
	method string
	since  time.Time
}

// New listens and writes the cookie file. The server answers once Run is called, with code -28 until Ready is.
// Close it if Run is not called.
func New(opts Options) (*Server, error) {
	if opts.Threads == 0 {
		opts.Threads = defaultThreads
	}
	if opts.Queue == 0 {
		opts.Queue = defaultQueue
	}
	s := &Server{
		opts:     opts,
		listener: opts.Listener,
		threads:  make(chan struct{}, opts.Threads),
		uploads:  make(chan struct{}, maxUploads),
		started:  time.Now(),
		active:   make(map[uint64]activeCall),
	}
	s.state.Store(&state{phase: "RPC server started"})
	auth, err := newLogins(opts) // before it listens: whoever can connect finds the new cookie
	if err != nil {
		return nil, err
	}
	s.auth = auth
	if s.listener != nil {
		return s, nil
	}
	if s.listener, err = net.Listen("tcp", opts.Address); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for RPC on %s: %w", opts.Address, err), auth.removeCookie())
	}
	return s, nil
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL returns the address of the server for a client.
func (s *Server) URL() string { return "http://" + s.Addr().String() }

// SetPhase says what the node is doing before it is ready. Every call is refused with code -28 and this text.
func (s *Server) SetPhase(text string) { s.state.Store(&state{phase: text}) }

// Ready hands over the parts of the node. From now on calls are answered.
func (s *Server) Ready(p Parts) {
	ready := &state{table: newTable(s, p)}
	if s.opts.Metrics {
		ready.metrics = newMetrics(s, p)
	}
	s.state.Store(ready)
}

// Run answers requests until ctx ends, then lets the calls under way finish. It removes the cookie file.
func (s *Server) Run(ctx context.Context) error {
	idle := &unused{conns: map[net.Conn]struct{}{}}
	srv := &http.Server{
		ConnState:         idle.note,
		Handler:           s,
		ReadHeaderTimeout: idleTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
	srv.RegisterOnShutdown(idle.close)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(s.listener) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serve RPC: %w", err), s.Close())
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		s.opts.Log.Info("RPC calls were cut off", "calls", s.inFlight.Load())
		_ = srv.Close() // those who did not finish in time lose their answer
	}
	<-served
	return s.Close()
}

// Close stops listening and removes the cookie file. Run does both at its end.
func (s *Server) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return errors.Join(fmt.Errorf("close RPC listener: %w", err), s.auth.removeCookie())
	}
	return s.auth.removeCookie()
}

// begin notes a call for getrpcinfo and returns what ends the note.
func (s *Server) begin(method string) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.nextID
	s.nextID++
	s.active[id] = activeCall{method: method, since: time.Now()}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.active, id)
	}
}
