package rpc

import (
	"io"
	"net"
	"net/http"
	"time"
)

// Paths that monitoring asks, none of which is Bitcoin Core's.
const (
	livePath    = "/livez"
	readyPath   = "/readyz"
	metricsPath = "/metrics"
)

// serveHealth answers what monitoring asks, and returns false if the request is something else. Whether the node lives and is ready may be known
// to whoever can reach the port.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) bool {
	now := s.state.Load()
	switch {
	case r.URL.Path == livePath:
		s.replyHealth(w, r, "")
	case r.URL.Path == readyPath:
		s.replyHealth(w, r, now.phase)
	case r.URL.Path != metricsPath || !s.opts.Metrics:
		return false
	case r.Method != http.MethodGet:
		reply(w, http.StatusMethodNotAllowed, nil)
	case !onLoopback(s.Addr()) && !s.checkLogin(w, r):
	case now.metrics == nil:
		s.replyHealth(w, r, now.phase)
	default:
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(replyTimeout))
		now.metrics.ServeHTTP(w, r)
	}
	return true
}

// replyHealth says that all is well, or what the node is doing before it is.
func (s *Server) replyHealth(w http.ResponseWriter, r *http.Request, phase string) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, smallBody)) // so that the connection can be used again
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		reply(w, http.StatusMethodNotAllowed, nil)
	case phase != "":
		reply(w, http.StatusServiceUnavailable, []byte(phase+"\n"))
	default:
		reply(w, http.StatusOK, []byte("ok\n"))
	}
}

// onLoopback reports whether only this machine can reach an address.
func onLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
