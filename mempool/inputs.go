package mempool

import (
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// Limits of a standard input.
const (
	maxScriptHashSigOps = 15
	maxTxSigOpCost      = consensus.MaxBlockSigOpCost / 5
	bytesPerSigOp       = 20 // a signature operation counts as at least so many weight units

	maxWitnessScript = 3600 // P2WSH (version 0)
	maxWitnessItems  = 100
	maxWitnessItem   = 80

	annexTag      = 0x50 // first byte of an annex (BIP341)
	leafMask      = 0xfe // the leaf's version in the first byte of a control block (BIP341)
	leafTapscript = 0xc0 // the leaf version of tapscript (BIP342)
)

// standardInputs reports whether policy wants to see the outputs that tx spends spent, and in this way. coins has them all.
func standardInputs(tx *consensus.Tx, coins consensus.Coins) bool {
	for _, in := range tx.Msg.TxIn {
		script := coins[in.PreviousOutPoint].PkScript
		switch formOf(script) {
		case formOther, formFuture, formData:
			return false
		case formScriptHash:
			if _, ok := lastPush(in.SignatureScript); !ok {
				return false
			}
			if txscript.GetPreciseSigOpCount(in.SignatureScript, script, true) > maxScriptHashSigOps {
				return false
			}
		}
	}
	return true
}

// standardWitnesses reports whether the witnesses of tx are within the limits of policy, and are there where something asks for them.
func standardWitnesses(tx *consensus.Tx, coins consensus.Coins) bool {
	for _, in := range tx.Msg.TxIn {
		if len(in.Witness) > 0 && !standardWitness(in, coins[in.PreviousOutPoint].PkScript) {
			return false
		}
	}
	return true
}

func standardWitness(in *wire.TxIn, script []byte) bool {
	if txscript.IsPayToAnchorScript(script) {
		return false
	}
	nested := txscript.IsPayToScriptHash(script)
	if nested {
		redeem, ok := lastPush(in.SignatureScript)
		if !ok {
			return false
		}
		script = redeem
	}
	switch {
	case !txscript.IsWitnessProgram(script):
		return false
	case txscript.IsPayToWitnessScriptHash(script):
		return standardScriptHashWitness(in.Witness)
	case txscript.IsPayToTaproot(script) && !nested:
		return standardTaprootWitness(in.Witness)
	}
	return true
}

func standardScriptHashWitness(witness wire.TxWitness) bool {
	last := len(witness) - 1
	return len(witness[last]) <= maxWitnessScript && last <= maxWitnessItems && smallItems(witness[:last])
}

func standardTaprootWitness(witness wire.TxWitness) bool {
	n := len(witness)
	if n == 1 {
		return true // spent by key
	}
	if last := witness[n-1]; len(last) > 0 && last[0] == annexTag {
		return false // an annex has no meaning yet
	}
	control := witness[n-1]
	if len(control) == 0 {
		return false
	}
	return control[0]&leafMask != leafTapscript || smallItems(witness[:n-2])
}

func smallItems(items [][]byte) bool {
	for _, item := range items {
		if len(item) > maxWitnessItem {
			return false
		}
	}
	return true
}

// virtualSize returns the size that fees are paid for: the weight, or what the signature operations count as if that is more.
func virtualSize(tx *consensus.Tx, sigOpCost int) int {
	const scale = 4
	return (max(tx.Weight(), sigOpCost*bytesPerSigOp) + scale - 1) / scale
}
