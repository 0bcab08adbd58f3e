package wallet

import (
	"fmt"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// prevouts shows the script engine's helpers what a transaction spends.
type prevouts map[wire.OutPoint]consensus.Coin

// FetchPrevOutput returns what is known of an output; the zero output if nothing is.
func (p prevouts) FetchPrevOutput(op wire.OutPoint) *wire.TxOut {
	coin := p[op]
	return wire.NewTxOut(int64(coin.Value), coin.PkScript)
}

// signInput puts a signature for an output of the wallet (P2WPKH, BIP143) into input i of msg.
func signInput(msg *wire.MsgTx, i int, coin consensus.Coin, path ledger.WalletPath, account *hdkeychain.ExtendedKey, kind txscript.SigHashType, hashes *txscript.TxSigHashes) error {
	key, err := signingKey(account, path)
	if err != nil {
		return fmt.Errorf("key %v: %w", path, err)
	}
	defer key.Zero()
	witness, err := txscript.WitnessSignature(msg, hashes, i, int64(coin.Value), coin.PkScript, kind, key, true)
	if err != nil {
		return fmt.Errorf("sign input %d: %w", i, err)
	}
	msg.TxIn[i].Witness, msg.TxIn[i].SignatureScript = witness, nil
	return nil
}

// sign signs all inputs of a draft and runs the scripts, so that nothing leaves the wallet that others would refuse.
func (d *draft) sign(account *hdkeychain.ExtendedKey) (*consensus.Tx, error) {
	known := make(prevouts, len(d.spends))
	spent := make([]consensus.Coin, len(d.spends))
	for i, c := range d.spends {
		spent[i] = consensus.Coin{Value: c.Value, PkScript: c.PkScript}
		known[c.OutPoint] = spent[i]
	}
	hashes := txscript.NewTxSigHashes(d.msg, known)
	for i, c := range d.spends {
		if err := signInput(d.msg, i, spent[i], c.Path, account, txscript.SigHashAll, hashes); err != nil {
			return nil, err
		}
	}
	tx := consensus.NewTx(d.msg)
	if err := (consensus.ScriptCheck{Tx: tx, Spent: spent, Flags: txscript.StandardVerifyFlags}).Verify(); err != nil {
		return nil, fmt.Errorf("check our own signatures: %w", err)
	}
	return tx, nil
}

// signRaw signs those inputs of msg that spend outputs of the wallet, in place, and returns what stays unsatisfied. Known has the outputs that msg
// spends, of the wallet and of others, as far as anybody knows them.
func signRaw(msg *wire.MsgTx, keys *keyring, account *hdkeychain.ExtendedKey, known prevouts, kind txscript.SigHashType) ([]ledger.UnsignedInput, error) {
	hashes := txscript.NewTxSigHashes(msg, known)
	var missing []ledger.UnsignedInput
	for i, in := range msg.TxIn {
		coin, ok := known[in.PreviousOutPoint]
		if !ok {
			missing = append(missing, ledger.UnsignedInput{Index: i, Reason: "Input not found or already spent"})
			continue
		}
		single := kind&^txscript.SigHashAnyOneCanPay == txscript.SigHashSingle && i >= len(msg.TxOut) // would sign the number one
		if path, mine := keys.find(coin.PkScript); mine && !single {
			if err := signInput(msg, i, coin, path, account, kind, hashes); err != nil {
				return nil, err
			}
		}
	}
	for i, in := range msg.TxIn {
		coin, ok := known[in.PreviousOutPoint]
		if !ok {
			continue
		}
		if len(in.Witness) == 0 && len(in.SignatureScript) == 0 {
			missing = append(missing, ledger.UnsignedInput{Index: i, Reason: "Unable to sign input, invalid stack size (possibly missing key)"})
			continue
		}
		vm, err := txscript.NewEngine(coin.PkScript, msg, i, txscript.StandardVerifyFlags, nil, hashes, int64(coin.Value), known)
		if err == nil {
			err = vm.Execute()
		}
		if err != nil {
			missing = append(missing, ledger.UnsignedInput{Index: i, Reason: err.Error()})
		}
	}
	return missing, nil
}
