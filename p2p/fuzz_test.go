package p2p

import (
	"bytes"
	"encoding/binary"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// fuzz checks that decode never fails but with an error, and that what it takes is what encode gives: a message has one form.
func fuzz[M any](f *testing.F, decode func([]byte) (M, error), encode func(M) []byte, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
		f.Add(s[:len(s)/2])
		f.Add(append(bytes.Clone(s), 0))
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil {
			return
		}
		again, err := decode(encode(m))
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v became %+v", m, again)
		}
	})
}

func FuzzStatus(f *testing.F) {
	s := status{Version: 1, Network: "regtest", Genesis: chainhash.Hash{1}, Tip: chainhash.Hash{2}, Height: 7, Work: consensus.Work{3}, UserAgent: "/groat:1/"}
	fuzz(f, decodeStatus, status.encode, s.encode())
}

func FuzzHeadersRequest(f *testing.F) {
	r := headersRequest{Locator: []chainhash.Hash{{1}, {2}}, Stop: chainhash.Hash{3}}
	fuzz(f, decodeHeadersRequest, headersRequest.encode, r.encode())
}

func FuzzHeaders(f *testing.F) {
	s := consensus.Genesis(consensus.Regtest())
	a := mineOn(s, nil).Header
	b := mineOn(s.Next(&a), nil).Header
	fuzz(f, decodeHeaders, encodeHeaders, encodeHeaders([]wire.BlockHeader{a, b}), encodeHeaders([]wire.BlockHeader{b, a}))
}

func FuzzBlocksRequest(f *testing.F) {
	fuzz(f, decodeBlocksRequest, encodeBlocksRequest, encodeBlocksRequest([]chainhash.Hash{{1}, {2}}))
}

func FuzzBlockTxnRequest(f *testing.F) {
	r := blockTxnRequest{Block: chainhash.Hash{1}, Indexes: []int{0, 1, 5, 300}}
	fuzz(f, decodeBlockTxnRequest, blockTxnRequest.encode, r.encode())
}

func FuzzTxs(f *testing.F) {
	three := func(b []byte) ([]*consensus.Tx, error) { return decodeTxs(b, 3) }
	fuzz(f, three, encodeTxs, encodeTxs([]*consensus.Tx{payment(1, nil), payment(2, nil), payment(3, nil)}))
}

func FuzzInv(f *testing.F) {
	fuzz(f, decodeInv, encodeInv, encodeInv([]invItem{{ID: wtxPrefix{1}, VSize: 110}, {ID: wtxPrefix{2}, VSize: 100_000}}))
}

func FuzzFeeFilter(f *testing.F) {
	fuzz(f, decodeFeeFilter, encodeFeeFilter, encodeFeeFilter(1000), encodeFeeFilter(btcutil.MaxSatoshi), encodeFeeFilter(btcutil.MaxSatoshi+1))
}

func FuzzPrefixes(f *testing.F) {
	fuzz(f, decodePrefixes, encodePrefixes, encodePrefixes([]wtxPrefix{{1}, {2}}))
}

func FuzzParents(f *testing.F) {
	fuzz(f, decodeParents, encodeParents, encodeParents([]chainhash.Hash{{1}, {2}}))
}

func FuzzTip(f *testing.F) {
	m := tipMessage{Header: consensus.Genesis(consensus.Regtest()).Header, Height: 5, Work: consensus.Work{9}}
	fuzz(f, decodeTip, tipMessage.encode, m.encode())
}

func FuzzCompactBlock(f *testing.F) {
	b := mineOn(consensus.Genesis(consensus.Regtest()), nil, payment(1, nil), payment(2, nil))
	c := compactOf(b)
	whole := c
	whole.IDs = nil
	whole.Prefilled = nil
	for i, tx := range b.Txs {
		whole.Prefilled = append(whole.Prefilled, prefilledTx{i, tx})
	}
	candidates := []*consensus.Tx{payment(1, nil), payment(3, nil)}
	fuzz(f, func(data []byte) (*compactBlock, error) {
		c, err := decodeCompact(data)
		if err == nil {
			c.fill(candidates)
		}
		return c, err
	}, (*compactBlock).encode, c.encode(), whole.encode())
}

// endless is a source whose deadlines do nothing.
type endless struct{ io.Reader }

func (endless) SetReadDeadline(time.Time) error { return nil }

func FuzzFrames(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{1, 2, 3})
	f.Add(append([]byte{relayTip, maxTipBytes}, make([]byte, maxTipBytes)...))
	f.Add(binary.AppendUvarint([]byte{relayTx}, 1<<62))
	f.Add(bytes.Repeat([]byte{0x80}, 20))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newFrameReader(endless{bytes.NewReader(data)}, &meter{}, 16)
		for {
			kind, payload, err := r.nextTyped(relayLimit, time.Second)
			if err != nil {
				break
			}
			if most, ok := relayLimit(kind); !ok || len(payload) > most {
				t.Fatalf("type %d with %d bytes", kind, len(payload))
			}
		}
		r = newFrameReader(endless{bytes.NewReader(data)}, &meter{}, 16)
		for {
			payload, err := r.next(100, time.Second)
			if err != nil {
				return
			}
			if len(payload) > 100 {
				t.Fatalf("%d bytes", len(payload))
			}
		}
	})
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"1.2.3.4:5", "[::1]:80", "host:1", "/ip4/1.2.3.4/tcp/5", "/dns4/x/udp/5/quic-v1", "/p2p/x", "///"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		info, err := parseTarget(s)
		if err == nil && (len(info.Addrs) != 1 || len(info.Addrs[0]) == 0) {
			t.Fatalf("%q: no address", s)
		}
	})
}
