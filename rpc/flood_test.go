package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// crowd opens connections that each send the bytes and then nothing.
func crowd(t *testing.T, s *Server, n int, request string) {
	t.Helper()
	for range n {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever has no login, or never ends its body, keeps nobody out.
func TestCrowdsKeepNobodyOut(t *testing.T) {
	unfinished := func(login string, size int) string {
		request := post(login, strings.Repeat(" ", size))
		return request[:len(request)-1]
	}
	for name, request := range map[string]func(login string) string{
		"headers":         func(login string) string { return "POST / HTTP/1.1\r\nHost: x\r\n" },
		"wrong passwords": func(string) string { return post("alice:wrong", "[]") },
		"small bodies":    func(login string) string { return unfinished(login, 100) },
		"large bodies":    func(login string) string { return unfinished(login, smallBody+100) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, Options{Threads: 2, Queue: 2})
			s.Ready(Parts{})
			crowd(t, s, 4*maxUploads, request(cookieOf(t, s)))
			if got := exchange(t, s, post(cookieOf(t, s), "[]")); got != jsonAnswer("200 OK", "[]") {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

// The answer to a long batch is sent in pieces and is one array all the same.
func TestLongBatch(t *testing.T) {
	s := startServer(t, Options{})
	s.Ready(Parts{})
	const calls = 40
	call := `{"method":"echo","params":["` + strings.Repeat("x", pieceBytes/20) + `"]}`
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, post(cookieOf(t, s), "["+strings.TrimSuffix(strings.Repeat(call+",", calls), ",")+"]")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answers []struct {
		Result []string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answers); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || len(answers) != calls || len(answers[calls-1].Result[0]) != pieceBytes/20 {
		t.Errorf("%s, %v, %d answers", resp.Status, resp.Header, len(answers))
	}
}

// gone is a caller that takes nothing.
type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// A batch ends when its caller has gone.
func TestBatchOfNobody(t *testing.T) {
	ran := 0
	s := &Server{opts: Options{Log: discard()}, active: map[uint64]activeCall{}}
	s.state.Store(&state{table: table{"long": {Name: "long", Run: func(context.Context, *Call) (any, error) {
		ran++
		return strings.Repeat("x", pieceBytes), nil
	}}}})
	body := `[` + strings.TrimSuffix(strings.Repeat(`{"method":"long","id":1},`, 9), ",") + `]`
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	s.serveBody(gone{httptest.NewRecorder()}, r, origin{}, body)
	if ran != 1 {
		t.Errorf("%d calls were run", ran)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	s.serveBody(w, r.WithContext(ctx), origin{}, body)
	if ran != 1 || strings.Count(w.Body.String(), "Shutting down") != 9 {
		t.Errorf("%d calls were run: %s", ran, w.Body)
	}
}

// logLines counts what is logged.
type logLines int

func (l *logLines) Write(b []byte) (int, error) {
	*l++
	return len(b), nil
}

// Whoever tries passwords fills no disk.
func TestRefusedLoginsAreLoggedOnceASecond(t *testing.T) {
	var lines logLines
	s := &Server{opts: Options{Log: textLog(&lines)}}
	for i := range 1000 {
		s.refused(fmt.Sprint("peer ", i))
	}
	if lines < 1 || lines > 2 { // the second may have changed
		t.Errorf("%d lines", lines)
	}
}
