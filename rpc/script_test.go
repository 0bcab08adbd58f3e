package rpc

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"groat/consensus"
	"groat/internal/chaintest"
)

const (
	compressed   = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
	uncompressed = "04c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee51ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a"
)

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAsm(t *testing.T) {
	sig := "304402206b3d6ae5b8d9e0a8c3d3f5a2bb4a5a1ef6a9ed1f0ae9b6a4f1e5d0b3c1a2f3e402201a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809"
	for script, want := range map[string]string{
		"":               "",
		"00":             "0",
		"4f51605061b9ba": "-1 1 16 OP_RESERVED OP_NOP OP_NOP10 OP_CHECKSIGADD",
		"bbfeff":         "OP_UNKNOWN OP_UNKNOWN OP_INVALIDOPCODE",
		"b1b2b3":         "OP_CHECKLOCKTIMEVERIFY OP_CHECKSEQUENCEVERIFY OP_NOP4",
		"6362656668ac":   "OP_IF OP_VER OP_VERIF OP_VERNOTIF OP_ENDIF OP_CHECKSIG",
		"01ff":           "-127",
		"0180":           "0",
		"02ff00":         "255",
		"0400000080":     "0",
		"04ffffffff":     "-2147483647",
		"050102030405":   "0102030405",
		"51024e73":       "1 29518", // pay to anchor
		"0401":           "[error]",
		"51044e73":       "1 [error]",
		"4c0101":         "1",
		"76a914" + strings.Repeat("00", 20) + "88ac": "OP_DUP OP_HASH160 " + strings.Repeat("00", 20) + " OP_EQUALVERIFY OP_CHECKSIG",
		"47" + sig + "01": sig + "01",
	} {
		if got := pubKeyAsm(unhex(t, script)); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", script, got, want)
		}
	}
	for hashType, want := range map[string]string{
		"01": "[ALL]", "02": "[NONE]", "03": "[SINGLE]", "81": "[ALL|ANYONECANPAY]", "82": "[NONE|ANYONECANPAY]", "83": "[SINGLE|ANYONECANPAY]",
		"00": "00", "04": "04", "80": "80", "41": "41",
	} {
		if got := scriptSigAsm(unhex(t, "47"+sig+hashType)); got != sig+want {
			t.Errorf("%s: %s", hashType, got)
		}
	}
	long := "45" + "3042" + strings.Repeat("00", 66) + "01"
	if got := scriptSigAsm(unhex(t, long)); got != long[2:] {
		t.Errorf("no signature: %s", got)
	}
	if got := scriptSigAsm(unhex(t, "6a47"+sig+"01")); got != "OP_RETURN "+sig+"01" {
		t.Errorf("data: %s", got)
	}
}

func TestOutputScripts(t *testing.T) {
	r := newRig(t)
	a := &api{Parts: Parts{Params: r.tree.Params}}
	z20, z32 := strings.Repeat("00", 20), strings.Repeat("00", 32)
	for script, want := range map[string]struct {
		kind    scriptType
		desc    string
		address string
	}{
		"":                           {typeNonstandard, "raw()", ""},
		"51":                         {typeNonstandard, "raw(51)", ""},
		"6a":                         {typeNullData, "raw(6a)", ""},
		"6a0101":                     {typeNullData, "raw(6a0101)", ""},
		"6aac":                       {typeNonstandard, "raw(6aac)", ""},
		"6a05":                       {typeNonstandard, "raw(6a05)", ""},
		"21" + compressed + "ac":     {typePubKey, "pk(" + compressed + ")", ""},
		"41" + uncompressed + "ac":   {typePubKey, "pk(" + uncompressed + ")", ""},
		"2102" + z32 + "ac":          {typePubKey, "raw(2102" + z32 + "ac)", ""}, // not on the curve
		"21" + compressed + "ad":     {typeNonstandard, "raw(21" + compressed + "ad)", ""},
		"76a914" + z20 + "88ac":      {typePubKeyHash, "addr(mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8)", "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"},
		"a914" + z20 + "87":          {typeScriptHash, "addr(2MsFDzHRUAMpjHxKyoEHU3aMCMsVtMqs1PV)", "2MsFDzHRUAMpjHxKyoEHU3aMCMsVtMqs1PV"},
		"5121" + compressed + "51ae": {typeMultisig, "multi(1," + compressed + ")", ""},
		"5221" + compressed + "51ae": {typeNonstandard, "raw(5221" + compressed + "51ae)", ""},
		"5121" + compressed + "52ae": {typeNonstandard, "raw(5121" + compressed + "52ae)", ""},
		"51024e73":                   {typeAnchor, "addr(bcrt1pfeesnyr2tx)", "bcrt1pfeesnyr2tx"},
		"5120" + compressed[2:]:      {typeTaproot, "rawtr(" + compressed[2:] + ")", "bcrt1pccz8l9zpa47k6vz9gphftsrumpw80rjt3nhnefat4symjhrsnmjsgkm3r6"},
		"0003010203":                 {typeNonstandard, "raw(0003010203)", ""},
		"5103010203":                 {typeUnknown, "", ""},
		"5220" + z32:                 {typeUnknown, "", ""},
		"0014" + z20:                 {typeKeyHashV0, "addr(bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202)", "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"},
		"0020" + z32:                 {typeScriptV0, "", ""},
	} {
		got := a.scriptJSON(unhex(t, script))
		if got.Type != want.kind {
			t.Errorf("%s is %s, not %s", script, got.Type, want.kind)
		}
		if want.desc == "" { // an address that is only looked at for being there
			if want.desc = "addr(" + got.Address + ")"; got.Address == "" {
				t.Errorf("%s has no address", script)
			}
		} else if got.Address != want.address {
			t.Errorf("%s: address %q, not %q", script, got.Address, want.address)
		}
		if got.Desc != withChecksum(want.desc) {
			t.Errorf("%s: %s, not %s", script, got.Desc, want.desc)
		}
	}
}

func TestDecodeScript(t *testing.T) {
	r := newRig(t)
	r.refuses("decodescript", `["xx"]`, -8, "argument must be hexadecimal string (not 'xx')")
	r.has("decodescript", `[""]`, map[string]any{"asm": "", "type": "nonstandard"})
	key := r.fields("decodescript", `["21`+compressed+`ac"]`)
	if key["hex"] != nil || key["p2sh"] == nil || key["segwit"].(map[string]any)["type"] != "witness_v0_keyhash" {
		t.Errorf("pubkey: %v", key)
	}
	if got := r.fields("decodescript", `["41`+uncompressed+`ac"]`); got["p2sh"] == nil || got["segwit"] != nil {
		t.Errorf("uncompressed pubkey: %v", got)
	}
	multi := r.fields("decodescript", `["5121`+compressed+`51ae"]`)["segwit"].(map[string]any)
	if desc := withChecksum("wsh(multi(1," + compressed + "))"); multi["desc"] != desc || multi["type"] != "witness_v0_scripthash" || multi["p2sh-segwit"] == nil {
		t.Errorf("multisig: %v", multi)
	}
	for _, script := range []string{"6a", "a914" + strings.Repeat("00", 20) + "87", "51ba", "5150", "517e", "51024e73", "05"} {
		if got := r.fields("decodescript", `["`+script+`"]`); got["p2sh"] != nil || got["segwit"] != nil {
			t.Errorf("%s: %v", script, got)
		}
	}
	if got := r.fields("decodescript", `["0014`+strings.Repeat("00", 20)+`"]`); got["p2sh"] == nil || got["segwit"] != nil {
		t.Errorf("witness program: %v", got)
	}
}

func TestValidateAddress(t *testing.T) {
	r := newRig(t)
	r.wants("validateaddress", `["mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"]`,
		`{"isvalid":true,"address":"mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8","scriptPubKey":"76a914000000000000000000000000000000000000000088ac","isscript":false,"iswitness":false}`)
	r.wants("validateaddress", `["bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"]`,
		`{"isvalid":true,"address":"bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202","scriptPubKey":"00140000000000000000000000000000000000000000","isscript":false,"iswitness":true,"witness_version":0,`+
			`"witness_program":"0000000000000000000000000000000000000000"}`)
	r.wants("validateaddress", `["bcrt1pfeesnyr2tx"]`, `{"isvalid":true,"address":"bcrt1pfeesnyr2tx","scriptPubKey":"51024e73","isscript":true,"iswitness":true}`)
	r.wants("validateaddress", `[""]`, `{"isvalid":false,"error_locations":[],"error":"Invalid or unsupported Segwit (Bech32) or Base58 encoding."}`)
	r.has("validateaddress", `["bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku203"]`, map[string]any{"isvalid": false, "error": "Invalid Bech32 checksum"})
}

func TestCreateAndDecode(t *testing.T) {
	r := newRig(t)
	const (
		address = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"
		inputs  = `[{"txid":"` + unknownHash + `","vout":1}]`
	)
	result, err := r.call("createrawtransaction", `[`+inputs+`,{"`+address+`":"0.1","data":"00ff"},500]`)
	if err != nil {
		t.Fatal(err)
	}
	raw := result.(string)
	want := `02000000` + `01` + "ff" + strings.Repeat("00", 31) + `01000000` + `00` + `fdffffff` +
		`02` + `8096980000000000` + `160014` + strings.Repeat("00", 20) + `0000000000000000` + `046a0200ff` + `f4010000`
	if raw != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
	r.wants("decoderawtransaction", `["`+raw+`"]`, `{"txid":"`+idOf(t, raw)+`","hash":"`+idOf(t, raw)+`","version":2,"size":95,"vsize":95,"weight":380,"locktime":500,`+
		`"vin":[{"txid":"`+unknownHash+`","vout":1,"scriptSig":{"asm":"","hex":""},"sequence":4294967293}],`+
		`"vout":[{"value":0.10000000,"n":0,"scriptPubKey":{"asm":"0 0000000000000000000000000000000000000000","desc":"`+withChecksum("addr("+address+")")+`","hex":"00140000000000000000000000000000000000000000",`+
		`"address":"`+address+`","type":"witness_v0_keyhash"}},{"value":0.00000000,"n":1,"scriptPubKey":{"asm":"OP_RETURN -32512","desc":"`+withChecksum("raw(6a0200ff)")+`","hex":"6a0200ff","type":"nulldata"}}]}`)

	r.has("decoderawtransaction", `["`+txOf(t, r, inputs, `[]`, "0,false")+`"]`, map[string]any{"locktime": 0, "size": 51})
	none := txOf(t, r, `[]`, `[]`, "0")
	r.has("decoderawtransaction", `["`+none+`"]`, map[string]any{"size": 10})
	r.refuses("decoderawtransaction", `["`+none+`",true]`, -22, "TX decode failed")
	r.refuses("decoderawtransaction", `["00"]`, -22, "TX decode failed")

	for params, want := range map[string]Error{
		inputs + `,null`:                          {-8, "Invalid parameter, output argument must be non-null"},
		inputs + `,5`:                             {-3, "JSON value of type number is not of expected type array"},
		inputs + `,{},-1`:                         {-8, "Invalid parameter, locktime out of range"},
		inputs + `,{},4294967296`:                 {-8, "Invalid parameter, locktime out of range"},
		inputs + `,{"x":1}`:                       {-5, "Invalid Bitcoin address: x"},
		inputs + `,[1]`:                           {-8, "Invalid parameter, key-value pair not an object as expected"},
		inputs + `,[{}]`:                          {-8, "Invalid parameter, key-value pair must contain exactly one key"},
		inputs + `,{"data":"x"}`:                  {-8, "Data must be hexadecimal string (not 'x')"},
		inputs + `,[{"data":"00"},{"data":"01"}]`: {-8, "Invalid parameter, duplicate key: data"},
		inputs + `,{"` + address + `":1,"` + address + `":2}`:                       {-8, "Invalid parameter, duplicated address: " + address},
		inputs + `,{"` + address + `":-1}`:                                          {-3, "Amount out of range"},
		`[{"txid":"` + unknownHash + `"}],{}`:                                       {-8, "Invalid parameter, missing vout key"},
		`[{"txid":"` + unknownHash + `","vout":-1}],{}`:                             {-8, "Invalid parameter, vout cannot be negative"},
		`[{"txid":"x","vout":0}],{}`:                                                {-8, "txid must be of length 64 (not 1, for 'x')"},
		`[{"txid":5,"vout":0}],{}`:                                                  {-3, "JSON value of type number is not of expected type string"},
		`[{"txid":"` + unknownHash + `","vout":0,"sequence":4294967296}],{}`:        {-8, "Invalid parameter, sequence number is out of range"},
		`[{"txid":"` + unknownHash + `","vout":0,"sequence":4294967295}],{},0,true`: {-8, "Invalid parameter combination: Sequence number(s) contradict replaceable option"},
	} {
		r.refuses("createrawtransaction", `[`+params+`]`, want.Code, want.Message)
	}
}

// txOf creates a transaction.
func txOf(t *testing.T, r *rig, inputs, outputs, rest string) string {
	t.Helper()
	result, err := r.call("createrawtransaction", fmt.Sprintf("[%s,%s,%s]", inputs, outputs, rest))
	if err != nil {
		t.Fatal(err)
	}
	return result.(string)
}

// idOf returns the id of a serialized transaction.
func idOf(t *testing.T, raw string) string {
	t.Helper()
	tx, ok := parseTx(raw, anyForm)
	if !ok {
		t.Fatalf("%s is no transaction", raw)
	}
	return tx.TxID().String()
}

func TestDecodeCoinbase(t *testing.T) {
	r := newRig(t)
	raw := hex.EncodeToString(r.tree.At("a1").Block.Txs[0].Raw())
	in := r.fields("decoderawtransaction", `["`+raw+`"]`)["vin"].([]any)[0].(map[string]any)
	if in["coinbase"] == nil || in["txid"] != nil || in["scriptSig"] != nil || in["txinwitness"].([]any)[0] != strings.Repeat("00", 32) {
		t.Errorf("%v", in)
	}
	key := chaintest.KeyFor(0)
	pay := consensus.NewTx(key.Pay(r.chain.tip().Mature(key)[:1], key.Script(chaintest.P2PKH), 1e8, 0))
	fields := r.fields("decoderawtransaction", fmt.Sprintf("[%q]", hex.EncodeToString(pay.Raw())))
	if fields["txid"] == fields["hash"] || fields["fee"] != nil || fields["hex"] != nil {
		t.Errorf("%v", fields)
	}
}
