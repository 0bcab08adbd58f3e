package mempool

import (
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Limits of a standard transaction.
const (
	maxVersion   = 3
	maxWeight    = 400_000
	minBaseBytes = 65   // a transaction of 64 bytes looks like an inner node of the merkle tree (CVE-2017-12842)
	maxSigScript = 1650 // 15 signatures, keys of a script hash of 520 bytes
)

// checkAlone says whether policy wants tx, by what tx itself says. tx has passed consensus.CheckTx.
func (p Policy) checkAlone(tx *consensus.Tx) error {
	if consensus.IsCoinbase(tx) {
		return refuse(reasonCoinbase, "")
	}
	if v := tx.Msg.Version; v < 1 || v > maxVersion {
		return refuse(reasonVersion, "")
	}
	if tx.Weight() > maxWeight {
		return refuse(reasonTxSize, "")
	}
	for _, in := range tx.Msg.TxIn {
		if len(in.SignatureScript) > maxSigScript {
			return refuse(reasonSigSize, "")
		}
		if !txscript.IsPushOnlyScript(in.SignatureScript) {
			return refuse(reasonSigPush, "")
		}
	}
	if err := p.checkOutputs(tx); err != nil {
		return err
	}
	if baseSize(tx) < minBaseBytes {
		return refuse(reasonTxSizeSmall, "")
	}
	return nil
}

// baseSize returns the size of tx without its witness.
func baseSize(tx *consensus.Tx) int { return (tx.Weight() - tx.Size()) / 3 }

func (p Policy) checkOutputs(tx *consensus.Tx) error {
	carriers := 0
	for _, out := range tx.Msg.TxOut {
		form := formOf(out.PkScript)
		if !p.standardOutput(form, out.PkScript) {
			return refuse(reasonScript, "")
		}
		switch {
		case form == formData:
			carriers++
		case form == formMultisig && !p.BareMultisig:
			return refuse(reasonMultisig, "")
		case btcutil.Amount(out.Value) < p.dustLimit(out):
			return refuse(reasonDust, "")
		}
	}
	if carriers > 1 {
		return refuse(reasonData, "")
	}
	return nil
}

func (p Policy) standardOutput(f form, script []byte) bool {
	switch f {
	case formOther:
		return false
	case formData:
		return len(script) <= p.DataCarrierBytes
	case formMultisig:
		_, keys, _ := multisig(script)
		return keys <= maxBareKeys
	}
	return true
}

// The size of an input that spends an output: outpoint, script length, signature and key, sequence. In a witness they weigh a quarter.
const (
	spendSize        = 32 + 4 + 1 + 107 + 4
	witnessSpendSize = 32 + 4 + 1 + 107/4 + 4
)

// dustLimit returns the least value of an output that is worth its spending.
func (p Policy) dustLimit(out *wire.TxOut) btcutil.Amount {
	switch {
	case consensus.Unspendable(out.PkScript):
		return 0
	case txscript.IsWitnessProgram(out.PkScript):
		return feeFor(p.DustFee, out.SerializeSize()+witnessSpendSize)
	}
	return feeFor(p.DustFee, out.SerializeSize()+spendSize)
}
