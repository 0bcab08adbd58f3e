package chain

import (
	"hash/maphash"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// headerIndex finds nodes by their hash. It is open addressing by a salted hash, so that nobody can mine headers that collide, and keeps
// ids only: which hash an id stands for is asked of the tree. It never forgets one.
type headerIndex struct {
	seed  maphash.Seed
	slots []id // a power of two; none where it is empty
	len   int
}

const minHeaderSlots = 64

func newHeaderIndex() headerIndex {
	return headerIndex{seed: maphash.MakeSeed(), slots: emptySlots(minHeaderSlots)}
}

func emptySlots(n int) []id { return slices.Repeat([]id{none}, n) }

// find returns the node with the given hash.
func (t *tree) find(hash chainhash.Hash) (id, bool) {
	i := t.index.slots[t.slotOf(hash)]
	return i, i != none
}

// slotOf returns the slot of the node with the given hash: an empty one if there is no such node.
func (t *tree) slotOf(hash chainhash.Hash) int {
	mask := len(t.index.slots) - 1
	slot := int(maphash.Bytes(t.index.seed, hash[:])) & mask
	for t.index.slots[slot] != none && t.at(t.index.slots[slot]).hash != hash {
		slot = (slot + 1) & mask
	}
	return slot
}

// enter puts i, whose hash is not in the index, there.
func (t *tree) enter(i id) {
	x := &t.index
	if x.len++; x.len*4 > len(x.slots)*3 {
		old := x.slots
		x.slots = emptySlots(2 * len(old))
		for _, j := range old {
			if j != none {
				x.slots[t.slotOf(t.at(j).hash)] = j
			}
		}
	}
	x.slots[t.slotOf(t.at(i).hash)] = i
}
