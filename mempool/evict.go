package mempool

import (
	"math"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
)

// evictions is a heap with the entry on top whose removal, with its descendants, costs miners the least per virtual byte.
type evictions []*entry

func (q evictions) Len() int { return len(q) }

func (q evictions) Less(i, j int) bool {
	a, b := q[i].worth(), q[j].worth()
	left, right := float64(a.fees)*float64(b.size), float64(b.fees)*float64(a.size)
	if left != right {
		return left < right
	}
	return q[i].seq > q[j].seq // of two equals the younger one goes
}

func (q evictions) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = i, j
}

// Push adds an entry; part of heap.Interface.
func (q *evictions) Push(x any) {
	e := x.(*entry)
	e.slot = len(*q)
	*q = append(*q, e)
}

// Pop removes the last entry; part of heap.Interface.
func (q *evictions) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}

// worth returns the totals that e is judged by: with its descendants if they pay more per byte than e alone.
func (e *entry) worth() totals {
	if float64(e.down.fees)*float64(e.size) > float64(e.fee)*float64(e.down.size) {
		return e.down
	}
	return e.own()
}

// trim evicts what pays least until the pool fits its memory.
func (p *Pool) trim() {
	for p.usage > p.policy.MaxBytes && len(p.queue) > 0 {
		e := p.queue[0]
		rate := float64(e.down.fees)*1000/float64(e.down.size) + float64(p.policy.IncrementalFee)
		p.floor.raise(rate, p.now())
		evicted := p.remove(e)
		p.log.Debug("mempool is full: evicted", "txid", e.tx.TxID(), "count", len(evicted), "minfee", p.floor.rate)
	}
}

// expire drops what has waited for too long, and all that builds on it. It is called after each block, because only that can have been waited for.
func (p *Pool) expire() {
	limit := p.now().Add(-p.policy.Expiry)
	var old []*entry
	for _, e := range p.feed.arrivals {
		if !e.gone && e.time.Before(limit) {
			old = append(old, e)
		}
	}
	if gone := p.remove(old...); len(gone) > 0 {
		p.log.Info("mempool transactions expired", "count", len(gone))
	}
}

// floor is the fee rate that a full pool asks for, per 1000 virtual bytes. It rises with what is evicted, so that the same bytes are
// not relayed again for free, and halves every twelve hours once blocks come, faster while there is much room.
type floor struct {
	rate   float64
	at     time.Time // when rate was computed
	decays bool      // a block came since it rose
}

const floorHalfLife = 12 * time.Hour

func (f *floor) raise(rate float64, now time.Time) {
	if rate > f.rate {
		f.rate, f.at, f.decays = rate, now, false
	}
}

// block lets the rate decay from now on.
func (f *floor) block(now time.Time) { f.at, f.decays = now, true }

// minFee returns the fee rate that a full pool asks for now: zero if it never was full, or long ago.
func (p *Pool) minFee() btcutil.Amount {
	f := &p.floor
	if f.rate == 0 {
		return 0
	}
	if now := p.now(); f.decays && now.After(f.at.Add(10*time.Second)) {
		half := float64(floorHalfLife)
		switch {
		case p.usage < p.policy.MaxBytes/4:
			half /= 4
		case p.usage < p.policy.MaxBytes/2:
			half /= 2
		}
		f.rate /= math.Pow(2, float64(now.Sub(f.at))/half)
		f.at = now
		if f.rate < float64(p.policy.IncrementalFee)/2 {
			f.rate = 0
			return 0
		}
	}
	return max(btcutil.Amount(math.Round(f.rate)), p.policy.IncrementalFee)
}
