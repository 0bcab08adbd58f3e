package p2p

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/marcopolo/simnet"

	"groat/consensus"
)

// spread gives each pair of nodes a latency of its own, 10 to 90 ms.
func spread(p *simnet.Packet) time.Duration {
	a, b := p.From.(*net.UDPAddr).IP.String(), p.To.(*net.UDPAddr).IP.String()
	h := fnv.New32a()
	_, _ = h.Write([]byte(min(a, b) + " " + max(a, b)))
	return 10*time.Millisecond + time.Duration(h.Sum32()%80)*time.Millisecond
}

// sized makes a payment of so many bytes.
func sized(n uint32, size int) *consensus.Tx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: chainhash.Hash{coinMark}, Index: n}, Sequence: 0xffffffff})
	tx.AddTxOut(&wire.TxOut{Value: 100_000, PkScript: make([]byte, size-60-8)})
	return consensus.NewTx(tx)
}

// settle starts nodes that each keep connections to up to eight others.
func (w *world) settle(count int) {
	for range count {
		w.join()
	}
	w.until(20*time.Second, "all have peers", w.all(peers(min(4, count-1))))
	time.Sleep(3 * time.Second) // the mesh forms
}

// join starts a node that keeps connections to up to eight others.
func (w *world) join() {
	var known []string
	for _, k := range rand.Perm(len(w.nodes)) {
		if len(known) < maxOutbound {
			known = append(known, w.nodes[k].addr())
		}
	}
	w.start(func(o *Options) { o.Peers = known })
}

// quantile returns the part q of sorted times.
func quantile(times []time.Duration, q float64) time.Duration {
	return times[min(int(q*float64(len(times))), len(times)-1)]
}

func (w *world) report(what string, times []time.Duration) {
	w.t.Helper()
	slices.Sort(times)
	w.t.Logf("%s: p50 %v, p95 %v, max %v", what, quantile(times, 0.5).Round(time.Millisecond),
		quantile(times, 0.95).Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond))
	if p95 := quantile(times, 0.95); p95 >= 500*time.Millisecond {
		w.t.Errorf("%s: p95 is %v", what, p95)
	}
}

// The network that users have: links of 10 to 90 ms, payments at 500 a second, full blocks, nodes that come and go, lost packets and a split.
// Signatures are not checked. Twenty nodes, or a hundred in make soak.
func TestTown(t *testing.T) {
	count := 20
	if soak() {
		count = 100
	}
	simulateOn(t, spread, func(t *testing.T, w *world) {
		w.settle(count)
		began := time.Now()
		w.payments(t, 1000)
		w.fullBlock(t)
		w.hardTimes(t)
		t.Log("virtual time:", time.Since(began).Round(time.Second))
	})
}

// payments measures how payments spread at 500 a second.
func (w *world) payments(t *testing.T, count int) {
	made := map[chainhash.Hash]time.Time{}
	before := w.bytes.Load()
	for i := range count {
		tx := sized(uint32(i), 250)
		made[tx.WTxID()] = time.Now()
		w.nodes[rand.IntN(len(w.nodes))].pay(tx)
		time.Sleep(2 * time.Millisecond)
	}
	w.until(ownDelayMost+5*time.Second, "all have all payments", w.all(func(n *node) bool { return len(n.pool.Transactions()) == count }))
	sent := w.bytes.Load() - before
	var times []time.Duration
	bodies := 0
	for _, n := range w.nodes {
		bodies += n.pool.adds()
		n.pool.mu.Lock()
		for wtxid, at := range n.pool.when {
			times = append(times, at.Sub(made[wtxid]))
		}
		n.pool.mu.Unlock()
	}
	w.report("payments", times)
	perNode := sent / int64(count*len(w.nodes))
	t.Logf("payments: %d bytes (UDP) each and node, %d bodies too many of %d", perNode, bodies-count*len(w.nodes), bodies)
	if perNode > 700 || bodies > count*len(w.nodes)*1001/1000 {
		t.Errorf("%d bytes each and node, %d bodies of %d", perNode, bodies, count*len(w.nodes))
	}
}

// fullBlock measures how a block of 1 MB spreads whose payments everybody has.
func (w *world) fullBlock(t *testing.T) {
	var txs []*consensus.Tx
	for i := range 3990 {
		txs = append(txs, sized(uint32(1_000_000+i), 250))
	}
	for _, n := range w.nodes {
		n.pool.mu.Lock()
		n.pool.hidden = txs
		n.pool.mu.Unlock()
	}
	made := time.Now()
	b := w.nodes[0].chain.mine(txs...)
	w.until(10*time.Second, "all have the block", w.all(atTip(b)))
	var times []time.Duration
	for _, n := range w.nodes {
		n.chain.mu.Lock()
		times = append(times, n.chain.when[b.Hash()].Sub(made))
		n.chain.mu.Unlock()
	}
	w.report(fmt.Sprintf("a block of %d bytes", b.Size()), times)
}

// hardTimes loses one packet of a hundred while nodes go and come, three times as many in a minute as the town has to bear, and newcomers join; then
// it splits the network for a minute.
func (w *world) hardTimes(t *testing.T) {
	w.loss.Store(100)
	town, moves := len(w.nodes), 0
	for round := range 6 { // of ten seconds
		for range (town + 19) / 20 {
			if round%2 == 0 {
				n := w.nodes[rand.IntN(town)]
				n.halt()
				time.Sleep(2 * time.Second)
				n.again()
				moves++
			}
		}
		if round == 1 {
			w.join()
		}
		w.nodes[rand.IntN(town)].chain.mine()
		time.Sleep(10 * time.Second)
	}
	some := w.nodes[3]
	took := w.until(time.Minute, "one tip although nodes come and go", w.all(func(n *node) bool { return n.chain.Tip().Hash == some.chain.Tip().Hash }))
	t.Logf("1 %% of packets lost, %d of %d nodes go and come back in a minute (%d %%), one joins: one tip at height %d after %v", moves, town, 100*moves/town, some.chain.Tip().Height, took)

	half := w.nodes[:len(w.nodes)/2]
	w.cut(half...)
	for range 3 {
		half[0].chain.mine()
		w.nodes[len(w.nodes)-1].chain.mine()
		time.Sleep(20 * time.Second)
	}
	best := w.nodes[len(w.nodes)-1].chain.mine()
	time.Sleep(time.Second)
	w.cut()
	took = w.until(2*time.Minute, "one tip after the split", w.all(atTip(best)))
	t.Logf("a split of 61 s, 1 %% of packets lost: one tip at all %d after %v", len(w.nodes), took)
}
