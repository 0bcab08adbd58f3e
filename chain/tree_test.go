package chain

import (
	"encoding/binary"
	"math/rand"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// bush returns a tree of n headers with random forks, whose work is not checked, and their states.
func bush(p *consensus.Params, n int, seed int64) (*tree, []consensus.State) {
	rng := rand.New(rand.NewSource(seed))
	t := newTree(p)
	states := []consensus.State{consensus.Genesis(p)}
	for k := 1; k < n; k++ {
		parent := id(k - 1)
		if rng.Intn(10) == 0 {
			parent = id(rng.Intn(k))
		}
		h := wire.BlockHeader{Version: 4, PrevBlock: states[parent].Hash, Bits: p.PowLimitBits, Nonce: uint32(k)}
		h.Timestamp = time.Unix(states[parent].Header.Timestamp.Unix()+int64(rng.Intn(1200)), 0)
		binary.LittleEndian.PutUint32(h.MerkleRoot[:], uint32(k))
		next := states[parent].Next(&h)
		t.add(parent, &h, next.Hash, next.Work)
		states = append(states, next)
	}
	return t, states
}

func TestAncestors(t *testing.T) {
	tree, _ := bush(consensus.Regtest(), 6000, 1)
	rng := rand.New(rand.NewSource(2))
	up := func(i id, height int32) id {
		for tree.at(i).height > height {
			i = tree.at(i).parent
		}
		return i
	}
	for range 2000 {
		a, b := id(rng.Intn(6000)), id(rng.Intn(6000))
		h := rng.Int31n(tree.at(a).height + 1)
		if got, want := tree.ancestor(a, h), up(a, h); got != want {
			t.Fatalf("ancestor of %d at %d is %d, want %d", a, h, got, want)
		}
		x, y := a, b
		for x != y {
			if tree.at(x).height >= tree.at(y).height {
				x = tree.at(x).parent
			} else {
				y = tree.at(y).parent
			}
		}
		if got := tree.fork(a, b); got != x {
			t.Fatalf("%d and %d fork at %d, want %d", a, b, got, x)
		}
	}
	for h, i := range tree.headers {
		if tree.at(i).height != int32(h) || (h > 0 && tree.at(i).parent != tree.headers[h-1]) {
			t.Fatalf("the best header's path is broken at %d", h)
		}
	}
}

// A state that is rebuilt from the tree is the one that moved from block to block.
func TestStateIsRebuilt(t *testing.T) {
	for _, p := range []*consensus.Params{consensus.Regtest(), consensus.Bitcoin(), consensus.Main()} {
		tree, states := bush(p, 5000, 3)
		for i := range tree.len {
			if got := tree.state(i); got != states[i] {
				t.Fatalf("%s: state %d at height %d is %+v, want %+v", p.Name, i, states[i].Height, got, states[i])
			}
		}
	}
}

// follow must not trust what an earlier, longer path left behind its end.
func TestFollowAfterAShorterPath(t *testing.T) {
	p := consensus.Regtest()
	tree := newTree(p)
	add := func(parent id, nonce uint32) id {
		h := wire.BlockHeader{PrevBlock: tree.at(parent).hash, Bits: p.PowLimitBits, Nonce: nonce}
		return tree.add(parent, &h, chainhash.Hash{byte(nonce)}, tree.work(parent).Add(consensus.WorkOf(h.Bits)))
	}
	a1 := add(0, 1)
	a2 := add(a1, 2)
	a3 := add(a2, 3)
	b1 := add(0, 4)
	path := tree.follow([]id{0}, a3)
	path = tree.follow(path, b1)
	path = tree.follow(path, a3)
	for h, want := range []id{0, a1, a2, a3} {
		if path[h] != want {
			t.Fatalf("at %d is %d, want %d", h, path[h], want)
		}
	}
}
