package p2p

import (
	"testing"
	"time"
)

func TestTransactionAndBlockReachAll(t *testing.T) {
	simulate(t, func(w *world) {
		for range 8 {
			w.start()
		}
		for i, n := range w.nodes { // a ring with a chord
			n.dial(w.nodes[(i+1)%8])
			n.dial(w.nodes[(i+3)%8])
		}
		w.until(5*time.Second, "all have peers", w.all(peers(4)))

		tx := payment(1, nil)
		if _, err := w.nodes[0].pool.Add(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		took := w.until(2*time.Second, "all have the payment", w.all(has(tx)))
		t.Log("payment reached all in", took)
		for _, n := range w.nodes[1:] {
			if n.pool.adds() != 1 {
				t.Errorf("%s was sent the payment %d times", n.name, n.pool.adds())
			}
		}

		b := w.nodes[3].chain.mine(tx)
		took = w.until(time.Second, "all have the block", w.all(atTip(b)))
		t.Log("block reached all in", took)
	})
}
