package rpc

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

func TestTxOutProof(t *testing.T) {
	r, n := spendingRig(t)
	id := func(i int) string { return n.Block.Txs[i].TxID().String() }
	list := fmt.Sprintf(`[%q,%q]`, id(1), id(3))
	result, err := r.call("gettxoutproof", fmt.Sprintf(`[%s,%q]`, list, n.State.Hash))
	if err != nil {
		t.Fatal(err)
	}
	proof := result.(string)
	r.wants("verifytxoutproof", `["`+proof+`"]`, list)
	r.wants("gettxoutproof", fmt.Sprintf(`[[%q,%q]]`, id(3), id(2)), mustMarshal(t, r, "gettxoutproof", fmt.Sprintf(`[[%q,%q],%q]`, id(2), id(3), n.State.Hash)))
	r.refuses("gettxoutproof", `[[]]`, -8, "Parameter 'txids' cannot be empty")
	r.refuses("gettxoutproof", fmt.Sprintf(`[[%q,%q]]`, id(1), id(1)), -8, "Invalid parameter, duplicated txid: "+id(1))
	r.refuses("gettxoutproof", `[["x"]]`, -8, "txid must be of length 64 (not 1, for 'x')")
	r.refuses("gettxoutproof", `[["`+unknownHash+`"]]`, -5, "Transaction not yet in block")
	r.refuses("gettxoutproof", fmt.Sprintf(`[[%q],%q]`, id(1), r.tree.At("a5").State.Hash), -5, "Not all transactions found in specified or retrieved block")
	r.refuses("gettxoutproof", fmt.Sprintf(`[[%q],%q]`, id(1), unknownHash), -5, "Block not found")
	r.refuses("verifytxoutproof", `["00"]`, -22, "Proof decode failed")
	raw, _ := hex.DecodeString(proof)
	raw[80]++ // one transaction more
	r.wants("verifytxoutproof", `["`+hex.EncodeToString(raw)+`"]`, `[]`)
	raw[80]--
	raw[90] ^= 1 // another hash
	r.wants("verifytxoutproof", `["`+hex.EncodeToString(raw)+`"]`, `[]`)
	r.chain.setTip("a102")
	r.refuses("verifytxoutproof", `["`+proof+`"]`, -5, "Block not found in chain")
}

func mustMarshal(t *testing.T, r *rig, method, params string) string {
	t.Helper()
	result, err := r.call(method, params)
	if err != nil {
		t.Fatal(err)
	}
	text, err := marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every set of leaves of every small tree is proved and found again, under the root that consensus computes.
func TestProofsOfAllSmallTrees(t *testing.T) {
	for leaves := 1; leaves <= 9; leaves++ {
		ids := make([]chainhash.Hash, leaves)
		for i := range ids {
			binary.LittleEndian.PutUint32(ids[i][:], uint32(i+1))
		}
		root, _ := consensus.MerkleRoot(ids)
		for set := range 1 << leaves {
			match := make([]bool, leaves)
			var want []string
			for i := range match {
				if match[i] = set>>i&1 == 1; match[i] {
					want = append(want, ids[i].String())
				}
			}
			msg := prove(&wire.BlockHeader{}, ids, match)
			got, found, ok := newProof(msg).read()
			if !ok || got != root || fmt.Sprint(found) != fmt.Sprint(want) {
				t.Fatalf("%d leaves, set %b: %v, %v, %v", leaves, set, got, found, ok)
			}
		}
	}
}
