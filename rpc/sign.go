package rpc

import (
	"bytes"
	"crypto/sha256"

	btcaddr "github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// signer fills in the inputs of a transaction with signatures by its keys and with those that others have made already.
type signer struct {
	msg    *wire.MsgTx
	coins  consensus.Coins // what is known of what msg spends
	kind   txscript.SigHashType
	plain  bool // Taproot's signatures are of their default kind, which has no byte for it
	hashes *txscript.TxSigHashes

	keys    map[string]*btcec.PrivateKey // by public key, in both forms
	outputs map[string]*btcec.PrivateKey // by the output key of Taproot's key path (BIP86)
	pieces  [][][]byte                   // by input: what may be part of its answer: signatures, keys and scripts of others
}

// newSigner returns a signer of msg, which it changes.
func newSigner(msg *wire.MsgTx, coins consensus.Coins, kind txscript.SigHashType) *signer {
	s := &signer{msg: msg, coins: coins, kind: kind, keys: make(map[string]*btcec.PrivateKey), outputs: make(map[string]*btcec.PrivateKey), pieces: make([][][]byte, len(msg.TxIn))}
	s.hashes = txscript.NewTxSigHashes(msg, s)
	s.collect(msg)
	return s
}

// FetchPrevOutput returns what is known of an output, for the library's hashes; the zero output if nothing is.
func (s *signer) FetchPrevOutput(op wire.OutPoint) *wire.TxOut {
	coin := s.coins[op]
	return wire.NewTxOut(int64(coin.Value), coin.PkScript)
}

// collect takes the pieces of the inputs of a version of the transaction.
func (s *signer) collect(msg *wire.MsgTx) {
	for i, in := range msg.TxIn {
		t := txscript.MakeScriptTokenizer(0, in.SignatureScript)
		for t.Next() {
			if len(t.Data()) > 0 {
				s.pieces[i] = append(s.pieces[i], t.Data())
			}
		}
		s.pieces[i] = append(s.pieces[i], in.Witness...)
	}
}

// addKey lets the signer sign by a key.
func (s *signer) addKey(key *btcec.PrivateKey) {
	pub := key.PubKey()
	s.keys[string(pub.SerializeCompressed())] = key
	s.keys[string(pub.SerializeUncompressed())] = key
	s.outputs[string(schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(pub)))] = key
}

// addScript lets the signer use a script for outputs that pay to its hash, or to the hash of the witness program for it.
func (s *signer) addScript(input int, script []byte) {
	sum := sha256.Sum256(script)
	s.pieces[input] = append(s.pieces[input], script, witnessProgram(sum[:]))
}

// sign fills in input i as far as it can. It returns why the input is not complete, nil if it is.
func (s *signer) sign(i int) error {
	in := s.msg.TxIn[i]
	coin := s.coins[in.PreviousOutPoint]
	if s.verify(i) == nil {
		return nil
	}
	sigScript, witness := s.answer(i, coin)
	in.SignatureScript, in.Witness = sigScript, witness
	return s.verify(i)
}

// verify runs the scripts of input i.
func (s *signer) verify(i int) error {
	coin := s.coins[s.msg.TxIn[i].PreviousOutPoint]
	vm, err := txscript.NewEngine(coin.PkScript, s.msg, i, txscript.StandardVerifyFlags, nil, s.hashes, int64(coin.Value), s)
	if err != nil {
		return err
	}
	return vm.Execute()
}

// answer returns what satisfies an output, as far as there are keys, signatures and scripts for it.
func (s *signer) answer(i int, coin consensus.Coin) (sigScript []byte, witness wire.TxWitness) {
	script := coin.PkScript
	var last []byte // the script that a P2SH output pays to
	if txscript.IsPayToScriptHash(script) {
		if script = s.find(i, script[2:22], btcaddr.Hash160); script == nil {
			return nil, nil
		}
		last = script
	}
	switch {
	case txscript.IsPayToWitnessPubKeyHash(script):
		witness, script = s.stack(i, payToPubKeyHash(script[2:]), &coin), nil
	case txscript.IsPayToWitnessScriptHash(script):
		inner := s.find(i, script[2:], func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] })
		if inner == nil {
			return nil, nil
		}
		witness, script = append(s.stack(i, inner, &coin), inner), nil
	case txscript.IsPayToTaproot(script):
		return nil, s.taproot(i, coin)
	}
	var items [][]byte
	if script != nil {
		items = s.stack(i, script, nil)
	}
	if last != nil {
		items = append(items, last)
	}
	b := txscript.NewScriptBuilder()
	for _, item := range items {
		b.AddFullData(item)
	}
	sigScript, _ = b.Script() // what is too long for a script does not verify
	return sigScript, witness
}

// find returns the piece of input i that hash gives the wanted hash for, nil if there is none.
func (s *signer) find(i int, want []byte, hash func([]byte) []byte) []byte {
	for _, piece := range s.pieces[i] {
		if bytes.Equal(hash(piece), want) {
			return piece
		}
	}
	return nil
}

// stack returns the items that satisfy a script with keys in it: in a witness if there is a coin (BIP143), else in a signature script.
func (s *signer) stack(i int, script []byte, coin *consensus.Coin) [][]byte {
	switch kind, keys := classify(script); kind {
	case typePubKey:
		return [][]byte{s.signature(i, script, keys[0], coin)}
	case typePubKeyHash:
		pub := s.find(i, script[3:23], btcaddr.Hash160)
		for known := range s.keys {
			if coin != nil && len(known) != btcec.PubKeyBytesLenCompressed {
				continue // BIP143's keys are short
			}
			if bytes.Equal(btcaddr.Hash160([]byte(known)), script[3:23]) {
				pub = []byte(known)
			}
		}
		if pub == nil {
			return nil
		}
		return [][]byte{s.signature(i, script, pub, coin), pub}
	case typeMultisig:
		required, _, _ := multisig(script)
		items := [][]byte{nil} // the one too many that CHECKMULTISIG takes
		for _, pub := range keys {
			if sig := s.signature(i, script, pub, coin); sig != nil && len(items) <= required {
				items = append(items, sig)
			}
		}
		for len(items) <= required {
			items = append(items, nil)
		}
		return items
	}
	return nil
}

// signature returns one by pub for input i, made here or by somebody else; nil if there is none.
func (s *signer) signature(i int, script, pub []byte, coin *consensus.Coin) []byte {
	if key, ok := s.keys[string(pub)]; ok {
		hash, ok := s.hash(i, script, s.kind, coin)
		if !ok {
			return nil
		}
		return append(ecdsa.Sign(key, hash).Serialize(), byte(s.kind))
	}
	known, err := btcec.ParsePubKey(pub)
	if err != nil {
		return nil
	}
	for _, piece := range s.pieces[i] {
		last := len(piece) - 1
		if last < 8 {
			continue
		}
		sig, err := ecdsa.ParseDERSignature(piece[:last])
		if err != nil {
			continue
		}
		if hash, ok := s.hash(i, script, txscript.SigHashType(piece[last]), coin); ok && sig.Verify(hash, known) {
			return piece
		}
	}
	return nil
}

// hash returns what a signature of this kind for input i signs. It returns false where that would be the number one (a single output that
// does not exist): whoever has such a signature can spend every output of its key.
func (s *signer) hash(i int, script []byte, kind txscript.SigHashType, coin *consensus.Coin) ([]byte, bool) {
	var hash []byte
	var err error
	switch {
	case coin != nil:
		hash, err = txscript.CalcWitnessSigHash(script, s.hashes, kind, s.msg, i, int64(coin.Value))
	case kind&^txscript.SigHashAnyOneCanPay == txscript.SigHashSingle && i >= len(s.msg.TxOut):
		return nil, false
	default:
		hash, err = txscript.CalcSignatureHash(script, kind, s.msg, i)
	}
	return hash, err == nil
}

// taproot returns the witness of an output of Taproot by its key path, nil if there is none.
func (s *signer) taproot(i int, coin consensus.Coin) wire.TxWitness {
	output := coin.PkScript[2:]
	if key, ok := s.outputs[string(output)]; ok {
		kind := s.kind
		if s.plain {
			kind = txscript.SigHashDefault
		}
		sig, err := txscript.RawTxInTaprootSignature(s.msg, s.hashes, i, int64(coin.Value), coin.PkScript, nil, kind, key)
		if err != nil {
			return nil
		}
		return wire.TxWitness{sig}
	}
	for _, piece := range s.pieces[i] {
		if len(piece) == schnorr.SignatureSize || len(piece) == schnorr.SignatureSize+1 {
			s.msg.TxIn[i].Witness = wire.TxWitness{piece}
			if s.verify(i) == nil {
				return wire.TxWitness{piece}
			}
		}
	}
	return nil
}

// payToPubKeyHash returns the script that pays to the hash of a key.
func payToPubKeyHash(hash []byte) []byte {
	b := txscript.NewScriptBuilder().AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(hash)
	script, _ := b.AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG).Script() // 25 bytes
	return script
}
