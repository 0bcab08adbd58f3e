package consensus

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// sigHashes returns the parts that the signature hashes of the inputs of tx, which spend outs in their order, have in common (BIP143, BIP341). It is
// txscript.NewTxSigHashes with one allocation, for two thirds of its time.
func sigHashes(tx *wire.MsgTx, outs []wire.TxOut) *txscript.TxSigHashes {
	var h txscript.TxSigHashes
	var room [256]byte
	buf := room[:0]
	for _, in := range tx.TxIn {
		buf = append(buf, in.PreviousOutPoint.Hash[:]...)
		buf = binary.LittleEndian.AppendUint32(buf, in.PreviousOutPoint.Index)
	}
	h.HashPrevOutsV1 = sha256.Sum256(buf)
	buf = buf[:0]
	for _, in := range tx.TxIn {
		buf = binary.LittleEndian.AppendUint32(buf, in.Sequence)
	}
	h.HashSequenceV1 = sha256.Sum256(buf)
	buf = buf[:0]
	for _, out := range tx.TxOut {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(out.Value))
		buf = appendScript(buf, out.PkScript)
	}
	h.HashOutputsV1 = sha256.Sum256(buf)
	taproot := func(out wire.TxOut) bool { return txscript.IsPayToTaproot(out.PkScript) }
	if slices.ContainsFunc(outs, func(out wire.TxOut) bool { return !taproot(out) }) {
		h.HashPrevOutsV0 = sha256.Sum256(h.HashPrevOutsV1[:])
		h.HashSequenceV0 = sha256.Sum256(h.HashSequenceV1[:])
		h.HashOutputsV0 = sha256.Sum256(h.HashOutputsV1[:])
	}
	if !slices.ContainsFunc(outs, taproot) {
		return &h
	}
	buf = buf[:0]
	for _, out := range outs {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(out.Value))
	}
	h.HashInputAmountsV1 = sha256.Sum256(buf)
	buf = buf[:0]
	for _, out := range outs {
		buf = appendScript(buf, out.PkScript)
	}
	h.HashInputScriptsV1 = sha256.Sum256(buf)
	return &h
}

// appendScript appends a script as an output has it.
func appendScript(dst, script []byte) []byte {
	switch n := len(script); {
	case n < 0xfd:
		dst = append(dst, byte(n))
	case n <= 0xffff:
		dst = binary.LittleEndian.AppendUint16(append(dst, 0xfd), uint16(n))
	default:
		dst = binary.LittleEndian.AppendUint32(append(dst, 0xfe), uint32(n))
	}
	return append(dst, script...)
}
