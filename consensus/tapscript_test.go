package consensus

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// A wrong signature in a tapscript is called what it is, by either path, and so is an argument of OP_IF that is not minimal.
func TestWrongSchnorrSignature(t *testing.T) {
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 7})
	leaf := append(append([]byte{txscript.OP_DATA_32}, schnorr.SerializePubKey(key.PubKey())...), txscript.OP_CHECKSIG)
	leaf = append([]byte{txscript.OP_IF, txscript.OP_ENDIF}, leaf...)
	tree := txscript.AssembleTaprootScriptTree(txscript.NewBaseTapLeaf(leaf))
	root := tree.RootNode.TapHash()
	output, err := txscript.PayToTaprootScript(txscript.ComputeTaprootOutputKey(key.PubKey(), root[:]))
	if err != nil {
		t.Fatal(err)
	}
	block := tree.LeafMerkleProofs[0].ToControlBlock(key.PubKey())
	control, err := block.ToBytes()
	if err != nil {
		t.Fatal(err)
	}
	wrong := make([]byte, schnorr.SignatureSize)
	wrong[0] = 1
	for _, c := range []struct {
		witness wire.TxWitness
		text    string
	}{
		{wire.TxWitness{wrong}, "Invalid Schnorr signature"},
		{wire.TxWitness{wrong, {1}, leaf, control}, "Invalid Schnorr signature"},
		{wire.TxWitness{wrong, {2}, leaf, control}, "OP_IF/NOTIF argument must be minimal in tapscript"},
		{wire.TxWitness{wrong, {0}, leaf, control}, "OP_IF/NOTIF argument must be minimal in tapscript"},
	} {
		msg := wire.NewMsgTx(2)
		msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, nil, c.witness))
		msg.AddTxOut(wire.NewTxOut(1, []byte{txscript.OP_TRUE}))
		err := ScriptCheck{Tx: NewTx(msg), Spent: []Coin{{Value: 2, PkScript: output}}, Flags: txscript.StandardVerifyFlags}.Verify()
		var rule RuleError
		if !errors.As(err, &rule) || rule.ScriptText() != c.text {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}
