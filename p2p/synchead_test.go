package p2p

import (
	"slices"
	"testing"
	"time"

	"groat/internal/ledger"
)

func TestSyncPlanStall(t *testing.T) {
	p := newSyncPlan()
	p.join(1, true)
	p.claim(1, 32, work(32))
	v := view(0, 32)
	slow := p.plan(t0, v).Blocks
	if got := ranges(slow); got != "1:1-16 1:17-32" {
		t.Fatalf("asks %s", got)
	}
	p.join(2, true)
	p.claim(2, 32, work(32))
	if got := ranges(p.plan(t0.Add(headStall-1), v).Blocks); got != "" || !p.next(t0.Add(headStall-1)).Equal(t0.Add(headStall)) {
		t.Errorf("asks %s too early", got)
	}
	rescue := p.plan(t0.Add(headStall), v)
	if got := ranges(rescue.Blocks); got != "2:1-16" || len(rescue.Drop) != 0 {
		t.Errorf("asks %s, drops %v", got, rescue.Drop)
	}
	for _, ref := range rescue.Blocks[0].Blocks {
		p.arrived(ref.Hash, 500)
		p.connected(ref.Hash)
	}
	p.ended(rescue.Blocks[0], askResult{BytesPerSec: 1}, t0)
	again := p.plan(t0.Add(2*headStall), view(16, 32))
	if got := ranges(again.Blocks); got != "2:17-32" || !slices.Equal(again.Drop, []int64{1}) {
		t.Errorf("asks %s, drops %v", got, again.Drop)
	}
	p.leave(1)
	p.ended(slow[0], askResult{Failed: true}, t0)
	p.ended(slow[1], askResult{Failed: true}, t0)
	if got := ranges(p.plan(t0.Add(2*headStall), view(16, 32)).Blocks); got != "" {
		t.Errorf("asks %s of who is left", got)
	}
}

// Of large blocks only the lowest one is asked for twice.
func TestSyncPlanStallOfLargeBlocks(t *testing.T) {
	p := newSyncPlan()
	p.average = 900_000
	p.join(1, true)
	p.claim(1, 8, work(8))
	p.plan(t0, view(0, 8))
	p.join(2, true)
	p.claim(2, 8, work(8))
	if got := ranges(p.plan(t0.Add(headStall), view(0, 8)).Blocks); got != "2:1-1" {
		t.Errorf("asks %s", got)
	}
}

// crowd is what a plan has to do with: many peers that dialled us and send nothing, and one that sends what it is asked for within 100 ms. It returns
// how long the download took, how long it stood still at most, and how many requests went in vain.
func crowd(t *testing.T, silent int, weDialled bool) (took, still time.Duration, vain int) {
	t.Helper()
	const blocks = 2000
	p, now, honest := newSyncPlan(), t0, int64(silent)
	for peer := range int64(silent) + 1 {
		p.join(peer, weDialled && peer == honest)
		p.claim(peer, blocks, work(blocks))
	}
	type answer struct {
		ask  blocksAsk
		at   time.Time
		good bool
	}
	var due []answer
	have, moved := map[int32]bool{}, now
	for tip := int32(0); tip < blocks; now = now.Add(20 * time.Millisecond) {
		for _, a := range due {
			switch {
			case now.Before(a.at):
			case a.good:
				for _, ref := range a.ask.Blocks {
					if have[ref.Height] = true; p.arrived(ref.Hash, 100_000) {
						p.connected(ref.Hash)
					}
				}
				p.ended(a.ask, askResult{BytesPerSec: 1e7}, now)
			default:
				p.ended(a.ask, askResult{Failed: true, Silent: true}, now)
			}
		}
		due = slices.DeleteFunc(due, func(a answer) bool { return !now.Before(a.at) })
		for have[tip+1] {
			tip++
			still, moved = max(still, now.Sub(moved)), now
		}
		v := view(tip, min(tip+syncWindow, blocks))
		v.Wanted = slices.DeleteFunc(v.Wanted, func(r ledger.Ref) bool { return have[r.Height] })
		todo := p.plan(now, v)
		for _, a := range todo.Blocks {
			if a.Peer == honest {
				due = append(due, answer{a, now.Add(100 * time.Millisecond), true})
				continue
			}
			vain++
			due = append(due, answer{a, now.Add(firstByteTimeout), false})
		}
		for _, id := range todo.Drop {
			if p.leave(id); id == honest {
				t.Fatal("who serves has to go")
			}
		}
		if now.Sub(t0) > 10*time.Minute {
			t.Fatalf("at block %d after ten minutes", tip)
		}
	}
	return now.Sub(t0), still, vain
}

// A hundred that dial us and serve nothing cost seconds.
func TestSyncPlanSilentCrowd(t *testing.T) {
	alone, _, _ := crowd(t, 0, true)
	for _, weDialled := range []bool{true, false} {
		took, still, vain := crowd(t, 100, weDialled)
		t.Logf("who serves was dialled by us: %v. 2,000 blocks took %v (%v from it alone), stood still for %v at most, %d requests in vain", weDialled, took, alone, still, vain)
		if most := 30 * time.Second; took > most || still > 15*time.Second {
			t.Errorf("took %v, stood still for %v", took, still)
		}
		if weDialled && still > 2*headPatience {
			t.Errorf("stood still for %v although we had dialled who serves", still)
		}
	}
}
