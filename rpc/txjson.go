package rpc

import (
	"bytes"
	"encoding/hex"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// txView says what of a transaction is shown.
type txView struct {
	hex     bool            // the serialized transaction
	spent   consensus.Coins // what it spends; nil if that is not known
	prevout bool            // each coin it spends
}

// txJSON is a transaction as decoderawtransaction and its kin show it.
type txJSON struct {
	TxID     string       `json:"txid"`
	Hash     string       `json:"hash"`
	Version  uint32       `json:"version"`
	Size     int          `json:"size"`
	VSize    int          `json:"vsize"`
	Weight   int          `json:"weight"`
	LockTime uint32       `json:"locktime"`
	In       []inputJSON  `json:"vin"`
	Out      []outputJSON `json:"vout"`
	Fee      *Amount      `json:"fee,omitempty"`
	Hex      string       `json:"hex,omitempty"`
}

type inputJSON struct {
	Coinbase  hexBytes       `json:"coinbase,omitempty"`
	TxID      string         `json:"txid,omitempty"`
	Vout      *uint32        `json:"vout,omitempty"`
	ScriptSig *scriptSigJSON `json:"scriptSig,omitempty"`
	Witness   []hexBytes     `json:"txinwitness,omitempty"`
	Prevout   *prevoutJSON   `json:"prevout,omitempty"`
	Sequence  uint32         `json:"sequence"`
}

type scriptSigJSON struct {
	Asm string   `json:"asm"`
	Hex hexBytes `json:"hex"`
}

type prevoutJSON struct {
	Generated bool       `json:"generated"`
	Height    int32      `json:"height"`
	Value     Amount     `json:"value"`
	Script    scriptJSON `json:"scriptPubKey"`
}

type outputJSON struct {
	Value  Amount     `json:"value"`
	N      int        `json:"n"`
	Script scriptJSON `json:"scriptPubKey"`
}

func (a *api) txJSON(tx *consensus.Tx, view txView) txJSON {
	msg := tx.Msg
	j := txJSON{
		TxID:     tx.TxID().String(),
		Hash:     tx.WTxID().String(),
		Version:  uint32(msg.Version),
		Size:     tx.Size(),
		VSize:    tx.VSize(),
		Weight:   tx.Weight(),
		LockTime: msg.LockTime,
		In:       make([]inputJSON, len(msg.TxIn)),
		Out:      make([]outputJSON, len(msg.TxOut)),
	}
	coinbase := consensus.IsCoinbase(tx)
	for i, in := range msg.TxIn {
		j.In[i] = a.inputJSON(in, coinbase, view)
	}
	for i, out := range msg.TxOut {
		j.Out[i] = outputJSON{Value: Amount(out.Value), N: i, Script: a.scriptJSON(out.PkScript)}
	}
	if fee, ok := feeOf(msg, view.spent); ok && !coinbase {
		shown := Amount(fee)
		j.Fee = &shown
	}
	if view.hex {
		j.Hex = hex.EncodeToString(tx.Raw())
	}
	return j
}

func (a *api) inputJSON(in *wire.TxIn, coinbase bool, view txView) inputJSON {
	j := inputJSON{Sequence: in.Sequence}
	for _, item := range in.Witness {
		j.Witness = append(j.Witness, item)
	}
	if coinbase {
		j.Coinbase = in.SignatureScript
		return j
	}
	j.TxID = in.PreviousOutPoint.Hash.String()
	j.Vout = &in.PreviousOutPoint.Index
	j.ScriptSig = &scriptSigJSON{Asm: scriptSigAsm(in.SignatureScript), Hex: in.SignatureScript}
	if coin, ok := view.spent[in.PreviousOutPoint]; ok && view.prevout {
		j.Prevout = &prevoutJSON{
			Generated: coin.Coinbase,
			Height:    coin.Height,
			Value:     Amount(coin.Value),
			Script:    a.scriptJSON(coin.PkScript),
		}
	}
	return j
}

// feeOf returns what a transaction pays, and false if not all coins it spends are known.
func feeOf(msg *wire.MsgTx, spent consensus.Coins) (btcutil.Amount, bool) {
	var fee btcutil.Amount
	for _, in := range msg.TxIn {
		coin, ok := spent[in.PreviousOutPoint]
		if !ok {
			return 0, false
		}
		fee += coin.Value
	}
	for _, out := range msg.TxOut {
		fee -= btcutil.Amount(out.Value)
	}
	return fee, true
}

// outputCoin returns an output as a coin of the block at height.
func outputCoin(out *wire.TxOut, height int32, coinbase bool) consensus.Coin {
	return consensus.Coin{Value: btcutil.Amount(out.Value), PkScript: out.PkScript, Height: height, Coinbase: coinbase}
}

// txForms says in which serializations a transaction may come.
type txForms uint8

const (
	withWitness txForms = 1 << iota // BIP144
	withoutWitness
	anyForm = withWitness | withoutWitness
)

// parseTx reads a serialized transaction in hexadecimal. A transaction without inputs is the same in both
// forms to the eye only, so the form whose scripts make sense wins, the one with witness first.
func parseTx(text string, forms txForms) (*consensus.Tx, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, false
	}
	var found *consensus.Tx
	for _, form := range []txForms{withWitness, withoutWitness} {
		if forms&form == 0 {
			continue
		}
		tx, ok := decodeTx(raw, form)
		if ok && saneScripts(tx) {
			return tx, true
		}
		if ok && found == nil {
			found = tx
		}
	}
	return found, found != nil
}

// decodeTx reads a transaction that fills raw.
func decodeTx(raw []byte, form txForms) (*consensus.Tx, bool) {
	if form == withWitness {
		tx, err := consensus.ParseTx(raw)
		return tx, err == nil
	}
	r, msg := bytes.NewReader(raw), new(wire.MsgTx)
	if err := msg.BtcDecode(r, 0, wire.BaseEncoding); err != nil || r.Len() > 0 {
		return nil, false
	}
	return consensus.NewTx(msg), true
}

// saneScripts reports whether the scripts of a transaction are sequences of known operations, as those of a real one are.
func saneScripts(tx *consensus.Tx) bool {
	if !consensus.IsCoinbase(tx) {
		for _, in := range tx.Msg.TxIn {
			if !validOps(in.SignatureScript) {
				return false
			}
		}
	}
	for _, out := range tx.Msg.TxOut {
		if !validOps(out.PkScript) {
			return false
		}
	}
	return true
}
