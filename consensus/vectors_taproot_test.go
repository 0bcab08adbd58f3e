package consensus

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/internal/moddata"
)

// tapInput is a file of taproot-ref, which Bitcoin Core's feature_taproot.py wrote: one input of a transaction, with a way to spend it that
// is valid and, for most, one that is not.
type tapInput struct {
	Tx       string
	Prevouts []string
	Index    int
	Flags    string
	Comment  string
	Success  *tapSpend
	Failure  *tapSpend

	flags txscript.ScriptFlags // of Flags
}

type tapSpend struct {
	ScriptSig string
	Witness   []string
}

// TestTaprootReference runs the 2,760 files of taproot-ref under the flags they name: each has a way that must succeed and 2,483 have one that must
// fail. The files are the inputs of 1,380 transactions, all there, so that those also pass whole.
func TestTaprootReference(t *testing.T) {
	t.Parallel()
	txs := map[string][]tapInput{}
	counts := tapCounts{}
	for _, in := range readTapInputs(t) {
		counts.files++
		txs[in.Tx] = append(txs[in.Tx], in)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex // guards counts
	work := make(chan []tapInput)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for inputs := range work {
				n := runTapTx(t, inputs)
				mu.Lock()
				counts.add(n)
				mu.Unlock()
			}
		})
	}
	for _, inputs := range txs {
		work <- inputs
	}
	close(work)
	wait.Wait()
	if want := (tapCounts{files: 2760, txs: 1380, succeeded: 2760, failed: 2483}); counts != want {
		t.Errorf("counted %+v, want %+v", counts, want)
	}
}

type tapCounts struct{ files, txs, succeeded, failed int }

func (c *tapCounts) add(n tapCounts) {
	c.txs, c.succeeded, c.failed = c.txs+n.txs, c.succeeded+n.succeeded, c.failed+n.failed
}

func readTapInputs(t *testing.T) []tapInput {
	t.Helper()
	dir := filepath.Join(moddata.Dir(t, moddata.Txscript), "data", "taproot-ref")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	inputs := make([]tapInput, len(files))
	for i, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(bytes.TrimSuffix(raw, []byte(",\n")), &inputs[i]); err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		inputs[i].flags = flagsNamed(t, inputs[i].Flags)
	}
	return inputs
}

// runTapTx runs the inputs of one transaction. It is called from several goroutines.
func runTapTx(t *testing.T, inputs []tapInput) (n tapCounts) {
	n.txs = 1
	msg, coins, err := inputs[0].decode()
	if err != nil {
		t.Errorf("%s: %v", inputs[0].Comment, err)
		return n
	}
	n.succeeded = runTapWhole(t, msg, coins, inputs)
	for _, in := range inputs {
		if in.Failure == nil {
			continue
		}
		if err := runTapInput(msg, coins, in.Index, in.flags, in.Failure); err == nil {
			t.Errorf("%s, input %d: must fail", in.Comment, in.Index)
		}
		n.failed++
	}
	return n
}

// runTapWhole runs the transaction with all of its inputs spent the valid way, under the flags that they share, and those that name more flags
// once more alone. It returns the number of inputs that were run under the flags they name.
func runTapWhole(t *testing.T, msg *wire.MsgTx, coins []Coin, inputs []tapInput) (run int) {
	whole, shared := msg.Copy(), allCoreFlags()
	for _, in := range inputs {
		if in.Success == nil {
			t.Errorf("%s, input %d: has no valid way", in.Comment, in.Index)
			return run
		}
		if err := in.Success.put(whole.TxIn[in.Index]); err != nil {
			t.Errorf("%s, input %d: %v", in.Comment, in.Index, err)
			return run
		}
		shared &= in.flags
	}
	err := ScriptCheck{Tx: NewTx(whole), Spent: coins, Flags: shared}.Verify()
	if err != nil || len(inputs) != len(whole.TxIn) {
		t.Errorf("%s: %d inputs: must succeed: %v", inputs[0].Comment, len(inputs), err)
	}
	for _, in := range inputs {
		run++
		if in.flags == shared {
			continue
		}
		if err := runTapInput(msg, coins, in.Index, in.flags, in.Success); err != nil {
			t.Errorf("%s, input %d: must succeed: %v", in.Comment, in.Index, err)
		}
	}
	return run
}

func runTapInput(msg *wire.MsgTx, coins []Coin, index int, flags txscript.ScriptFlags, s *tapSpend) error {
	msg = msg.Copy()
	if err := s.put(msg.TxIn[index]); err != nil {
		return err
	}
	return ScriptCheck{Tx: NewTx(msg), Spent: coins, Flags: flags}.Begin().Verify(index)
}

// put makes in spend its output in the way of s.
func (s *tapSpend) put(in *wire.TxIn) (err error) {
	if in.SignatureScript, err = hex.DecodeString(s.ScriptSig); err != nil {
		return err
	}
	in.Witness = make(wire.TxWitness, len(s.Witness))
	for i, item := range s.Witness {
		if in.Witness[i], err = hex.DecodeString(item); err != nil {
			return err
		}
	}
	return nil
}

// decode returns the transaction, without witnesses, and the coins that it spends.
func (in tapInput) decode() (*wire.MsgTx, []Coin, error) {
	raw, err := hex.DecodeString(in.Tx)
	if err != nil {
		return nil, nil, err
	}
	tx, err := ParseTx(raw)
	if err != nil {
		return nil, nil, err
	}
	coins := make([]Coin, len(in.Prevouts))
	if len(coins) != len(tx.Msg.TxIn) {
		return nil, nil, fmt.Errorf("%d outputs for %d inputs", len(coins), len(tx.Msg.TxIn))
	}
	for i, text := range in.Prevouts {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return nil, nil, err
		}
		if len(raw) < 8 {
			return nil, nil, fmt.Errorf("output of %d bytes", len(raw))
		}
		// wire.ReadTxOut takes a millisecond, to clear four million bytes.
		script, err := wire.ReadVarBytes(bytes.NewReader(raw[8:]), 0, MaxBlockWeight, "script")
		if err != nil {
			return nil, nil, err
		}
		coins[i] = Coin{Value: btcutil.Amount(binary.LittleEndian.Uint64(raw)), PkScript: script}
	}
	return tx.Msg, coins, nil
}
