package rpc

import (
	"encoding/hex"
	"strings"
	"testing"

	"groat/internal/chaintest"
)

func TestCreateMultisig(t *testing.T) {
	r := newRig(t)
	pub := func(n uint32) string {
		return hex.EncodeToString(chaintest.KeyFor(n).Private().PubKey().SerializeCompressed())
	}
	long := hex.EncodeToString(chaintest.KeyFor(3).Private().PubKey().SerializeUncompressed())
	keys := `["` + pub(1) + `","` + pub(2) + `"]`
	script := "5221" + pub(1) + "21" + pub(2) + "52ae"
	for kind, desc := range map[string]string{"legacy": "sh(M)", "p2sh-segwit": "sh(wsh(M))", "bech32": "wsh(M)"} {
		want := withChecksum(strings.Replace(desc, "M", "multi(2,"+pub(1)+","+pub(2)+")", 1))
		address, err := r.call("deriveaddresses", `["`+want+`"]`)
		if err != nil {
			t.Fatal(err)
		}
		r.wants("createmultisig", `[2,`+keys+`,"`+kind+`"]`, `{"address":"`+address.([]string)[0]+`","redeemScript":"`+script+`","descriptor":"`+want+`"}`)
	}
	r.has("createmultisig", `[1,["`+long+`"],"bech32"]`, map[string]any{"warnings": []string{"Unable to make chosen address type, please ensure no uncompressed public keys are present."}})
	some := func(n int) string { return strings.TrimSuffix(strings.Repeat(`"`+pub(1)+`",`, n), ",") }
	for params, want := range map[string]Error{
		`[0,` + keys + `]`:           {-8, "a multisignature address must require at least one key to redeem"},
		`[3,` + keys + `]`:           {-8, "not enough keys supplied (got 2 keys, but need at least 3 to redeem)"},
		`[1,["zz"]]`:                 {-5, `Pubkey "zz" must be a hex string`},
		`[1,["00"]]`:                 {-5, `Pubkey "00" must have a length of either 33 or 65 bytes`},
		`[2,` + keys + `,"bech32m"]`: {-5, "createmultisig cannot create bech32m multisig addresses"},
		`[2,` + keys + `,"x"]`:       {-5, "Unknown address type 'x'"},
		`[1,[` + some(16) + `]]`:     {-8, "redeemScript exceeds size limit: 547 > 520"},
		`[1,[` + some(21) + `]]`:     {-8, "Number of keys involved in the multisignature address creation > 20\nReduce the number"},
	} {
		r.refuses("createmultisig", params, want.Code, want.Message)
	}
	r.fields("createmultisig", `[1,[`+some(16)+`],"bech32"]`)
}
