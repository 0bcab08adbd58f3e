package rpc

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"groat/internal/ledger"
)

// get returns the status and the body of a path of the server. A login may be empty.
func get(t *testing.T, s *Server, path, login string) (int, string) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user, password, ok := strings.Cut(login, ":"); ok {
		req.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestHealth(t *testing.T) {
	s := startServer(t, Options{Metrics: true})
	wants := func(path string, status int, body string) {
		t.Helper()
		if code, got := get(t, s, path, ""); code != status || got != body {
			t.Errorf("%s: %d %q, want %d %q", path, code, got, status, body)
		}
	}
	s.SetPhase("Loading block index…")
	wants("/livez", 200, "ok\n")
	wants("/readyz", 503, "Loading block index…\n")
	wants("/metrics", 503, "Loading block index…\n")
	r := newRig(t)
	s.Ready(Parts{Params: r.tree.Params, Chain: r.chain, Pool: r.pool, Network: r.net})
	wants("/livez", 200, "ok\n")
	wants("/readyz", 200, "ok\n")
	wants("/livez/x", 404, "")
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		if got := exchange(t, s, postTo(path, cookieOf(t, s), "{}")); !strings.HasPrefix(got, "405 ") {
			t.Errorf("post to %s: %s", path, got)
		}
	}
}

func TestMetrics(t *testing.T) {
	r := newRig(t)
	r.net.peers = make([]ledger.PeerInfo, 3)
	r.net.delays = ledger.Delays{Number: 3, Sum: 2 * time.Second, UpTo: []ledger.DelaysUpTo{{Bound: 5 * time.Millisecond, Number: 1}, {Bound: time.Second, Number: 2}}}
	parts := Parts{Params: r.tree.Params, Chain: r.chain, Pool: r.pool, Network: r.net}
	s := startServer(t, Options{Metrics: true, Version: "0.1.0"})
	s.Ready(parts)
	code, body := get(t, s, "/metrics", "")
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	for _, line := range []string{
		"groat_block_height 102", "groat_header_height 102", "groat_sync_progress 1", "groat_initial_download 0",
		`groat_peers{direction="in"} 1`, `groat_peers{direction="out"} 2`,
		`groat_p2p_bytes_total{direction="received",protocol="txrelay"} 20`, `groat_p2p_bytes_total{direction="sent",protocol="txrelay"} 10`,
		`groat_transaction_relay_seconds_bucket{le="0.005"} 1`, `groat_transaction_relay_seconds_bucket{le="1"} 2`,
		`groat_transaction_relay_seconds_bucket{le="+Inf"} 3`, "groat_transaction_relay_seconds_sum 2", "groat_block_relay_seconds_count 0",
		"groat_mempool_transactions 0", "groat_mempool_vbytes ", "groat_coin_cache_coins 1", "groat_coin_cache_bytes 2", "groat_coin_cache_limit_bytes 3",
		"groat_block_files_bytes 4", "groat_database_bytes 5", `groat_build_info{network="regtest",version="0.1.0"} 1`,
		"go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(body, "\n"+line) {
			t.Errorf("no line %s", line)
		}
	}
	parts.Network = nil // as on a network that opens no host
	s.Ready(parts)
	if code, body := get(t, s, "/metrics", ""); code != 200 || strings.Contains(body, "groat_peers") {
		t.Errorf("without a network: %d\n%s", code, body)
	}
}

// Nobody gets metrics from a server that was not asked to give them, nor without login from one that others can reach.
func TestMetricsAreNotForAll(t *testing.T) {
	r := newRig(t)
	parts := Parts{Params: r.tree.Params, Chain: r.chain, Pool: r.pool}
	silent := startServer(t, Options{})
	silent.Ready(parts)
	if code, body := get(t, silent, "/metrics", cookieOf(t, silent)); code != 404 {
		t.Errorf("not asked for: %d %s", code, body)
	}
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	public := startServer(t, Options{Listener: listener, Metrics: true, User: "prometheus", Password: "secret"})
	public.Ready(parts)
	for login, want := range map[string]int{"": 401, "prometheus:wrong": 401, "prometheus:secret": 200} {
		if code, body := get(t, public, "/metrics", login); code != want {
			t.Errorf("login %q: %d, want %d\n%s", login, code, want, body)
		}
	}
	if code, _ := get(t, public, "/readyz", ""); code != 200 {
		t.Error(fmt.Sprint("ready: ", code))
	}
}
