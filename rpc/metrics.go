package rpc

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"groat/internal/ledger"
)

// maxScrapes is how many may read the metrics at the same time.
const maxScrapes = 2

// newMetrics returns what serves the metrics of a node, in Prometheus' text format. It has a registry of its own.
func newMetrics(s *Server, p Parts) http.Handler {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newNodeCollector(&api{Parts: p, version: s.opts.Version, now: s.opts.Now}),
	} {
		registry.MustRegister(c) // three that never clash
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		ErrorLog:            slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	})
}

// nodeCollector asks the parts of a node when somebody asks it, so that nothing is counted twice.
type nodeCollector struct {
	api   *api
	plain []plainMetric // metrics with one value

	peers, bytes, build   *prometheus.Desc
	txDelays, blockDelays *prometheus.Desc
}

// plainMetric is a metric without labels.
type plainMetric struct {
	desc *prometheus.Desc
	read func(*sample) float64
}

// sample is what the parts of the node said at one moment.
type sample struct {
	height, headers int32
	tipTime         time.Time
	initial         bool
	progress        float64
	pool            ledger.PoolInfo
	storage         ledger.Storage
}

func newNodeCollector(a *api) *nodeCollector {
	c := &nodeCollector{
		api:         a,
		peers:       describe("peers", "Connected peers.", "direction"),
		bytes:       describe("p2p_bytes_total", "Bytes of streams with peers, without encryption and multiplexing.", "protocol", "direction"),
		build:       describe("build_info", "1, with the version of the program.", "version", "network"),
		txDelays:    describe("transaction_relay_seconds", "From the first announcement of a transaction by a peer until it was accepted."),
		blockDelays: describe("block_relay_seconds", "From the first announcement of a block by a peer until it was connected."),
	}
	for _, m := range []struct {
		name, help string
		read       func(*sample) float64
	}{
		{"block_height", "Height of the best block.", func(s *sample) float64 { return float64(s.height) }},
		{"header_height", "Height of the best header.", func(s *sample) float64 { return float64(s.headers) }},
		{"tip_timestamp_seconds", "Time in the header of the best block.", func(s *sample) float64 { return float64(s.tipTime.Unix()) }},
		{"sync_progress", "How much of the chain is verified, from 0 to 1.", func(s *sample) float64 { return s.progress }},
		{"initial_download", "1 while the best block is old.", func(s *sample) float64 { return flag(s.initial) }},
		{"mempool_transactions", "Transactions that wait for a block.", func(s *sample) float64 { return float64(s.pool.Count) }},
		{"mempool_vbytes", "Their virtual size.", func(s *sample) float64 { return float64(s.pool.Bytes) }},
		{"mempool_memory_bytes", "The memory that they take.", func(s *sample) float64 { return float64(s.pool.Usage) }},
		{"mempool_memory_limit_bytes", "The memory that they may take.", func(s *sample) float64 { return float64(s.pool.MaxBytes) }},
		{"coin_cache_coins", "Coins in memory, and spent ones that the disk does not know of yet.", func(s *sample) float64 { return float64(s.storage.CacheCoins) }},
		{"coin_cache_bytes", "The memory that they take.", func(s *sample) float64 { return float64(s.storage.CacheBytes) }},
		{"coin_cache_limit_bytes", "The memory that they may take.", func(s *sample) float64 { return float64(s.storage.CacheLimit) }},
		{"block_files_bytes", "Size of the files with blocks and undo records.", func(s *sample) float64 { return float64(s.storage.BlockBytes) }},
		{"database_bytes", "Size of the database.", func(s *sample) float64 { return float64(s.storage.StoreBytes) }},
	} {
		c.plain = append(c.plain, plainMetric{describe(m.name, m.help), m.read})
	}
	return c
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("groat_"+name, help, labels, nil)
}

func flag(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Describe tells which metrics there are.
func (c *nodeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.peers, c.bytes, c.build, c.txDelays, c.blockDelays} {
		out <- d
	}
	for _, m := range c.plain {
		out <- m.desc
	}
}

// Collect asks the node.
func (c *nodeCollector) Collect(out chan<- prometheus.Metric) {
	a := c.api
	tip := a.Chain.Tip()
	s := &sample{
		height: tip.Height, headers: a.Chain.BestHeader().Height, tipTime: tip.Header.Timestamp,
		initial: a.Chain.InitialDownload(), progress: float64(a.progress(tip)), pool: a.Pool.Info(), storage: a.Chain.Storage(),
	}
	for _, m := range c.plain {
		out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.read(s))
	}
	out <- prometheus.MustNewConstMetric(c.build, prometheus.GaugeValue, 1, a.version, a.Params.Name)
	if a.Network != nil {
		c.network(a.Network.Info(), out)
	}
}

// network tells what there is only where a host is open.
func (c *nodeCollector) network(info ledger.NetInfo, out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(c.peers, prometheus.GaugeValue, float64(info.Inbound), "in")
	out <- prometheus.MustNewConstMetric(c.peers, prometheus.GaugeValue, float64(info.Outbound), "out")
	for protocol, f := range info.Traffic {
		out <- prometheus.MustNewConstMetric(c.bytes, prometheus.CounterValue, float64(f.Sent), protocol, "sent")
		out <- prometheus.MustNewConstMetric(c.bytes, prometheus.CounterValue, float64(f.Received), protocol, "received")
	}
	out <- histogram(c.txDelays, info.TxDelays)
	out <- histogram(c.blockDelays, info.BlockDelays)
}

func histogram(d *prometheus.Desc, h ledger.Delays) prometheus.Metric {
	buckets := make(map[float64]uint64, len(h.UpTo))
	for _, b := range h.UpTo {
		buckets[b.Bound.Seconds()] = b.Number
	}
	return prometheus.MustNewConstHistogram(d, h.Number, h.Sum.Seconds(), buckets)
}
