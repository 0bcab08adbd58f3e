package chain

import (
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// view is the coin set while blocks are tried on it. Nobody else sees it until it is committed; dropped, it has never been.
type view struct {
	load    func([]wire.OutPoint) (consensus.Coins, error) // from what lies below
	first   *consensus.Delta                               // the only change so far: most views see one block and nobody looks at them again
	changes map[wire.OutPoint]change                       // once there is more; first is nil then
	tally   tally                                          // more or fewer than below
}

// change is what a view says of a coin.
type change struct {
	coin    consensus.Coin // if it exists
	exists  bool
	existed bool // in what lies below
}

func newView(load func([]wire.OutPoint) (consensus.Coins, error)) *view { return &view{load: load} }

// size returns about how many coins v changes.
func (v *view) size() int {
	if v.first != nil {
		return len(v.first.Spent) + len(v.first.Created)
	}
	return len(v.changes)
}

// spread makes changes of the first change, so that coins can be looked for.
func (v *view) spread() map[wire.OutPoint]change {
	if v.changes == nil {
		v.changes = make(map[wire.OutPoint]change, v.size())
	}
	if d := v.first; d != nil {
		v.first = nil
		v.apply(d)
	}
	return v.changes
}

// find returns those of the coins that exist.
func (v *view) find(ops []wire.OutPoint) (consensus.Coins, error) {
	if v.size() == 0 {
		return v.load(ops)
	}
	changes := v.spread()
	below := make([]wire.OutPoint, 0, len(ops))
	for _, op := range ops {
		if _, ok := changes[op]; !ok {
			below = append(below, op)
		}
	}
	coins, err := v.load(below)
	if err != nil || len(below) == len(ops) {
		return coins, err
	}
	for _, op := range ops {
		if ch := changes[op]; ch.exists {
			coins[op] = ch.coin
		}
	}
	return coins, nil
}

// connect makes the changes of a block.
func (v *view) connect(d consensus.Delta) {
	for i := range d.Spent {
		v.tally.remove(d.Spent[i].OutPoint)
	}
	for i := range d.Created {
		v.tally.add(d.Created[i].OutPoint)
	}
	if v.size() == 0 {
		v.first = &d
		return
	}
	v.spread()
	v.apply(&d)
}

// disconnect undoes the changes of b, which spent the given coins.
func (v *view) disconnect(b *consensus.Block, spent []consensus.Entry) {
	v.spread()
	for _, e := range consensus.Undo(b, spent).Created {
		v.remove(e.OutPoint)
		v.tally.remove(e.OutPoint)
	}
	for i := range spent {
		v.add(spent[i])
		v.tally.add(spent[i].OutPoint)
	}
}

func (v *view) apply(d *consensus.Delta) {
	for i := range d.Spent {
		v.remove(d.Spent[i].OutPoint)
	}
	for i := range d.Created {
		v.add(d.Created[i])
	}
}

func (v *view) add(e consensus.Entry) {
	ch := v.changes[e.OutPoint] // if it was not there before, neither was the coin
	ch.coin, ch.exists = e.Coin, true
	v.changes[e.OutPoint] = ch
}

func (v *view) remove(op wire.OutPoint) {
	ch, ok := v.changes[op]
	if !ok {
		ch.existed = true
	}
	ch.coin, ch.exists = consensus.Coin{}, false
	v.changes[op] = ch
}
