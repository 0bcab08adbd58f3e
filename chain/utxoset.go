package chain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
	"groat/internal/muhash"
	"groat/internal/store"
)

// UTXOSet reads all coins and describes the set at the tip with the given hash of it, as gettxoutsetinfo does. Blocks go on while it reads.
func (c *Chain) UTXOSet(ctx context.Context, hash ledger.SetHash) (ledger.SetInfo, error) {
	h, err := newSetHasher(hash)
	if err != nil {
		return ledger.SetInfo{}, err
	}
	if err := c.acquire(ctx); err != nil {
		return ledger.SetInfo{}, err
	}
	release := sync.OnceFunc(c.release)
	defer release()
	if err := c.flush(); err != nil {
		return ledger.SetInfo{}, err
	}
	info := ledger.SetInfo{Tip: ledger.Ref{Hash: c.tip.Hash, Height: c.tip.Height}, DiskBytes: c.o.Store.Size()}
	want := c.disk.tally
	var found tally
	err = c.o.Store.View(func(r store.Reader) error {
		release() // r sees the coins of this tip, whatever comes
		found, err = sumCoins(ctx, r, h, &info)
		return err
	})
	if err != nil {
		return ledger.SetInfo{}, damaged(fmt.Errorf("read the coins: %w", err))
	}
	return info, found.want(want)
}

// sumCoins adds up all coins and hashes them, in the order of txid bytes and index.
func sumCoins(ctx context.Context, r store.Reader, h setHasher, info *ledger.SetInfo) (found tally, err error) {
	var lastTx chainhash.Hash
	var buf bytes.Buffer
	err = r.Iterate([]byte{coinPrefix}, func(k, value []byte) error {
		coin, err := decodeCoin(value)
		if err != nil || len(k) != 1+len(coinKey{}) {
			return fmt.Errorf("coin %x: %w", k, errCoding)
		}
		key := coinKey(k[1:])
		op := key.outPoint()
		buf.Reset()
		writeCoin(&buf, op, &coin)
		h.add(buf.Bytes())
		if found.coins == 0 || op.Hash != lastTx {
			info.Txs++
			lastTx = op.Hash
		}
		found.add(op)
		info.Total += coin.Value
		info.BogoSize += 32 + 4 + 4 + 8 + 2 + int64(len(coin.PkScript))
		return ctx.Err()
	})
	info.Coins, info.Hash = found.coins, h.sum()
	return found, err
}

// setHasher hashes the coins as they pass.
type setHasher struct {
	add func(coin []byte)
	sum func() chainhash.Hash
}

func newSetHasher(kind ledger.SetHash) (setHasher, error) {
	switch kind {
	case ledger.NoHash:
		return setHasher{func([]byte) {}, func() chainhash.Hash { return chainhash.Hash{} }}, nil
	case ledger.HashSerialized:
		h := sha256.New()
		return setHasher{func(coin []byte) { h.Write(coin) }, func() chainhash.Hash { return sha256.Sum256(h.Sum(nil)) }}, nil
	case ledger.MuHash:
		h := muhash.New()
		return setHasher{h.Add, h.Hash}, nil
	}
	return setHasher{}, fmt.Errorf("there is no hash %q of the coin set", kind)
}

// writeCoin writes what stands for a coin in every hash of the set: its outpoint, height and coinbase bit, and output.
func writeCoin(w *bytes.Buffer, op wire.OutPoint, c *consensus.Coin) {
	var num [8]byte
	w.Write(op.Hash[:])
	binary.LittleEndian.PutUint32(num[:], op.Index)
	w.Write(num[:4])
	code := uint32(c.Height) << 1
	if c.Coinbase {
		code |= 1
	}
	binary.LittleEndian.PutUint32(num[:], code)
	w.Write(num[:4])
	binary.LittleEndian.PutUint64(num[:], uint64(c.Value))
	w.Write(num[:])
	_ = wire.WriteVarBytes(w, 0, c.PkScript) // a bytes.Buffer takes every write
}
