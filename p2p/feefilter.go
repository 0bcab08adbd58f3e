package p2p

import (
	"context"
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
)

// A fee filter tells a peer the least fee per 1,000 virtual bytes that a transaction must pay to be worth announcing to us. It only saves
// traffic: announcing less is no offence.

func encodeFeeFilter(rate btcutil.Amount) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(rate))
}

func decodeFeeFilter(payload []byte) (btcutil.Amount, error) {
	d := decoder{rest: payload}
	rate := d.uint64()
	if d.err == nil && rate > btcutil.MaxSatoshi {
		d.fail("fee filter %d", rate)
	}
	return btcutil.Amount(rate), d.end()
}

// feeFloor returns our own filter: all there is while transactions are of no use to us, else what the pool wants, rounded down to four
// binary digits so that it changes seldom and does not give us away among others.
func (t *txRelay) feeFloor() btcutil.Amount {
	if t.n.chain.InitialDownload() {
		return btcutil.MaxSatoshi
	}
	return roundFee(uint64(max(t.pool.Info().MinFeeRate, 0)))
}

func roundFee(rate uint64) btcutil.Amount {
	if drop := bits.Len64(rate) - 4; drop > 0 {
		rate = rate >> drop << drop
	}
	return btcutil.Amount(rate)
}

// sayFees tells all peers of our filter when it changes, until ctx ends.
func (t *txRelay) sayFees(ctx context.Context) error {
	last := t.feeFloor()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.feeWake:
		case <-time.After(feeFilterEvery):
		}
		if rate := t.feeFloor(); rate != last {
			last = rate
			for _, r := range t.n.peers.ready() {
				r.out.sayFee(rate)
			}
		}
	}
}
