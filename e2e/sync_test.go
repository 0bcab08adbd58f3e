package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/loadchain"
	"groat/testnet"
)

// payments is a chain of signed payments in a file in Bitcoin's format.
type payments struct {
	file   string
	size   int64
	txs    int
	blocks int
}

// pay makes a chain of about mib MiB.
func pay(t testing.TB, mib int) payments {
	t.Helper()
	const perBlock, txBytes = 1000, 223
	spec := loadchain.Spec{Params: consensus.Regtest(), Txs: mib << 20 / txBytes, TxsPerBlock: perBlock, Last: time.Now()}
	p := payments{file: filepath.Join(t.TempDir(), "payments.dat"), txs: spec.Txs, blocks: spec.Blocks()}
	f, err := os.Create(p.file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	err = loadchain.Make(spec, func(b *consensus.Block) error {
		p.size += int64(b.Size())
		return blockfile.Write(w, spec.Params, b.Raw())
	})
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// cost is the time that something took, by the clock and of processors. On a machine with other work the second one tells more.
type cost struct{ wall, cpu time.Duration }

func (c cost) String() string {
	return fmt.Sprintf("%.1f s (%.1f s of CPU)", c.wall.Seconds(), c.cpu.Seconds())
}

// servers starts four nodes that have a chain, and returns what it cost to import it.
func servers(t testing.TB, p payments) (*testnet.Network, cost) {
	t.Helper()
	const nodes = 4
	dir := t.TempDir()
	first := filepath.Join(dir, "n0")
	begin := time.Now()
	r := groat(t, "chain", "import", "--network", "regtest", "--datadir", first, "--dbcache", "32", "--log-level", "warn", p.file)
	if r.code != 0 {
		t.Fatalf("import: %+v", r)
	}
	took := cost{time.Since(begin), r.cpu}
	for i := 1; i < nodes; i++ {
		if err := os.CopyFS(filepath.Join(dir, fmt.Sprint("n", i)), os.DirFS(first)); err != nil {
			t.Fatal(err)
		}
	}
	return start(t, testnet.Config{Nodes: nodes, Dir: dir}), took
}

// join starts a node without blocks that knows the nodes of w, and returns it and what it cost to have their chain.
func join(t testing.TB, w *testnet.Network, blocks int) (*testnet.Node, cost) {
	t.Helper()
	flags := []string{"--metrics"}
	for _, n := range w.Nodes {
		flags = append(flags, "--peer", n.Endpoint().Listen[0])
	}
	var tip string
	call(t, w.Nodes[0], &tip, "getblockhash", blocks)
	begin := time.Now()
	late := start(t, testnet.Config{Nodes: 1, Flags: flags}).Nodes[0]
	if err := late.AwaitTip(within(t, 10*time.Minute), tip); err != nil {
		t.Fatal(err)
	}
	wall := time.Since(begin)
	cpu := metricsOf(t, late)["process_cpu_seconds_total"]
	return late, cost{wall, time.Duration(cpu * float64(time.Second))}
}

// A newcomer takes a chain from four peers, all of which have a part in it, about as fast as from a file.
func TestInitialSync(t *testing.T) {
	p := pay(t, 20)
	w, imported := servers(t, p)
	late, synced := join(t, w, p.blocks)
	t.Logf("%d blocks, %d payments, %.1f MB: imported in %v, synced from four peers in %v: %.0f %% of the rate",
		p.blocks, p.txs, float64(p.size)/1e6, imported, synced, 100*imported.wall.Seconds()/synced.wall.Seconds())

	view, err := late.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v := converged(t, w); v.UTXO != view.UTXO {
		t.Errorf("the newcomer has the coins %s, the others %s", view.UTXO, v.UTXO)
	}
	var peers []struct {
		Addr     string           `json:"addr"`
		Received map[string]int64 `json:"bytesrecv_per_msg"`
		Score    float64          `json:"score"`
	}
	call(t, late, &peers, "getpeerinfo")
	if len(peers) != len(w.Nodes) {
		t.Errorf("%d peers are left", len(peers))
	}
	for _, peer := range peers {
		t.Logf("%s served %.1f MB", peer.Addr, float64(peer.Received["blocks"])/1e6)
		if peer.Received["blocks"] < p.size/20 || peer.Score != 0 {
			t.Errorf("%s served %d bytes of blocks, its score is %v", peer.Addr, peer.Received["blocks"], peer.Score)
		}
	}

	have := metricsOf(t, late)
	if got := have[`groat_p2p_bytes_total{direction="received",protocol="blocks"}`]; got < float64(p.size) || got > 1.5*float64(p.size) {
		t.Errorf("%.0f bytes of blocks came for a chain of %d", got, p.size)
	}
	if got := have["groat_block_height"]; got != float64(p.blocks) {
		t.Errorf("the metrics say height %v", got)
	}
	if peak, ok := memoryOf(late, "VmHWM"); ok {
		t.Logf("the newcomer took %d MiB of memory at most", peak>>20)
		if peak > 300<<20 {
			t.Errorf("a download took %d MiB of memory with 32 MiB for coins", peak>>20)
		}
	}
	if lines := strings.Count(tail(filepath.Join(late.Dir, "log"), 1000), "\n"); lines > 100 {
		t.Errorf("%d lines of log for one download", lines)
	}
}

// BenchmarkInitialSync is TestInitialSync with a longer chain.
func BenchmarkInitialSync(b *testing.B) {
	p := pay(b, 100)
	w, imported := servers(b, p)
	for b.Loop() {
		_, synced := join(b, w, p.blocks)
		b.ReportMetric(float64(p.size)/1e6/synced.wall.Seconds(), "MB/s")
		b.ReportMetric(imported.wall.Seconds()/synced.wall.Seconds(), "of-import")
		b.ReportMetric(imported.cpu.Seconds()/synced.cpu.Seconds(), "of-import-cpu")
	}
}

// metricsOf returns the metrics of a node by name and labels.
func metricsOf(t testing.TB, n *testnet.Node) map[string]float64 {
	t.Helper()
	resp, err := http.Get(n.Endpoint().RPC + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s, %v", resp.Status, err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		at := strings.LastIndexByte(line, ' ')
		if value, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64); err == nil && at > 0 && line[0] != '#' {
			values[line[:at]] = value
		}
	}
	return values
}
