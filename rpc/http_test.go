package rpc

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startServer runs a server until the test ends. It answers with -28 until the test calls Ready.
func startServer(t *testing.T, opts Options) *Server {
	t.Helper()
	opts.Address = "127.0.0.1:0"
	opts.Now = time.Now
	opts.Log = slog.New(slog.DiscardHandler)
	if opts.Cookie == "" {
		opts.Cookie = filepath.Join(t.TempDir(), ".cookie")
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// cookieOf returns the login in the server's cookie file.
func cookieOf(t *testing.T, s *Server) string {
	t.Helper()
	content, err := os.ReadFile(s.opts.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// exchange sends the bytes of a request and returns those of the answer, without the date.
func exchange(t *testing.T, s *Server, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Below the time after which the server gives up on others, so that waiting for them is a failure.
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := resp.Status
	for _, name := range []string{"Content-Type", "Www-Authenticate", "Content-Length"} {
		if value := resp.Header.Get(name); value != "" {
			text += "\n" + name + ": " + value
		}
	}
	return text + "\n\n" + string(body)
}

// post returns the bytes of a request with a login and a body.
func post(login, body string) string { return postTo("/", login, body) }

func postTo(path, login, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n%s",
		path, base64.StdEncoding.EncodeToString([]byte(login)), len(body), body)
}

// jsonAnswer is what exchange returns for an answer with this status and body.
func jsonAnswer(status, body string) string {
	return fmt.Sprintf("%s\nContent-Type: application/json\nContent-Length: %d\n\n%s\n", status, len(body)+1, body)
}

func TestChecksBeforeTheBody(t *testing.T) {
	s := startServer(t, Options{User: "alice", Password: "secret"})
	s.Ready(Parts{})
	const (
		onlyPost  = "405 Method Not Allowed\nContent-Type: text/plain; charset=utf-8\nContent-Length: 41\n\nJSONRPC server handles only POST requests"
		noLogin   = "401 Unauthorized\nWww-Authenticate: Basic realm=\"jsonrpc\"\nContent-Length: 0\n\n"
		unknown   = "404 Not Found\nContent-Length: 0\n\n"
		wrongVerb = "405 Method Not Allowed\nContent-Length: 0\n\n"
	)
	ok := jsonAnswer("200 OK", `{"result":["x"],"error":null,"id":1}`)
	const call = `{"method":"echo","params":["x"],"id":1}`
	for name, tt := range map[string]struct{ request, want string }{
		"get, without login":           {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", onlyPost},
		"get below wallet":             {"GET /wallet/a HTTP/1.1\r\nHost: x\r\n\r\n", onlyPost},
		"unknown verb":                 {"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", wrongVerb},
		"unknown path, without login":  {"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", unknown},
		"get of an unknown path":       {"GET /wallet HTTP/1.1\r\nHost: x\r\n\r\n", unknown},
		"no login":                     {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", noLogin},
		"wrong password":               {post("alice:wrong", call), noLogin},
		"wrong user":                   {post("bob:secret", call), noLogin},
		"empty login":                  {post("", call), noLogin},
		"not basic":                    {"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 0\r\n\r\n", noLogin},
		"user and password":            {post("alice:secret", call), ok},
		"cookie besides the user":      {post(cookieOf(t, s), call), ok},
		"any content type, any host":   {strings.Replace(post("alice:secret", call), "Host: x", "Host: evil.example\r\nContent-Type: text/plain", 1), ok},
		"the path of a wallet":         {postTo("/wallet/a%20b", "alice:secret", call), ok},
		"the path of the empty wallet": {postTo("/wallet/", "alice:secret", call), ok},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := exchange(t, s, tt.request); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestWrongLoginTakesTime(t *testing.T) {
	s := startServer(t, Options{})
	start := time.Now()
	exchange(t, s, post("__cookie__:wrong", "{}"))
	if took := time.Since(start); took < wrongLoginDelay {
		t.Errorf("refused after %v, before %v", took, wrongLoginDelay)
	}
}

func TestAnswers(t *testing.T) {
	s := startServer(t, Options{})
	s.Ready(Parts{})
	const notFound1 = `{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}`
	for name, tt := range map[string]struct{ body, status, want string }{
		"empty body":               {``, "500 Internal Server Error", `{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}`},
		"no json":                  {`{`, "500 Internal Server Error", `{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}`},
		"more than one value":      {`{} {}`, "500 Internal Server Error", `{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}`},
		"too deep":                 {strings.Repeat("[", 600) + strings.Repeat("]", 600), "500 Internal Server Error", `{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}`},
		"neither object nor array": {`"x"`, "500 Internal Server Error", `{"result":null,"error":{"code":-32700,"message":"Top-level object parse error"},"id":null}`},

		"1.x: a result":               {`{"method":"echo","params":[1,"<&>",null],"id":"a\"b"}`, "200 OK", `{"result":[1,"<&>",null],"error":null,"id":"a\"b"}`},
		"1.x: numbers keep digits":    {`{"method":"echojson","params":[1.50,1e400,-0,12345678901234567890],"id":1e2}`, "200 OK", `{"result":[1.50,1e400,-0,12345678901234567890],"error":null,"id":1e2}`},
		"1.x: no id, no params":       {`{"method":"echo"}`, "200 OK", `{"result":[],"error":null}`},
		"1.x: params null":            {`{"jsonrpc":"1.0","method":"echo","params":null,"id":null}`, "200 OK", `{"result":[],"error":null,"id":null}`},
		"1.x: version 1.1":            {`{"jsonrpc":"1.1","method":"echo","id":[1,{"a":2}]}`, "200 OK", `{"result":[],"error":null,"id":[1,{"a":2}]}`},
		"1.x: missing method":         {`{"id":1}`, "400 Bad Request", `{"result":null,"error":{"code":-32600,"message":"Missing method"},"id":1}`},
		"1.x: method no string":       {`{"method":5,"id":1}`, "400 Bad Request", `{"result":null,"error":{"code":-32600,"message":"Method must be a string"},"id":1}`},
		"1.x: params a string":        {`{"method":"echo","params":"x","id":1}`, "400 Bad Request", `{"result":null,"error":{"code":-32600,"message":"Params must be an array or object"},"id":1}`},
		"1.x: unknown method":         {`{"method":"nope","id":1}`, "404 Not Found", notFound1},
		"1.x: an error of the method": {`{"method":"generate","id":1}`, "404 Not Found", `{"result":null,"error":{"code":-32601,"message":"generate\n\nhas been replaced by generatetoaddress. Use ` + "`groat rpc generatetoaddress` or `groat node --mine ADDRESS`" + `.\n"},"id":1}`},
		"1.x: wrong type":             {`{"method":"getblockhash","params":["x"],"id":1}`, "500 Internal Server Error", `{"result":null,"error":{"code":-3,"message":"Wrong type passed:\n{\n    \"Position 1 (height)\": \"JSON value of type string is not of expected type number\"\n}"},"id":1}`},
		"unknown version":             {`{"jsonrpc":"3.0","method":"echo","id":1}`, "400 Bad Request", `{"result":null,"error":{"code":-32600,"message":"JSON-RPC version not supported"},"id":1}`},
		"version no string":           {`{"jsonrpc":2,"method":"echo","id":1}`, "400 Bad Request", `{"result":null,"error":{"code":-32600,"message":"jsonrpc field must be a string"},"id":1}`},

		"2.0: a result":           {`{"jsonrpc":"2.0","method":"echo","params":["x"],"id":1}`, "200 OK", `{"jsonrpc":"2.0","result":["x"],"id":1}`},
		"2.0: a null result":      {`{"jsonrpc":"2.0","method":"echojson","params":{"arg1":null},"id":1}`, "200 OK", `{"jsonrpc":"2.0","result":[null,null],"id":1}`},
		"2.0: unknown method":     {`{"jsonrpc":"2.0","method":"nope","id":1}`, "200 OK", `{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":1}`},
		"2.0: an id that is null": {`{"jsonrpc":"2.0","method":"echo","id":null}`, "200 OK", `{"jsonrpc":"2.0","result":[],"id":null}`},
		"2.0: missing method":     {`{"jsonrpc":"2.0","id":1}`, "400 Bad Request", `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Missing method"},"id":1}`},
		"2.0: only args, by name": {`{"jsonrpc":"2.0","method":"echo","params":{"args":["a"],"arg2":"c"},"id":1}`, "200 OK", `{"jsonrpc":"2.0","result":["a",null,"c"],"id":1}`},
		"2.0: unknown name":       {`{"jsonrpc":"2.0","method":"echo","params":{"x":1},"id":1}`, "200 OK", `{"jsonrpc":"2.0","error":{"code":-8,"message":"Unknown named parameter x"},"id":1}`},
		"2.0: twice":              {`{"jsonrpc":"2.0","method":"echo","params":{"args":["a"],"arg0":"b"},"id":1}`, "200 OK", `{"jsonrpc":"2.0","error":{"code":-8,"message":"Parameter arg0 specified twice both as positional and named argument"},"id":1}`},
		"2.0: twice by name":      {`{"jsonrpc":"2.0","method":"echo","params":{"arg0":"a","arg0":"b"},"id":1}`, "200 OK", `{"jsonrpc":"2.0","error":{"code":-8,"message":"Parameter arg0 specified multiple times"},"id":1}`},
		"batch: empty":            {`[]`, "200 OK", `[]`},
		"batch: in order":         {`[{"method":"echo","params":["a"],"id":2},{"jsonrpc":"2.0","method":"nope","id":1},{"method":"nope","id":0}]`, "200 OK", `[{"result":["a"],"error":null,"id":2},{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":1},{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":0}]`},
		"batch: what is no call":  {`[1,{"id":3}]`, "200 OK", `[{"result":null,"error":{"code":-32600,"message":"Invalid Request object"},"id":null},{"result":null,"error":{"code":-32600,"message":"Missing method"},"id":3}]`},
		"batch: one notification": {`[{"jsonrpc":"2.0","method":"echo"},{"jsonrpc":"2.0","method":"echo","id":1}]`, "200 OK", `[{"jsonrpc":"2.0","result":[],"id":1}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := jsonAnswer(tt.status, tt.want)
			if got := exchange(t, s, post(cookieOf(t, s), tt.body)); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestNotificationsGetNoAnswer(t *testing.T) {
	s := startServer(t, Options{})
	s.Ready(Parts{})
	for _, body := range []string{
		`{"jsonrpc":"2.0","method":"echo"}`,
		`{"jsonrpc":"2.0","method":"nope"}`,
		`[{"jsonrpc":"2.0","method":"echo"},{"jsonrpc":"2.0","method":"nope"}]`,
	} {
		if got, want := exchange(t, s, post(cookieOf(t, s), body)), "204 No Content\n\n"; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", body, got, want)
		}
	}
}

func TestNotReady(t *testing.T) {
	s := startServer(t, Options{})
	ask := func(body string) string { return exchange(t, s, post(cookieOf(t, s), body)) }
	const call = `{"method":"nope","id":1}`
	if got, want := ask(call), jsonAnswer("500 Internal Server Error", `{"result":null,"error":{"code":-28,"message":"RPC server started"},"id":1}`); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	s.SetPhase("Loading block index…")
	if got, want := ask(call), jsonAnswer("500 Internal Server Error", `{"result":null,"error":{"code":-28,"message":"Loading block index…"},"id":1}`); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	s.Ready(Parts{})
	if got := ask(call); !strings.Contains(got, "Method not found") {
		t.Errorf("got\n%s", got)
	}
}

// A body arrives whole, whether its length was said or not.
func TestBodies(t *testing.T) {
	for _, size := range []int{0, 1, 511, 513, smallBody - 1, smallBody, smallBody + 1, 3*smallBody + 7} {
		text := strings.Repeat("body of a call ", size/15+1)[:size]
		for _, said := range []int64{int64(size), -1} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.NopCloser(strings.NewReader(text)))
			r.ContentLength = said
			upload := token{bucket: make(chan struct{}, 1)}
			if got, status := readBody(httptest.NewRecorder(), r, &upload); got != text || status != 0 {
				t.Errorf("%d bytes, of which %d were said: %d came, status %d", size, said, len(got), status)
			}
			if upload.held != (size >= smallBody) {
				t.Errorf("%d bytes hold a token: %v", size, upload.held)
			}
		}
	}
}

func TestTooLargeBody(t *testing.T) {
	s := startServer(t, Options{})
	s.Ready(Parts{})
	head := strings.Replace(post(cookieOf(t, s), ""), "Content-Length: 0", fmt.Sprintf("Content-Length: %d", maxBodyBytes+1), 1)
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		_, _ = io.WriteString(conn, head) // the server may hang up before it has all
		_, _ = conn.Write(make([]byte, maxBodyBytes+1))
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %s", resp.Status)
	}
}

func TestWorkQueue(t *testing.T) {
	s := startServer(t, Options{Threads: 2, Queue: 3})
	s.Ready(Parts{})
	s.inFlight.Add(5) // as if so many callers were there
	const full = "503 Service Unavailable\nContent-Type: text/plain; charset=utf-8\nContent-Length: 25\n\nWork queue depth exceeded"
	if got := exchange(t, s, post(cookieOf(t, s), "[]")); got != full {
		t.Errorf("got\n%s\nwant\n%s", got, full)
	}
	s.inFlight.Add(-1)
	if got := exchange(t, s, post(cookieOf(t, s), "[]")); got != jsonAnswer("200 OK", "[]") {
		t.Errorf("got\n%s", got)
	}
}

func TestWaitersKeepNoThread(t *testing.T) {
	s := startServer(t, Options{Threads: 1, Queue: 5})
	entered, let := make(chan struct{}), make(chan struct{})
	s.state.Store(&state{table: table{
		"idle": {Name: "idle", Run: func(_ context.Context, c *Call) (any, error) {
			c.Idle(func() {
				entered <- struct{}{}
				<-let
			})
			return nil, nil
		}},
		"quick": {Name: "quick", Run: func(context.Context, *Call) (any, error) { return "quick", nil }},
	}})
	answer := make(chan string)
	go func() { answer <- exchange(t, s, post(cookieOf(t, s), `{"method":"idle","id":1}`)) }()
	<-entered
	if got := exchange(t, s, post(cookieOf(t, s), `{"method":"quick","id":1}`)); !strings.Contains(got, "quick") {
		t.Errorf("got\n%s", got)
	}
	close(let)
	if got := <-answer; !strings.HasPrefix(got, "200 OK") {
		t.Errorf("got\n%s", got)
	}
}

func TestStopLetsCallsFinish(t *testing.T) {
	stopped := make(chan struct{})
	s, err := New(Options{
		Address: "127.0.0.1:0", Cookie: filepath.Join(t.TempDir(), ".cookie"),
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Stop: func() { close(stopped) },
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.opts.Cookie)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("cookie file: %v, %v", info, err)
	}
	login := cookieOf(t, s)
	if user, secret, _ := strings.Cut(login, ":"); user != "__cookie__" || len(secret) != 64 {
		t.Errorf("cookie %q", login)
	}
	s.Ready(Parts{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	answer := make(chan string)
	go func() { answer <- exchange(t, s, post(login, `{"method":"stop","params":[200],"id":1}`)) }()
	<-stopped
	cancel()
	if got, want := <-answer, jsonAnswer("200 OK", `{"result":"groat stopping","error":null,"id":1}`); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.opts.Cookie); !os.IsNotExist(err) {
		t.Errorf("the cookie file is still there: %v", err)
	}
}

func TestAnothersCookieStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".cookie")
	first, err := New(Options{Address: "127.0.0.1:0", Cookie: path})
	if err != nil {
		t.Fatal(err)
	}
	second, err := New(Options{Address: "127.0.0.1:0", Cookie: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the second server's cookie is gone: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestKeepAlive(t *testing.T) {
	s := startServer(t, Options{})
	s.Ready(Parts{})
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for i := range 3 {
		if _, err := io.WriteString(conn, post(cookieOf(t, s), `{"method":"echo","id":1}`)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}
