package loadchain

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Chains of every kind are valid under the rules, scripts included.
func TestChainsAreValid(t *testing.T) {
	for kind := P2WPKH; kind <= P2WSH; kind++ {
		now := time.Now()
		spec := Spec{Params: consensus.Regtest(), Kind: kind, Txs: 25, TxsPerBlock: 10, Last: now}
		at, coins, blocks, payments := consensus.Genesis(spec.Params), consensus.Coins{}, 0, 0
		err := Make(spec, func(b *consensus.Block) error {
			if _, err := consensus.CheckHeader(at, &b.Header, now); err != nil {
				return err
			}
			if err := consensus.CheckBlock(spec.Params, b); err != nil {
				return err
			}
			if err := consensus.CheckBlockPlace(at, b); err != nil {
				return err
			}
			d, err := consensus.Connect(at, b, coins)
			if err != nil {
				return err
			}
			for _, c := range consensus.ScriptChecks(at, b, coins) {
				if err := c.Verify(); err != nil {
					return err
				}
				payments++
			}
			apply(coins, d)
			at, blocks = at.Next(&b.Header), blocks+1
			return nil
		})
		if err != nil {
			t.Fatalf("%v: %v", kind, err)
		}
		if blocks != spec.Blocks() || payments != spec.Txs+1 {
			t.Errorf("%v: %d blocks with %d payments, want %d and %d", kind, blocks, payments, spec.Blocks(), spec.Txs+1)
		}
		if got := at.Header.Timestamp; !got.Equal(now.Truncate(time.Second)) {
			t.Errorf("%v: the last block is of %v, not %v", kind, got, now)
		}
	}
}

func apply(coins consensus.Coins, d consensus.Delta) {
	for _, e := range d.Spent {
		delete(coins, e.OutPoint)
	}
	for _, e := range d.Created {
		coins[wire.OutPoint(e.OutPoint)] = e.Coin
	}
}
