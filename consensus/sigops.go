package consensus

import (
	"github.com/btcsuite/btcd/txscript/v2"
)

// legacySigOps counts the signature operations in the scripts of tx itself, as before BIP16.
func legacySigOps(tx *Tx) int {
	n := 0
	for _, in := range tx.Msg.TxIn {
		n += txscript.GetSigOpCount(in.SignatureScript)
	}
	for _, out := range tx.Msg.TxOut {
		n += txscript.GetSigOpCount(out.PkScript)
	}
	return n
}

// SigOpCost returns what the signature operations of tx count towards a block's limit under flags: four for each in its scripts
// and in those that pay to a script hash, one for each in a witness (BIP16, BIP141). coins has what tx spends.
func SigOpCost(tx *Tx, coins Coins, flags txscript.ScriptFlags) int {
	cost := legacySigOps(tx) * witnessScale
	if IsCoinbase(tx) {
		return cost
	}
	for _, in := range tx.Msg.TxIn {
		script := coins[in.PreviousOutPoint].PkScript
		if flags&txscript.ScriptBip16 != 0 && txscript.IsPayToScriptHash(script) {
			cost += txscript.GetPreciseSigOpCount(in.SignatureScript, script, true) * witnessScale
		}
		if flags&txscript.ScriptVerifyWitness != 0 {
			cost += txscript.GetWitnessSigOpCount(in.SignatureScript, script, in.Witness)
		}
	}
	return cost
}
