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
	inputs := 0
	for _, tx := range b.Txs[1:] {
		inputs += len(tx.Msg.TxIn)
	}
	checks, left := make([]ScriptCheck, 0, len(b.Txs)), make([]Coin, inputs)
	for _, tx := range b.Txs[1:] {
		n := len(tx.Msg.TxIn)
		coins := left[:n:n]
		left = left[n:]
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
	s := c.Begin()
	for i := range c.Spent {
		if err := s.Verify(i); err != nil {
			return err
		}
	}
	return nil
}

// TxScripts is the script work of one transaction with what its inputs share.
type TxScripts struct {
	check  ScriptCheck
	outs   []wire.TxOut          // that the inputs spend, in their order
	hashes *txscript.TxSigHashes // nil without witness: nothing asks for them then
}

// Begin works out what the inputs share. Its cost grows with the transaction.
func (c ScriptCheck) Begin() *TxScripts {
	s := &TxScripts{check: c, outs: make([]wire.TxOut, len(c.Spent))}
	for i, coin := range c.Spent {
		s.outs[i] = wire.TxOut{Value: int64(coin.Value), PkScript: coin.PkScript}
	}
	if c.Tx.wid != c.Tx.id {
		s.hashes = sigHashes(c.Tx.Msg, s.outs)
	}
	return s
}

// Verify runs the scripts of one input and returns a RuleError of kind ErrScript if they fail. Any goroutines may run inputs at the same time.
func (s *TxScripts) Verify(input int) error {
	tx, out := s.check.Tx, &s.outs[input]
	vm, err := txscript.NewEngine(out.PkScript, tx.Msg, input, s.check.Flags, nil, s.hashes, out.Value, spentBy{s, input})
	if err == nil {
		err = vm.Execute()
	}
	if err != nil {
		return scriptError(tx, input, out.PkScript, err)
	}
	return nil
}

// spentBy hands the engine the outputs that a transaction spends, while it runs one of the inputs: that input's own is all it asks for.
type spentBy struct {
	*TxScripts
	input int
}

// FetchPrevOutput returns the output with the given name, nil if the transaction does not spend it.
func (s spentBy) FetchPrevOutput(op wire.OutPoint) *wire.TxOut {
	in := s.check.Tx.Msg.TxIn
	if in[s.input].PreviousOutPoint == op {
		return &s.outs[s.input]
	}
	for i := range in {
		if in[i].PreviousOutPoint == op {
			return &s.outs[i]
		}
	}
	return nil
}

func scriptError(tx *Tx, input int, pkScript []byte, err error) error {
	text := ScriptErrorText(err)
	if txscript.IsPayToTaproot(pkScript) {
		text = tapscriptText(err, text)
	}
	return RuleError{
		Kind:   ErrScript,
		Input:  input,
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
