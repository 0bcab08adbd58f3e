package consensus

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// alwaysFlags hold from the first block, as if they always had: no block but FlagExceptions breaks them.
const alwaysFlags = txscript.ScriptBip16 | txscript.ScriptVerifyWitness | txscript.ScriptVerifyTaproot

// NextFlags returns the flags that the scripts of the block after s, with the given hash, are run under.
func NextFlags(s State, hash chainhash.Hash) txscript.ScriptFlags {
	p, height := s.params, s.Height+1
	flags := alwaysFlags
	if kept, ok := p.FlagExceptions[hash]; ok {
		flags = kept
	}
	if height >= p.BIP66Height {
		flags |= txscript.ScriptVerifyDERSignatures
	}
	if height >= p.BIP65Height {
		flags |= txscript.ScriptVerifyCheckLockTimeVerify
	}
	if height >= p.CSVHeight { // BIP112
		flags |= txscript.ScriptVerifyCheckSequenceVerify
	}
	if height >= p.SegwitHeight { // BIP147
		flags |= txscript.ScriptStrictMultiSig
	}
	return flags
}

// ScriptCheck is the script work of one transaction: a value that any goroutine may run.
type ScriptCheck struct {
	Tx    *Tx
	Spent []Coin // one per input
	Flags txscript.ScriptFlags
}

// ScriptChecks returns the script work of b, which has passed Connect with the same coins, in the order of its transactions.
func ScriptChecks(s State, b *Block, spent Coins) []ScriptCheck {
	flags := NextFlags(s, b.hash)
	own := make(map[chainhash.Hash]*Tx, len(b.Txs))
	for _, tx := range b.Txs {
		own[tx.id] = tx
	}
	checks := make([]ScriptCheck, 0, len(b.Txs))
	for _, tx := range b.Txs[1:] {
		coins := make([]Coin, len(tx.Msg.TxIn))
		for i, in := range tx.Msg.TxIn {
			op := in.PreviousOutPoint
			if parent, ok := own[op.Hash]; ok {
				out := parent.Msg.TxOut[op.Index]
				coins[i] = Coin{Value: btcutil.Amount(out.Value), PkScript: out.PkScript, Height: s.Height + 1}
				continue
			}
			coins[i] = spent[op]
		}
		checks = append(checks, ScriptCheck{Tx: tx, Spent: coins, Flags: flags})
	}
	return checks
}

// Verify runs the scripts of all inputs and returns the first failure, as a RuleError of kind ErrScript.
func (c ScriptCheck) Verify() error {
	outs := newSpentOutputs(c.Tx.Msg, c.Spent)
	var hashes *txscript.TxSigHashes
	if c.Tx.wid != c.Tx.id { // without witness nothing asks for them
		hashes = txscript.NewTxSigHashes(c.Tx.Msg, outs)
	}
	for i := range c.Spent {
		if err := c.verifyInput(i, outs, hashes); err != nil {
			return err
		}
	}
	return nil
}

// verifyInput runs the scripts of one input, with what the inputs of a transaction share.
func (c ScriptCheck) verifyInput(i int, outs *spentOutputs, hashes *txscript.TxSigHashes) error {
	coin := c.Spent[i]
	vm, err := txscript.NewEngine(coin.PkScript, c.Tx.Msg, i, c.Flags, nil, hashes, int64(coin.Value), outs)
	if err == nil {
		err = vm.Execute()
	}
	if err != nil {
		return scriptError(c.Tx, i, coin.PkScript, err)
	}
	return nil
}

func scriptError(tx *Tx, input int, pkScript []byte, err error) error {
	text := ScriptErrorText(err)
	if txscript.IsPayToTaproot(pkScript) && txscript.IsErrorCode(err, txscript.ErrNullFail) {
		text = scriptTexts[txscript.ErrTaprootSigInvalid] // BIP342 has no NULLFAIL: a signature that fails ends the script
	}
	return RuleError{
		Kind:   ErrScript,
		Detail: fmt.Sprintf("input %d of %v (wtxid %v), spending %v", input, tx.id, tx.wid, tx.Msg.TxIn[input].PreviousOutPoint),
		reason: fmt.Sprintf("%v (%s)", ErrScript, text),
	}
}

// ScriptText returns what Core says about the script that failed, empty for other rules.
func (e RuleError) ScriptText() string {
	prefix := ErrScript.Error() + " ("
	if e.Kind != ErrScript || len(e.reason) <= len(prefix) {
		return ""
	}
	return e.reason[len(prefix) : len(e.reason)-1]
}

// spentOutputs hands the engine the outputs that a transaction spends.
type spentOutputs struct {
	tx   *wire.MsgTx
	outs []wire.TxOut
	next int // most questions come in the order of the inputs
}

func newSpentOutputs(tx *wire.MsgTx, coins []Coin) *spentOutputs {
	outs := make([]wire.TxOut, len(coins))
	for i, c := range coins {
		outs[i] = wire.TxOut{Value: int64(c.Value), PkScript: c.PkScript}
	}
	return &spentOutputs{tx: tx, outs: outs}
}

// FetchPrevOutput returns the output with the given name, nil if the transaction does not spend it.
func (s *spentOutputs) FetchPrevOutput(op wire.OutPoint) *wire.TxOut {
	n := len(s.outs)
	for k := range n {
		if i := (s.next + k) % n; s.tx.TxIn[i].PreviousOutPoint == op {
			s.next = i + 1
			return &s.outs[i]
		}
	}
	return nil
}

// ScriptErrorText returns Bitcoin Core's words for an error of the script engine.
func ScriptErrorText(err error) string {
	var script txscript.Error
	if errors.As(err, &script) {
		if text, ok := scriptTexts[script.ErrorCode]; ok {
			return text
		}
	}
	return "unknown error"
}
