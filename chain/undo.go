package chain

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
)

// encodeUndo returns the undo record of the block with the given hash: the coins that it spent, with their names and in order.
func encodeUndo(hash chainhash.Hash, spent []consensus.Entry) []byte {
	out := make([]byte, 0, len(hash)+8+len(spent)*80)
	out = append(out, hash[:]...)
	out = binary.AppendUvarint(out, uint64(len(spent)))
	var coin []byte
	for i := range spent {
		key := keyOf(spent[i].OutPoint)
		coin = appendCoin(coin[:0], &spent[i].Coin)
		out = append(out, key[:]...)
		out = binary.AppendUvarint(out, uint64(len(coin)))
		out = append(out, coin...)
	}
	return out
}

// decodeUndo returns the coins in an undo record, which must be that of the block with the given hash.
func decodeUndo(hash chainhash.Hash, b []byte) ([]consensus.Entry, error) {
	damaged := fmt.Errorf("undo record of %v: %w", hash, errCoding)
	if len(b) < len(hash) || chainhash.Hash(b[:len(hash)]) != hash {
		return nil, damaged
	}
	b = b[len(hash):]
	count, n := uvarint(b)
	// What a coin takes at least bounds what is allocated.
	if n <= 0 || count > uint64(len(b))/uint64(len(coinKey{})) {
		return nil, damaged
	}
	b = b[n:]
	spent := make([]consensus.Entry, count)
	for i := range spent {
		if len(b) < len(coinKey{}) {
			return nil, damaged
		}
		key := coinKey(b[:len(coinKey{})])
		b = b[len(key):]
		size, n := uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, damaged
		}
		coin, err := decodeCoin(b[n : n+int(size)])
		if err != nil {
			return nil, fmt.Errorf("undo record of %v: %w", hash, err)
		}
		spent[i] = consensus.Entry{OutPoint: key.outPoint(), Coin: coin}
		b = b[n+int(size):]
	}
	if len(b) > 0 {
		return nil, damaged
	}
	return spent, nil
}
