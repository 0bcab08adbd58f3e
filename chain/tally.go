package chain

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"
)

// tally tells sets of coins apart: how many there are, and a sum over their names that no lost, left over or swapped coins leave as it was,
// except by chance. It is kept with every place, because a store that lost records whole, or brings deleted ones back, does not notice.
type tally struct {
	coins int64
	sum   uint64
}

func (t *tally) add(op wire.OutPoint) {
	t.coins++
	t.sum += mark(op)
}

func (t *tally) remove(op wire.OutPoint) {
	t.coins--
	t.sum -= mark(op)
}

// plus returns the tally of two sets together.
func (t tally) plus(u tally) tally { return tally{t.coins + u.coins, t.sum + u.sum} }

// want returns an ErrDamaged unless t is the tally of the coins that there must be.
func (t tally) want(must tally) error {
	switch {
	case t == must:
		return nil
	case t.coins != must.coins:
		return fmt.Errorf("%w: it has %d coins of %d", ErrDamaged, t.coins, must.coins)
	}
	return fmt.Errorf("%w: some of its %d coins are not those that were there", ErrDamaged, t.coins)
}

// mark spreads a coin's name over 64 bits. The txid is a hash already; the steps after it are those of SplitMix64.
func mark(op wire.OutPoint) uint64 {
	x := binary.LittleEndian.Uint64(op.Hash[:]) + (uint64(op.Index)+1)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
