package chain

import (
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// drawn makes up coins, caches and what blocks do to them, the same for the same seed.
type drawn struct{ *rand.Rand }

func (r drawn) entry(name int) consensus.Entry {
	coin := consensus.Coin{Value: btcutil.Amount(r.IntN(1e9)), PkScript: make([]byte, r.IntN(40)), Height: int32(r.IntN(1e6))}
	return consensus.Entry{OutPoint: wire.OutPoint{Index: uint32(name)}, Coin: coin}
}

// cache returns one in which every coin below n is in one of the states that there are. Those above are nowhere.
func (r drawn) cache(n int) *cache {
	c := newCache()
	for name := range n {
		e := r.entry(name)
		key, value := keyOf(e.OutPoint), appendCoin(nil, &e.Coin)
		switch r.IntN(5) {
		case 0: // on the disk only
		case 1:
			c.put(-1, &key, coinExists|coinOnDisk, value)
		case 2:
			c.put(-1, &key, coinExists|coinDirty, value)
		case 3:
			c.put(-1, &key, coinExists|coinDirty|coinOnDisk, value)
		case 4: // there, and created again below
			c.put(-1, &key, coinDirty|coinOnDisk, nil)
		}
	}
	return c
}

// block spends some of the coins below n that exist in c, replaces a few of them, as before BIP34, and creates others.
func (r drawn) block(c *cache, n int) (d consensus.Delta) {
	for name := range n {
		e := r.entry(name)
		key := keyOf(e.OutPoint)
		record, _ := c.table.find(&key)
		switch exists := record == nil || record.flags()&coinExists != 0; {
		case exists && r.IntN(2) == 0:
			d.Spent = append(d.Spent, e)
			if r.IntN(4) == 0 {
				d.Created = append(d.Created, r.entry(name))
			}
		case !exists && r.IntN(2) == 0:
			d.Created = append(d.Created, e)
		}
	}
	for name := n; name < 2*n; name++ {
		d.Created = append(d.Created, r.entry(name))
	}
	return d
}

// What one block changes goes into the cache as it would by way of a map of changes.
func TestOneBlockIsTakenAsMany(t *testing.T) {
	const coins = 200
	for seed := range uint64(50) {
		take := func(prepare func(*view)) *cache {
			r := drawn{rand.New(rand.NewPCG(seed, 7))}
			c, v := r.cache(coins), newView(nil)
			v.connect(r.block(c, coins))
			prepare(v)
			c.take(v)
			return c
		}
		at := take(func(v *view) {
			if v.first == nil {
				t.Fatal("a view of one block has a map")
			}
		})
		by := take(func(v *view) { v.spread() })
		want := model{}
		_ = by.table.each(func(e entry) error {
			want[*e.key()] = modelled{e.flags(), string(e.value())}
			return nil
		})
		want.is(t, at.table)
		if at.dirty != by.dirty || at.fresh != by.fresh {
			t.Errorf("seed %d: %d dirty coins of %d bytes, and %d of %d", seed, at.dirty, at.fresh, by.dirty, by.fresh)
		}
	}
}

// A view of one block and of several finds the same coins.
func TestViewsFindWhatBlocksMade(t *testing.T) {
	r := drawn{rand.New(rand.NewPCG(1, 2))}
	below := consensus.Coins{}
	var names []wire.OutPoint
	for name := range 30 {
		e := r.entry(name)
		names = append(names, e.OutPoint)
		if name < 20 {
			below[e.OutPoint] = e.Coin
		}
	}
	v := newView(func(ops []wire.OutPoint) (consensus.Coins, error) {
		found := consensus.Coins{}
		for _, op := range ops {
			if coin, ok := below[op]; ok {
				found[op] = coin
			}
		}
		return found, nil
	})
	finds := func(want int, have, lack int) {
		t.Helper()
		found, err := v.find(names)
		if err != nil || len(found) != want {
			t.Fatalf("%d coins, %v; want %d", len(found), err, want)
		}
		if _, ok := found[names[have]]; !ok {
			t.Errorf("coin %d is not there", have)
		}
		if _, ok := found[names[lack]]; ok {
			t.Errorf("coin %d is there", lack)
		}
	}
	finds(20, 3, 20)
	v.connect(consensus.Delta{Spent: []consensus.Entry{r.entry(3)}, Created: []consensus.Entry{r.entry(20), r.entry(21)}})
	finds(21, 20, 3)
	v.connect(consensus.Delta{Spent: []consensus.Entry{r.entry(20), r.entry(4)}})
	finds(19, 21, 20)
	if v.size() != 4 || v.tally.coins != -1 {
		t.Errorf("%d changes and %d coins, want 4 and -1", v.size(), v.tally.coins)
	}
}
