package rpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// wrongLoginDelay slows down whoever tries passwords.
const wrongLoginDelay = 250 * time.Millisecond

const walletPath = "/wallet/"

// ServeHTTP answers one HTTP request. The order of its checks is Bitcoin Core's, which clients depend on.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	timeouts := http.NewResponseController(w)
	_ = timeouts.SetWriteDeadline(time.Time{}) // that of the answer before, on this connection
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut:
	default:
		reply(w, http.StatusMethodNotAllowed, nil)
		return
	}
	if s.serveHealth(w, r) {
		return
	}
	if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, walletPath) {
		reply(w, http.StatusNotFound, nil)
		return
	}
	if r.Method != http.MethodPost {
		reply(w, http.StatusMethodNotAllowed, []byte("JSONRPC server handles only POST requests"))
		return
	}
	if !s.checkLogin(w, r) {
		return
	}
	upload := token{bucket: s.uploads}
	defer upload.give()
	body, status := readBody(w, r, &upload)
	if status != 0 {
		reply(w, status, nil)
		return
	}
	defer s.inFlight.Add(-1) // whoever has no login, or dawdles over its body, is not counted: it keeps nobody out
	if s.inFlight.Add(1) > int64(s.opts.Threads+s.opts.Queue) {
		reply(w, http.StatusServiceUnavailable, []byte("Work queue depth exceeded"))
		return
	}
	t := token{bucket: s.threads}
	if !t.take(r.Context()) {
		reply(w, http.StatusServiceUnavailable, []byte("Shutting down"))
		return
	}
	defer t.give()
	o := origin{idle: t.idle(r.Context())}
	o.wallet, o.hasWallet = strings.CutPrefix(r.URL.Path, walletPath)
	s.serveBody(w, r, o, body)
}

// checkLogin reports whether the caller may call, and answers if not.
func (s *Server) checkLogin(w http.ResponseWriter, r *http.Request) bool {
	header := r.Header.Values("Authorization")
	if len(header) > 0 && s.auth.allow(header[0]) {
		return true
	}
	if len(header) > 0 {
		s.refused(r.RemoteAddr)
		pause(r.Context(), wrongLoginDelay)
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="jsonrpc"`)
	reply(w, http.StatusUnauthorized, nil)
	return false
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// readBody reads a request's body. The status is 0 unless the request is to be refused with it. A large body waits for a token,
// so that however many come at the same time, memory holds few.
func readBody(w http.ResponseWriter, r *http.Request, upload *token) (body string, status int) {
	timeouts := http.NewResponseController(w)
	_ = timeouts.SetReadDeadline(time.Now().Add(bodyTimeout)) // a writer that has no deadlines is a test's
	limited := http.MaxBytesReader(w, r.Body, maxBodyBytes)
	var text strings.Builder
	err := appendBody(&text, io.LimitReader(limited, smallBody), min(r.ContentLength, smallBody))
	if err == nil && text.Len() == smallBody {
		if !upload.take(r.Context()) {
			return "", http.StatusServiceUnavailable
		}
		_ = timeouts.SetReadDeadline(time.Now().Add(bodyTimeout)) // it was not the caller who was slow
		err = appendBody(&text, limited, min(r.ContentLength, maxBodyBytes)-smallBody)
	}
	_ = timeouts.SetReadDeadline(time.Time{}) // or a call that waits longer would be cut off
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return "", http.StatusRequestEntityTooLarge
	case err != nil:
		return "", http.StatusBadRequest
	}
	return text.String(), 0
}

// appendBody appends what r has, which the caller said to be of so many bytes; less than 0 if it did not say.
func appendBody(text *strings.Builder, r io.Reader, said int64) error {
	const least = 512
	text.Grow(int(max(said, 0)))
	_, err := io.CopyBuffer(text, r, make([]byte, min(max(said, least), smallBody)))
	return err
}

// reply sends an answer whole.
func reply(w http.ResponseWriter, status int, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(replyTimeout))
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever has gone does not get the answer
}

// token is one of a limited number of rights, such as that to work on a call. It belongs to one goroutine.
type token struct {
	bucket chan struct{}
	held   bool
}

// take waits for a token. It returns false if ctx ends first.
func (t *token) take(ctx context.Context) bool {
	select {
	case t.bucket <- struct{}{}:
		t.held = true
	case <-ctx.Done():
	}
	return t.held
}

// give returns the token.
func (t *token) give() {
	if t.held {
		<-t.bucket
		t.held = false
	}
}

// idle returns a function that waits without a token, so that callers who wait do not keep others from working.
func (t *token) idle(ctx context.Context) func(wait func()) {
	return func(wait func()) {
		t.give()
		wait()
		t.take(ctx)
	}
}
