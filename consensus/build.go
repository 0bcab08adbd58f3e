package consensus

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// payment is a transaction with room for what a common one is made of, so that reading it takes two allocations: this and its bytes, which the
// scripts are parts of. It has 512 bytes: what is larger costs the garbage collector more.
type payment struct {
	tx      Tx
	msg     wire.MsgTx
	ins     [2]wire.TxIn
	inRefs  [2]*wire.TxIn
	outs    [2]wire.TxOut
	outRefs [2]*wire.TxOut
	items   [2][]byte
}

// room returns n elements, those at hand if they are enough.
func room[T any](atHand []T, n int) []T {
	if n <= len(atHand) {
		return atHand[:n:n]
	}
	return make([]T, n)
}

// buildTx reads raw, which a cursor has walked over, and hashes it as it stands.
func buildTx(raw []byte, at txLayout) *Tx {
	p := new(payment)
	r := reader(slices.Clip(bytes.Clone(raw)))
	p.tx = Tx{Msg: &p.msg, raw: r, size: len(raw), base: len(raw)}
	p.msg.Version = int32(r.uint32())
	if at.witness {
		r.take(2)
	}
	r.count()
	ins := room(p.ins[:], at.inputs)
	p.msg.TxIn = room(p.inRefs[:], at.inputs)
	for i := range ins {
		in := &ins[i]
		in.PreviousOutPoint = wire.OutPoint{Hash: chainhash.Hash(r.take(chainhash.HashSize)), Index: r.uint32()}
		in.SignatureScript = r.bytes()
		in.Sequence = r.uint32()
		p.msg.TxIn[i] = in
	}
	r.count()
	outs := room(p.outs[:], at.outputs)
	p.msg.TxOut = room(p.outRefs[:], at.outputs)
	for i := range outs {
		out := &outs[i]
		out.Value = int64(binary.LittleEndian.Uint64(r.take(8)))
		out.PkScript = r.bytes()
		p.msg.TxOut[i] = out
	}
	if at.witness {
		items := room(p.items[:], at.items)
		for i := range ins {
			n := r.count()
			ins[i].Witness, items = items[:n:n], items[n:]
			for k := range n {
				ins[i].Witness[k] = r.bytes()
			}
		}
	}
	p.msg.LockTime = r.uint32()
	p.tx.hash(at)
	return &p.tx
}

// hash works out the ids of a transaction from its bytes.
func (t *Tx) hash(at txLayout) {
	t.wid = chainhash.DoubleHashH(t.raw)
	if !at.witness {
		t.id = t.wid
		return
	}
	var atHand [512]byte
	stripped := append(atHand[:0], t.raw[:4]...)
	stripped = append(stripped, t.raw[6:at.witnessAt]...)
	stripped = append(stripped, t.raw[len(t.raw)-4:]...)
	t.id, t.base = chainhash.DoubleHashH(stripped), len(stripped)
}

// reader takes bytes off serialized transactions of which a cursor has found that they are all there.
type reader []byte

func (r *reader) take(n int) []byte {
	b := (*r)[:n:n]
	*r = (*r)[n:]
	return b
}

func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }

// bytes takes bytes with their number before them.
func (r *reader) bytes() []byte { return r.take(r.count()) }

// count takes a number.
func (r *reader) count() int {
	switch first := r.take(1)[0]; first {
	case 0xfd:
		return int(binary.LittleEndian.Uint16(r.take(2)))
	case 0xfe:
		return int(binary.LittleEndian.Uint32(r.take(4)))
	case 0xff:
		return int(binary.LittleEndian.Uint64(r.take(8)))
	default:
		return int(first)
	}
}
