package rpc

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/address"
	"groat/internal/chaintest"
	"groat/internal/descriptor"
)

// signed is the answer of signrawtransactionwithkey.
type signed struct {
	Hex      string
	Complete bool
	Errors   []struct{ Error string }
}

// signRaw signs a transaction by keys.
func (r *rig) signRaw(raw, prevtx string, keys ...uint32) signed {
	r.t.Helper()
	wifs := []string{}
	for _, n := range keys {
		wifs = append(wifs, address.EncodeWIF(r.tree.Params, address.WIF{Key: chaintest.KeyFor(n).Private(), Compressed: true}))
	}
	list, _ := json.Marshal(wifs)
	result, err := r.call("signrawtransactionwithkey", fmt.Sprintf(`[%q,%s,[%s]]`, raw, list, prevtx))
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := marshal(result)
	if err != nil {
		r.t.Fatal(err)
	}
	var s signed
	if err := json.Unmarshal(text, &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func TestSignRawTransactionWithKey(t *testing.T) {
	pub := func(n uint32) string {
		return hex.EncodeToString(chaintest.KeyFor(n).Private().PubKey().SerializeCompressed())
	}
	for _, tt := range []struct {
		desc  string
		inner string // descriptor of the script that the output pays to the hash of
		alone bool   // key 1 suffices
	}{
		{desc: "pk(A)", alone: true}, {desc: "pkh(A)", alone: true}, {desc: "wpkh(A)", alone: true}, {desc: "tr(A)", alone: true},
		{desc: "sh(wpkh(A))", inner: "wpkh(A)", alone: true}, {desc: "sh(pkh(A))", inner: "pkh(A)", alone: true},
		{desc: "wsh(pkh(A))", inner: "pkh(A)", alone: true}, {desc: "wsh(pk(A))", inner: "pk(A)", alone: true}, {desc: "sh(wsh(pk(A)))", inner: "pk(A)", alone: true},
		{desc: "multi(2,A,B)"}, {desc: "sh(multi(2,A,B))", inner: "multi(2,A,B)"}, {desc: "wsh(multi(2,A,B))", inner: "multi(2,A,B)"}, {desc: "sh(wsh(multi(2,A,B)))", inner: "multi(2,A,B)"},
		{desc: "wsh(multi(1,B,A))", inner: "multi(1,B,A)", alone: true},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			r := newRig(t)
			script := func(text string) []byte {
				d, err := descriptor.Parse(r.tree.Params, strings.NewReplacer("A", pub(1), "B", pub(2)).Replace(text))
				if err != nil {
					t.Fatal(err)
				}
				outs, err := d.At(0)
				if err != nil {
					t.Fatal(err)
				}
				return outs[0].Script
			}
			output := script(tt.desc)
			op := wire.OutPoint{Hash: [32]byte{7}, Index: 1}
			msg := wire.NewMsgTx(2)
			msg.AddTxIn(wire.NewTxIn(&op, nil, nil))
			msg.AddTxOut(wire.NewTxOut(90_000, output))
			raw := hex.EncodeToString(consensus.NewTx(msg).Raw())
			inner := ""
			if tt.inner != "" {
				inner = fmt.Sprintf(`,"redeemScript":"%x"`, script(tt.inner))
			}
			prevtx := fmt.Sprintf(`{"txid":%q,"vout":1,"scriptPubKey":"%x","amount":0.001%s}`, op.Hash, output, inner)

			if none := r.signRaw(raw, prevtx, 3); none.Complete || len(none.Errors) != 1 {
				t.Errorf("by a key of another: %+v", none)
			}
			one := r.signRaw(raw, prevtx, 1)
			if one.Complete != tt.alone {
				t.Fatalf("by key 1: %+v", one)
			}
			verify := func(text string) {
				t.Helper()
				tx, ok := parseTx(text, anyForm)
				if !ok {
					t.Fatal("no transaction")
				}
				check := consensus.ScriptCheck{Tx: tx, Spent: []consensus.Coin{{Value: 100_000, PkScript: output}}, Flags: txscript.StandardVerifyFlags}
				if err := check.Verify(); err != nil {
					t.Error(err)
				}
			}
			if tt.alone {
				verify(one.Hex)
				if again := r.signRaw(one.Hex, prevtx); !again.Complete || again.Hex != one.Hex {
					t.Errorf("signed again: %+v", again)
				}
				return
			}
			both := r.signRaw(one.Hex, prevtx, 2)
			if !both.Complete {
				t.Fatalf("by key 2, too: %+v", both)
			}
			verify(both.Hex)
			if at := r.signRaw(raw, prevtx, 1, 2); !at.Complete {
				t.Errorf("by both at once: %+v", at)
			}
			// Each signs for itself, and somebody who knows the coin combines them.
			r.pool.coins[op] = consensus.Coin{Value: 100_000, PkScript: output}
			two := r.signRaw(raw, prevtx, 2)
			result, err := r.call("combinerawtransaction", fmt.Sprintf(`[[%q,%q]]`, one.Hex, two.Hex))
			if err != nil {
				t.Fatal(err)
			}
			verify(result.(string))
		})
	}
}

func TestSignRawTransactionWithKeyRefused(t *testing.T) {
	r := newRig(t)
	key := chaintest.KeyFor(1)
	raw := "0200000001" + strings.Repeat("07", 32) + "0100000000ffffffff0110270000000000000151" + "00000000"
	txid := strings.Repeat("07", 32)
	prev := func(script []byte, more string) string {
		return fmt.Sprintf(`{"txid":%q,"vout":1,"scriptPubKey":"%x"%s}`, txid, script, more)
	}
	p2sh := payToScriptHash(key.Script(chaintest.P2WPKH))
	r.refuses("signrawtransactionwithkey", `["00",[]]`, -22, "TX decode failed. Make sure the tx has at least one input.")
	r.refuses("signrawtransactionwithkey", `["`+raw+`",["x"]]`, -5, "Invalid private key")
	r.refuses("signrawtransactionwithkey", `["`+raw+`",[],[],"x"]`, -8, "'x' is not a valid sighash parameter.")
	r.refuses("signrawtransactionwithkey", `["`+raw+`",[],[`+prev(p2sh, "")+`]]`, -8, "Missing redeemScript/witnessScript")
	r.refuses("signrawtransactionwithkey", `["`+raw+`",[],[`+prev(p2sh, `,"redeemScript":"51"`)+`]]`, -8, "redeemScript/witnessScript does not match scriptPubKey")
	r.refuses("signrawtransactionwithkey", `["`+raw+`",[],[`+prev(p2sh, `,"redeemScript":"51","witnessScript":"52"`)+`]]`, -8, "redeemScript does not correspond to witnessScript")
	if s := r.signRaw(raw, "", 1); s.Complete || s.Errors[0].Error != "Input not found or already spent" {
		t.Errorf("an unknown output: %+v", s)
	}
	if s := r.signRaw(raw, prev(key.Script(chaintest.P2WPKH), ""), 1); s.Complete || s.Errors[0].Error != "Missing amount" {
		t.Errorf("no amount: %+v", s)
	}
	if s := r.signRaw(raw, prev(payToPubKeyHash(key.Script(chaintest.P2WPKH)[2:]), ""), 1); !s.Complete {
		t.Errorf("no amount is needed: %+v", s)
	}
	r.refuses("combinerawtransaction", `[[]]`, -8, "Missing transactions")
	r.refuses("combinerawtransaction", `[["00"]]`, -22, "TX decode failed for tx 0. Make sure the tx has at least one input.")
	r.refuses("combinerawtransaction", `[["`+raw+`"]]`, -25, "Input not found or already spent")
}
