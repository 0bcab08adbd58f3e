package descriptor

import (
	"crypto/sha256"
	"slices"

	btcaddr "github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// payToScriptHash returns the script that pays to the hash of another (BIP16).
func payToScriptHash(script []byte) []byte {
	return slices.Concat([]byte{txscript.OP_HASH160, txscript.OP_DATA_20}, btcaddr.Hash160(script), []byte{txscript.OP_EQUAL})
}

// payToWitnessScriptHash returns the script that pays to the hash of a witness script (BIP141).
func payToWitnessScriptHash(script []byte) []byte {
	sum := sha256.Sum256(script)
	return slices.Concat([]byte{txscript.OP_0, txscript.OP_DATA_32}, sum[:])
}

// payToTaproot returns the script of an output key (BIP341).
func payToTaproot(key []byte) []byte {
	return slices.Concat([]byte{txscript.OP_1, txscript.OP_DATA_32}, key)
}
