package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

var t0 = time.Unix(1_000_000, 0)

func txid(n int) (id wtxPrefix) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

// asked renders requests as "peer:ids", the peers in order.
func asked(asks []txAsk) string {
	var list []string
	for _, a := range asks {
		slices.SortFunc(a.IDs, func(x, y wtxPrefix) int { return slices.Compare(x[:], y[:]) })
		s := fmt.Sprint(a.Peer, ":")
		for _, id := range a.IDs {
			s += fmt.Sprint(" ", binary.BigEndian.Uint64(id[:]))
		}
		list = append(list, s)
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

func TestTxPlan(t *testing.T) {
	p := newTxPlan()
	p.join(1, true)
	p.join(2, true)
	p.join(3, false)
	now := t0
	step := func(after time.Duration, want string) {
		t.Helper()
		now = now.Add(after)
		if got := asked(p.plan(now)); got != want {
			t.Fatalf("at %v asks %q, not %q", now.Sub(t0), got, want)
		}
	}
	p.announce(1, []wtxPrefix{txid(7)}, now)
	p.announce(2, []wtxPrefix{txid(7)}, now)
	step(0, "1: 7")
	step(askTimeout-1, "")
	step(1, "2: 7") // the first was too slow
	if !p.arrived(2, txid(7)) || p.arrived(2, txid(7)) {
		t.Error("arrives once")
	}
	step(time.Hour, "")

	p.announce(3, []wtxPrefix{txid(8), txid(9)}, now) // who dialled us waits
	step(inboundDelay-1, "")
	p.announce(2, []wtxPrefix{txid(9)}, now) // and is passed by who we dialled
	step(0, "2: 9")
	step(1, "3: 8")
	p.missing(2, txid(9), now)
	step(0, "3: 9")
	p.leave(3, now)
	step(time.Hour, "")
	if len(p.wants) != 0 || len(p.due) != 0 {
		t.Errorf("%d wants are left", len(p.wants))
	}
	if p.peers[1].inFlight+p.peers[1].announced+p.peers[2].inFlight+p.peers[2].announced != 0 {
		t.Errorf("counts are left: %+v %+v", p.peers[1], p.peers[2])
	}
}

// A peer that is alone is asked at once even if it dialled us.
func TestTxPlanWithoutOutbound(t *testing.T) {
	p := newTxPlan()
	p.join(3, false)
	p.announce(3, []wtxPrefix{txid(1)}, t0)
	if got := asked(p.plan(t0)); got != "3: 1" {
		t.Errorf("asks %q", got)
	}
}

func TestTxPlanBounds(t *testing.T) {
	p := newTxPlan()
	p.join(1, true)
	ids := make([]wtxPrefix, maxAnnouncedPeer+1)
	for i := range ids {
		ids[i] = txid(i + 1)
	}
	if n := p.announce(1, ids, t0); n != 1 || len(p.wants) != maxAnnouncedPeer {
		t.Errorf("dropped %d, %d wants", n, len(p.wants))
	}
	if n := p.announce(99, ids, t0); n != 0 || len(p.wants) != maxAnnouncedPeer {
		t.Error("an unknown peer announces")
	}
	asks := p.plan(t0)
	if len(asks) != 1 || len(asks[0].IDs) != maxAsksPerPeer {
		t.Errorf("asks for %d at once", len(asks[0].IDs))
	}
}

// Whatever happens, counts stay right and nothing is lost or left.
func TestTxPlanRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p, now := newTxPlan(), t0
	for range 20_000 {
		peer := rng.Int64N(6)
		id := txid(rng.IntN(40))
		switch rng.IntN(8) {
		case 0:
			if p.peers[peer] == nil {
				p.join(peer, peer%2 == 0)
			}
		case 1:
			if rng.IntN(10) == 0 {
				p.leave(peer, now)
			}
		case 2, 3:
			p.announce(peer, []wtxPrefix{id, txid(rng.IntN(40))}, now)
		case 4:
			p.arrived(peer, id)
		case 5:
			p.missing(peer, id, now)
		default:
			now = now.Add(time.Duration(rng.IntN(1000)) * time.Millisecond)
			p.plan(now)
		}
		checkTxPlan(t, p)
	}
}

func checkTxPlan(t *testing.T, p *txPlan) {
	t.Helper()
	announced, inFlight := map[int64]int{}, map[int64]int{}
	for id, w := range p.wants {
		for _, peer := range w.announcers {
			announced[peer]++
		}
		if w.asked != noPeer {
			announced[w.asked]++
			inFlight[w.asked]++
		}
		if w.asked == noPeer && len(w.announcers) == 0 {
			t.Fatal("a want that nobody can serve")
		}
		if p.due[w.index] != w || w.id != id {
			t.Fatal("the heap is wrong")
		}
	}
	for id, peer := range p.peers {
		if peer.announced != announced[id] || peer.inFlight != inFlight[id] {
			t.Fatalf("peer %d: %+v, really %d and %d", id, *peer, announced[id], inFlight[id])
		}
	}
	if len(p.due) != len(p.wants) {
		t.Fatal("heap and map differ")
	}
}

func TestDialPlan(t *testing.T) {
	var p dialPlan
	nobody := func(string) bool { return false }
	if !p.add("a") || p.add("a") || !p.add("b") {
		t.Error("added wrongly")
	}
	if got := p.plan(t0, func(a string) bool { return a == "b" }); !slices.Equal(got, []string{"a"}) {
		t.Errorf("dials %v", got)
	}
	if got := p.plan(t0, nobody); len(got) != 0 {
		t.Errorf("dials %v twice", got)
	}
	now, wait := t0, redialFirst
	for range 12 {
		p.done("a", errors.New("nobody is there"), now)
		if got := p.plan(now.Add(wait-1), nobody); slices.Contains(got, "a") {
			t.Errorf("dialled again before %v", wait)
		}
		p.done("b", nil, now)
		now = now.Add(wait)
		if got := p.plan(now, nobody); !slices.Contains(got, "a") {
			t.Errorf("not dialled again after %v", wait)
		}
		p.done("b", nil, now)
		wait = min(2*wait, redialMost)
	}
	if !p.remove("a") || p.remove("a") || !slices.Equal(p.addrs(), []string{"b"}) {
		t.Error("removed wrongly")
	}
	p.done("a", nil, now) // its dial ends after it was removed
	for i := range maxAddedNodes + 10 {
		p.add(fmt.Sprint(i))
	}
	if len(p.targets) != maxAddedNodes {
		t.Errorf("%d targets", len(p.targets))
	}
}

// view is a chain whose best header is at height with work of as much; blocks above have are wanted.
func view(have, height int32) syncView {
	v := syncView{Best: consensus.State{Height: height, Work: work(height)}}
	for h := have + 1; h <= height; h++ {
		v.Wanted = append(v.Wanted, ledger.Ref{Hash: hashAt(h), Height: h})
	}
	return v
}

func work(n int32) (w consensus.Work) {
	binary.BigEndian.PutUint32(w[28:], uint32(n))
	return w
}

func hashAt(h int32) (hash chainhash.Hash) {
	binary.BigEndian.PutUint32(hash[:], uint32(h))
	return hash
}

// ranges renders requests as "peer:first-last" in the order of their first block.
func ranges(asks []blocksAsk) string {
	var list []string
	slices.SortStableFunc(asks, func(a, b blocksAsk) int { return int(a.Blocks[0].Height - b.Blocks[0].Height) })
	for _, a := range asks {
		list = append(list, fmt.Sprintf("%d:%d-%d", a.Peer, a.Blocks[0].Height, a.Blocks[len(a.Blocks)-1].Height))
	}
	return strings.Join(list, " ")
}

func TestSyncPlanHeaders(t *testing.T) {
	p := newSyncPlan()
	for peer, height := range map[int64]int32{1: 50, 2: 90, 3: 80, 4: 10} {
		p.join(peer, peer == 3)
		p.claim(peer, height, work(height))
	}
	v := view(20, 20)
	if got := p.plan(t0, v).Headers; !slices.Equal(got, []int64{3, 2}) {
		t.Errorf("asks %v for headers", got) // whom we dialled, then the highest claims, not more than headersInFlight
	}
	if got := p.plan(t0, v).Headers; len(got) != 0 {
		t.Errorf("asks %v again", got)
	}
	p.gotHeaders(2, headersAnswer{Work: work(40)}, t0) // less than it claimed
	p.noHeaders(3, t0)
	if got := p.plan(t0, v).Headers; !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("asks %v next", got) // 3 rests
	}
	p.gotHeaders(1, headersAnswer{Work: work(50)}, t0)
	p.gotHeaders(2, headersAnswer{Work: work(40)}, t0)
	if got := p.plan(t0.Add(restAfterFailure), view(20, 50)).Headers; !slices.Equal(got, []int64{3}) {
		t.Errorf("asks %v after the rest", got)
	}
	p.gotHeaders(3, headersAnswer{Work: work(80)}, t0)
	if got := p.plan(t0, view(20, 80)).Headers; len(got) != 0 {
		t.Errorf("asks %v when nobody claims more", got)
	}
	p.wonder(4)
	if got := p.plan(t0, view(20, 80)).Headers; !slices.Equal(got, []int64{4}) {
		t.Errorf("asks %v about a block without parent", got)
	}
}

// Peers that claim the most, answer late and with nothing, and claim again, keep nobody waiting.
func TestSyncPlanSlowLiars(t *testing.T) {
	p, now := newSyncPlan(), t0
	for peer := range int64(6) {
		p.join(peer, false)
		p.claim(peer, 1000, work(1000))
	}
	p.join(6, false)
	p.claim(6, 90, work(90))
	v := view(20, 20)
	answers := map[int64]time.Time{} // when the liars answer
	for now.Before(t0.Add(30 * time.Second)) {
		for peer, at := range answers {
			if !now.Before(at) {
				delete(answers, peer)
				p.gotHeaders(peer, headersAnswer{}, now)
				p.claim(peer, 1000, work(1000))
			}
		}
		for _, peer := range p.plan(now, v).Headers {
			if peer == 6 {
				return
			}
			answers[peer] = now.Add(headersTimeout - time.Second)
		}
		now = now.Add(100 * time.Millisecond)
	}
	t.Fatal("who tells the truth is never asked")
}

func TestSyncPlanRanges(t *testing.T) {
	p := newSyncPlan()
	for peer, height := range map[int64]int32{1: 100, 2: 100, 3: 10} {
		p.join(peer, true)
		p.claim(peer, height, work(height))
	}
	v := view(0, 100)
	first := p.plan(t0, v).Blocks
	if got := ranges(first); got != "1:1-16 2:17-32 1:33-48 2:49-64" {
		t.Errorf("asks %s", got) // 3 has only some of them, and they went to 1
	}
	if got := ranges(p.plan(t0, v).Blocks); got != "" {
		t.Errorf("asks %s while all are busy", got)
	}
	for _, ref := range first[1].Blocks[:10] { // the first ten of 17 to 32 come, then the stream ends
		if !p.arrived(ref.Hash, 1000) || p.arrived(ref.Hash, 1000) {
			t.Error("arrives once")
		}
	}
	p.ended(first[1], askResult{BytesPerSec: 10_000}, t0)
	if got := ranges(p.plan(t0, v).Blocks); got != "2:27-74" {
		t.Errorf("asks %s for what is left", got)
	}
	if p.queued != 10_000 {
		t.Errorf("%d bytes queued", p.queued)
	}
	for _, ref := range first[1].Blocks[:10] {
		p.connected(ref.Hash)
	}
	if p.queued != 0 {
		t.Errorf("%d bytes queued after all is connected", p.queued)
	}
}

func TestSyncPlanMissingBlocks(t *testing.T) {
	p := newSyncPlan()
	p.join(1, true)
	p.claim(1, 50, work(50))
	v := view(0, 50)
	a := p.plan(t0, v).Blocks
	p.ended(a[0], askResult{Missing: 5}, t0) // it is on another branch from 5
	p.ended(a[1], askResult{Missing: 17}, t0)
	if got := ranges(p.plan(t0, v).Blocks); got != "1:1-4" {
		t.Errorf("asks %s", got)
	}
}

// Headers whose blocks nobody serves do not keep the blocks of other chains away.
func TestSyncPlanAside(t *testing.T) {
	p := newSyncPlan()
	p.join(1, true) // shows 50 headers and serves nothing
	p.claim(1, 50, work(50))
	p.join(2, true)
	p.claim(2, 20, work(20)) // of them the first ten
	own := view(10, 20).Wanted
	for i := range own {
		own[i].Hash[31] = 2
	}
	v := view(10, 50)
	v.Aside = map[int64]aside{2: {Fork: 10, Wanted: own[:blocksPerAside]}}
	a := p.plan(t0, v).Blocks
	if got := ranges(a); got != "1:11-26 2:11-12 1:27-42" {
		t.Fatalf("asks %s", got)
	}
	if got := ranges(p.plan(t0, v).Blocks); got != "" {
		t.Errorf("asks %s again", got)
	}
	for _, ask := range a {
		missing := ask.Blocks[0].Height
		if ask.Aside {
			missing++ // its tip has moved
		}
		p.ended(ask, askResult{Missing: missing}, t0)
	}
	if got := ranges(p.plan(t0, v).Blocks); got != "2:11-11" {
		t.Errorf("asks %s of those that have something", got)
	}
	p.claim(2, 21, work(21))
	p.plan(t0, v)
	for range int64(2 * asidesInFlight) {
		p.join(int64(len(p.peers)+1), false)
	}
	v.Aside, v.Wanted = map[int64]aside{}, nil
	for id := range p.peers { // a crowd, each with a chain of its own
		p.claim(id, 20, work(20))
		refs := view(10, 11).Wanted
		refs[0].Hash[30] = byte(id)
		v.Aside[id] = aside{Fork: 10, Wanted: refs}
	}
	if got := len(p.plan(t0, v).Blocks); got > asidesInFlight {
		t.Errorf("asks %d peers for blocks of their own", got)
	}
}

func TestSyncPlanFailures(t *testing.T) {
	p, now := newSyncPlan(), t0
	p.join(1, true)
	p.claim(1, 3, work(3))
	for i := range maxAskFailures {
		a := p.plan(now, view(0, 3))
		if ranges(a.Blocks) != "1:1-3" || len(a.Drop) != 0 {
			t.Fatalf("after %d failures asks %s, drops %v", i, ranges(a.Blocks), a.Drop)
		}
		p.ended(a.Blocks[0], askResult{Failed: true}, now)
		if got := ranges(p.plan(now.Add(restAfterFailure-1), view(0, 3)).Blocks); got != "" {
			t.Fatalf("asks %s without rest", got)
		}
		now = now.Add(restAfterFailure)
	}
	if a := p.plan(now, view(0, 3)); !slices.Equal(a.Drop, []int64{1}) {
		t.Errorf("drops %v", a.Drop)
	}
}

func TestSyncPlanBudgetAndHolds(t *testing.T) {
	p := newSyncPlan()
	p.average = 4_000_000
	for peer := range int64(8) {
		p.join(peer, true)
		p.claim(peer, 1000, work(1000))
	}
	blocks := 0
	for _, a := range p.plan(t0, view(0, 1000)).Blocks {
		blocks += len(a.Blocks)
	}
	if blocks*4_000_000 > syncBudget || blocks == 0 {
		t.Errorf("asks for %d blocks of 4 MB at once", blocks)
	}

	p = newSyncPlan()
	p.join(1, true)
	p.claim(1, 1, work(1))
	p.hold(hashAt(1), t0.Add(tipGrace))
	if got := ranges(p.plan(t0, view(0, 1)).Blocks); got != "" {
		t.Errorf("asks %s while it is held", got)
	}
	if got := p.next(t0); !got.Equal(t0.Add(tipGrace)) {
		t.Errorf("looks again at %v", got)
	}
	if got := ranges(p.plan(t0.Add(tipGrace), view(0, 1)).Blocks); got != "1:1-1" {
		t.Errorf("asks %s after the hold", got)
	}
	for i := range int32(2 * maxHeld) {
		p.hold(hashAt(i+10), t0.Add(time.Hour))
	}
	if len(p.held) > maxHeld {
		t.Errorf("%d holds", len(p.held))
	}
	p.took(hashAt(99), 700) // announced and rebuilt: it waits for the chain
	if p.queued != 700 || p.arrived(hashAt(99), 700) {
		t.Error("taken twice")
	}
}
