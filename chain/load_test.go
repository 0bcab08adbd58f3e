package chain

import (
	"errors"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/store"
)

// onDisk keeps n coins in the store of an empty chain and returns their names.
func onDisk(t *testing.T, s *story, n int) []wire.OutPoint {
	t.Helper()
	ops := make([]wire.OutPoint, n)
	var batch store.Batch
	for i := range ops {
		key := numberedKey(i)
		ops[i] = key.outPoint()
		coin := consensus.Coin{Height: int32(i), PkScript: []byte{0x51}}
		batch.Put(append([]byte{coinPrefix}, key[:]...), appendCoin(nil, &coin))
	}
	if err := s.mem.Update(&batch); err != nil {
		t.Fatal(err)
	}
	return ops
}

// However many goroutines share the work, each coin is found under its own name, and those that are not there are not.
func TestLoadFromDisk(t *testing.T) {
	for _, n := range []int{1, readAlone, readAlone + 1, 10*readAlone + 7} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newStory(t)
			ops := onDisk(t, s, n)
			unknown := wire.OutPoint{Index: 7}
			coins, err := s.c.load(append(ops, unknown))
			if err != nil || len(coins) != n {
				t.Fatalf("%d coins of %d, %v", len(coins), n, err)
			}
			for i, op := range ops {
				if coin, ok := coins[op]; !ok || coin.Height != int32(i) {
					t.Fatalf("coin %d is %+v, %v", i, coin, ok)
				}
			}
		})
	}
}

// One record among hundreds that cannot be decoded is our disk's fault, not a missing coin.
func TestLoadDamaged(t *testing.T) {
	s := newStory(t)
	ops := onDisk(t, s, 10*readAlone)
	key := keyOf(ops[7*readAlone])
	var batch store.Batch
	batch.Put(append([]byte{coinPrefix}, key[:]...), []byte{0xff})
	if err := s.mem.Update(&batch); err != nil {
		t.Fatal(err)
	}
	if _, err := s.c.load(ops); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v, want ErrDamaged", err)
	}
}
