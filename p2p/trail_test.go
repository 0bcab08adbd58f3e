package p2p

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/libp2p/go-libp2p/core/network"

	"groat/consensus"
)

// soak says whether tests run at their full size.
func soak() bool { return os.Getenv("GROAT_SOAK") != "" }

// headerFarm makes headers of the least work, as many as one asks for. It keeps the place at the start of each answer and makes the
// headers again when they are asked for again.
type headerFarm struct {
	places []consensus.State
	index  map[chainhash.Hash]int // of places
	total  int32
	merkle byte // tells farms apart
}

func newFarm(p *consensus.Params, total int32, merkle byte) *headerFarm {
	g := consensus.Genesis(p)
	return &headerFarm{places: []consensus.State{g}, index: map[chainhash.Hash]int{g.Hash: 0}, total: total, merkle: merkle}
}

// after returns the headers that follow a place, as a server does.
func (f *headerFarm) after(hash chainhash.Hash) []wire.BlockHeader {
	i, ok := f.index[hash]
	if !ok {
		return nil
	}
	s := f.places[i]
	headers := make([]wire.BlockHeader, min(maxHeaders, f.total-s.Height))
	for k := range headers {
		h := wire.BlockHeader{Version: 0x20000000, PrevBlock: s.Hash, Bits: s.NextBits(), Timestamp: s.MedianTime().Add(time.Second)}
		for h.MerkleRoot[0] = f.merkle; consensus.CheckWork(s.Params(), &h) != nil; {
			h.Nonce++
		}
		s, headers[k] = s.Next(&h), h
	}
	if _, known := f.index[s.Hash]; !known {
		f.index[s.Hash] = len(f.places)
		f.places = append(f.places, s)
	}
	return headers
}

// last makes all headers and returns the place after them.
func (f *headerFarm) last() consensus.State {
	for {
		end := f.places[len(f.places)-1]
		if end.Height == f.total {
			return end
		}
		f.after(end.Hash)
	}
}

// serveHeaders answers requests for headers. It returns the number of headers that it has sent.
func (s *stranger) serveHeaders(after func(chainhash.Hash) []wire.BlockHeader) *atomic.Int64 {
	sent := new(atomic.Int64)
	s.SetStreamHandler(s.ids.headers, func(st network.Stream) {
		defer st.Close()
		payload, err := newFrameReader(st, &meter{}, 4096).next(1<<16, time.Second)
		if err != nil {
			return
		}
		ask, err := decodeHeadersRequest(payload)
		if err != nil {
			return
		}
		headers := after(ask.Locator[0])
		if (&frameWriter{dst: st, meter: &meter{}}).write(encodeHeaders(headers)) == nil {
			sent.Add(int64(len(headers)))
		}
	})
	return sent
}

// demanding is regtest with a least amount of work.
func demanding(blocks int) *consensus.Params {
	p := *consensus.Regtest()
	p.MinWork = work(int32(2 * blocks)) // two hashes each
	return &p
}

func heapBytes() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A flood of headers without work costs some bytes for 2,000 of them while it lasts, and the flooder its place in the end.
func TestLowWorkHeaderFlood(t *testing.T) {
	total := int32(200_000)
	if soak() {
		total = 10_000_000
	}
	simulate(t, func(t *testing.T, w *world) {
		params := demanding(1 << 29)
		n := w.startWith(newFakeChain(params), newFakePool())
		s := w.bare(n)
		farm := newFarm(params, total, 1)
		sent := s.serveHeaders(farm.after)
		s.listen()
		s.status.Height, s.status.Work, s.status.Tip = total, consensus.Work{1}, chainhash.Hash{1}
		s.shake()
		before, began := heapBytes(), time.Now()
		took := w.until(time.Hour, "out", s.out)
		if grown := int64(heapBytes()) - int64(before) - int64(len(farm.places))*400; grown > 8<<20 {
			t.Errorf("%d bytes more", grown)
		}
		if got := len(n.chain.nodes); got != 1 {
			t.Errorf("%d headers are stored", got)
		}
		if !s.banned() || sent.Load() < int64(total) {
			t.Errorf("banned %v after %d headers", s.banned(), sent.Load())
		}
		if !soak() && took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		t.Logf("%d headers: none stored, flooder out after %v", sent.Load(), time.Since(began))
	})
}

// While somebody floods us with headers, others are asked too.
func TestHeaderFloodKeepsNobodyWaiting(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		params := demanding(50)
		honest := w.startWith(newFakeChain(params), newFakePool())
		for range 60 {
			honest.chain.mine()
		}
		n := w.startWith(newFakeChain(params), newFakePool())
		for i := range 3 {
			s := w.bare(n)
			s.serveHeaders(func(h chainhash.Hash) []wire.BlockHeader {
				time.Sleep(8 * time.Second) // just fast enough to be believed
				return nil
			})
			s.status.Height, s.status.Work, s.status.Tip = 1<<30, consensus.Work{1}, chainhash.Hash{byte(i + 1)}
			s.shake()
		}
		n.dial(honest)
		took := w.until(30*time.Second, "synced", func() bool { return n.chain.Tip().Height == 60 })
		t.Log("synced after", took)
		time.Sleep(10 * time.Second) // the last answer ends
	})
}

// A chain of more than one answer is followed first and stored when it has turned out to have the work.
func TestHeadersAreStoredOnceTheirWorkIsKnown(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		params := demanding(9000)
		n := w.startWith(newFakeChain(params), newFakePool())
		s := w.bare(n)
		farm := newFarm(params, 9500, 1)
		end := farm.last()
		early := 0
		sent := s.serveHeaders(func(h chainhash.Hash) []wire.BlockHeader {
			if i := farm.index[h]; i < 4 && len(n.chain.nodes) > 1 && early == 0 {
				early = len(n.chain.nodes)
			}
			return farm.after(h)
		})
		s.status.Height, s.status.Work, s.status.Tip = end.Height, end.Work, end.Hash
		s.shake()
		w.until(10*time.Second, "headers", func() bool { return n.chain.BestHeader().Hash == end.Hash })
		if sent.Load() != 9500+9500 {
			t.Errorf("sent %d headers", sent.Load())
		}
		if early%maxHeaders != 1 { // only whole answers of the second pass were there when an earlier one was asked for again
			t.Errorf("%d headers were stored at first", early)
		}
	})
}

// Whoever shows a chain with work and then serves another one gets nothing of that stored.
func TestSecondPassMustMatch(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		params := demanding(5000)
		n := w.startWith(newFakeChain(params), newFakePool())
		s := w.bare(n)
		good, bad := newFarm(params, 5500, 1), newFarm(params, 5500, 2)
		end := good.last()
		bad.last()
		genesis := 0
		s.serveHeaders(func(h chainhash.Hash) []wire.BlockHeader {
			if h == params.GenesisHash {
				genesis++
			}
			if genesis%2 == 0 {
				return bad.after(h)
			}
			return good.after(h)
		})
		s.status.Height, s.status.Work, s.status.Tip = end.Height, end.Work, end.Hash
		s.shake()
		took := w.until(20*time.Second, "out", s.out)
		if len(n.chain.nodes) != 1 || genesis < 2 {
			t.Errorf("%d headers are stored, asked %d times", len(n.chain.nodes), genesis)
		}
		t.Log("out after", took)
	})
}

// A fork that begins more than one answer below the tip is followed to its end although its first headers have less work than our tip.
func TestLongForkIsFollowed(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		params := consensus.Regtest()
		n := w.start()
		ours, theirs := newFarm(params, 4100, 1), newFarm(params, 4300, 2)
		for at := params.GenesisHash; ; at = n.chain.best.Hash {
			headers := ours.after(at)
			if len(headers) == 0 {
				break
			}
			if _, err := n.chain.AddHeaders(t.Context(), headers); err != nil {
				t.Fatal(err)
			}
		}
		end := theirs.last()
		s := w.bare(n)
		s.serveHeaders(func(h chainhash.Hash) []wire.BlockHeader {
			if _, known := theirs.index[h]; !known {
				h = params.GenesisHash
			}
			return theirs.after(h)
		})
		s.status.Height, s.status.Work, s.status.Tip = end.Height, end.Work, end.Hash
		s.shake()
		w.until(10*time.Second, "the fork is known", func() bool { return n.chain.BestHeader().Hash == end.Hash })
	})
}

// A header that is announced alone is stored only if it has more work than our tip.
func TestLowWorkTipIsNotStored(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		n := w.start()
		fork := mineOn(n.chain.Tip(), nil)
		for range 200 {
			n.chain.mine()
		}
		s := w.stranger(n)
		state := consensus.Genesis(n.opts.Params).Next(&fork.Header)
		st := s.open(s.ids.relay)
		s.typed(st, relayTip, tipMessage{Header: fork.Header, Height: 1, Work: state.Work}.encode())
		s.typed(st, relayTip, tipMessage{Header: fork.Header, Height: 1, Work: consensus.Work{1}}.encode())
		compact := compactOf(fork)
		s.typed(st, relayBlock, compact.encode())
		time.Sleep(2 * time.Second)
		if _, err := n.chain.Info(fork.Hash()); err == nil {
			t.Error("it is stored")
		}
	})
}

// A node that knows headers whose blocks nobody serves still follows the chain of its peers, and tells others of it.
func TestHeadersWithoutBlocks(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		honest, victim, behind := w.start(), w.start(), w.start()
		at := victim.chain.Tip()
		for range 30 {
			b := mineOn(at, nil)
			if _, err := victim.chain.AddHeaders(t.Context(), []wire.BlockHeader{b.Header}); err != nil {
				t.Fatal(err)
			}
			at = at.Next(&b.Header)
		}
		behind.dial(victim)
		w.until(5*time.Second, "connected", func() bool { return victim.Count() == 1 })
		var last *consensus.Block
		for range 9 {
			last = honest.chain.mine()
		}
		victim.dial(honest)
		w.until(5*time.Second, "the victim has the blocks", func() bool { return atTip(last)(victim) })
		w.until(5*time.Second, "so has who is behind it", func() bool { return atTip(last)(behind) })
	})
}
