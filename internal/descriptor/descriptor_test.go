package descriptor

import (
	"encoding/hex"
	"strings"
	"testing"

	"groat/consensus"
)

func TestChecksum(t *testing.T) {
	// BIP380's vector, and descriptors from Bitcoin Core's tests
	for text, want := range map[string]string{
		"raw(deadbeef)": "89f8spxm",
		"pk(0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798)":  "gn28ywm7",
		"pkh(02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5)": "8fhd9pwu",
		"raw(é)": "",
	} {
		if got := Checksum(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

const (
	hexKey = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"
	wifKey = "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1"
	xpub   = "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB"
	xprv   = "xprv9s21ZrQH143K31xYSDQpPDxsXRTUcvj2iNHm5NUtrGiGG5e2DtALGdso3pGz6ssrdK4PFmM8NSpSBHNqPqm55Qn3LqFtT2emdEXVYsCzC2U"
	xprv2  = "xprv9vHkqa6EV4sPZHYqZznhT2NPtPCjKuDKGY38FBWLvgaDx45zo9WQRUT3dKYnjwih2yJD9mkrocEZXo1ex8G81dwSM1fwqWpWkeS3v86pgKt"
)

// The vectors are Bitcoin Core's (src/test/descriptor_tests.cpp) and BIP380's to 386's.
func TestVectors(t *testing.T) {
	for text, want := range map[string][]string{
		"combo(" + hexKey + ")":                   {"21" + hexKey + "ac", "76a9149a1c78a507689f6f54b847ad1cef1e614ee23f1e88ac", "00149a1c78a507689f6f54b847ad1cef1e614ee23f1e", "a91484ab21b1b2fd065d4504ff693d832434b6108d7b87"},
		"pk(" + wifKey + ")":                      {"21" + hexKey + "ac"},
		"pkh([deadbeef/1/2'/3/4']" + wifKey + ")": {"76a9149a1c78a507689f6f54b847ad1cef1e614ee23f1e88ac"},
		"wpkh(" + hexKey + ")":                    {"00149a1c78a507689f6f54b847ad1cef1e614ee23f1e"},
		"sh(wpkh(" + hexKey + "))":                {"a91484ab21b1b2fd065d4504ff693d832434b6108d7b87"},
		"tr(a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd)":    {"512077aab6e066f8a7419c5ab714c12c67d25007ed55a43cadcacb4d7a970a093f11"},
		"rawtr(a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd)": {"5120a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"},
		"pkh(" + xprv + "/2147483647'/0)":                                         {"76a914ebdc90806a9c4356c1c88e42216611e1cb4c1c1788ac"},
		"wpkh([ffffffff/13']" + xprv2 + "/1/2/*)":                                 {"0014326b2249e3a25d5dc60935f044ee835d090ba859"},
	} {
		d, err := Parse(consensus.Bitcoin(), text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		outs, err := d.At(0)
		if err != nil || len(outs) != len(want) {
			t.Errorf("%s: %v, %v", text, outs, err)
			continue
		}
		for i, out := range outs {
			if got := hex.EncodeToString(out.Script); got != want[i] {
				t.Errorf("%s: script %d is %s, want %s", text, i, got, want[i])
			}
		}
	}
}

func TestRanges(t *testing.T) {
	d, err := Parse(consensus.Bitcoin(), "wpkh([ffffffff/13']"+xprv2+"/1/2/*)")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"326b2249e3a25d5dc60935f044ee835d090ba859", "af0bd98abc2f2cae66e36896a39ffe2d32984fb7", "1fa798efd1cbf95cebf912c031b8a4a6e9fb9f27"} {
		outs, err := d.At(uint32(i))
		if err != nil || len(outs) != 1 || hex.EncodeToString(outs[0].Script) != "0014"+want {
			t.Errorf("index %d: %x, %v", i, outs, err)
		}
		if i == 2 && !strings.HasPrefix(outs[0].Text, "wpkh([ffffffff/13'/1/2/2]0") {
			t.Errorf("index 2 is told as %s", outs[0].Text)
		}
	}
	if !d.Ranged || !d.Private || !d.Solvable || strings.Contains(d.String(), "xprv") || !strings.Contains(d.String(), "xpub") {
		t.Errorf("%+v, %s", d, d)
	}
	if again, err := Parse(consensus.Bitcoin(), d.String()); err != nil || again.Private || again.String() != d.String() {
		t.Errorf("its public form: %+v, %v", again, err)
	}
	d, err = Parse(consensus.Bitcoin(), "pkh("+xpub+"/0h)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.At(0); err == nil {
		t.Error("a hardened key was derived from a public one")
	}
}

func TestRefused(t *testing.T) {
	uncompressed := "04a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd5b8dec5235a0fa8722476c7709c02559e3aa73aa03918ba2d492eea75abea235"
	keys := func(n int) string { return strings.TrimSuffix(strings.Repeat(hexKey+",", n), ",") }
	for text, want := range map[string]string{
		"":                               "'' is not a valid descriptor function",
		"wsh":                            "'wsh' is not a valid descriptor function",
		"nope(" + hexKey + ")":           "'nope' is not a valid descriptor function",
		"raw(zz)":                        "Raw script is not hex",
		"addr(zz)":                       "Address is not valid",
		"pk()":                           "pk(): No key provided",
		"pk(00)":                         "pk(): Pubkey '00' is invalid",
		"pk(zz)":                         "pk(): key 'zz' is not valid",
		"pk([zz]" + hexKey + ")":         "pk(): '[zz]" + hexKey + "' is no key with its origin",
		"pk(" + xprv + "/x)":             "pk(): Key path value 'x' is not a valid uint32",
		"pk(" + xprv + "/2147483648)":    "pk(): Key path value 2147483648 is out of range",
		"pk(" + xprv + "/)":              "pk(): Key path value '' is not a valid uint32",
		"pk(" + hexKey + "/0)":           "pk(): key '" + hexKey + "' is not valid",
		"wpkh(" + uncompressed + ")":     "wpkh(): Uncompressed keys are not allowed",
		"tr(" + uncompressed + ")":       "tr(): Uncompressed keys are not allowed",
		"sh(sh(pk(" + hexKey + ")))":     "Can only have sh() at top level",
		"wsh(wpkh(" + hexKey + "))":      "Can only have wpkh() at top level or inside sh()",
		"wsh(raw(51))":                   "Can only have raw() at top level",
		"multi(a," + hexKey + ")":        "Multi threshold 'a' is not valid",
		"multi(0," + hexKey + ")":        "Multisig threshold cannot be 0, must be at least 1",
		"multi(2," + hexKey + ")":        "Multisig threshold cannot be larger than the number of keys; threshold is 2 but only 1 keys specified",
		"multi(1)":                       "Cannot have 0 keys in multisig; must have between 1 and 20 keys, inclusive",
		"multi(1," + keys(4) + ")":       "Cannot have 4 pubkeys in bare multisig; only at most 3 pubkeys",
		"wsh(multi(1," + keys(21) + "))": "Cannot have 21 keys in multisig; must have between 1 and 20 keys, inclusive",
		"raw(51)#":                       "Expected 8 character checksum, not 0 characters",
		"raw(deadbeef)#89f8spxn":         "Provided checksum '89f8spxn' does not match computed checksum '89f8spxm'",
		"raw(é)":                         "Invalid characters in payload",
	} {
		if d, err := Parse(consensus.Bitcoin(), text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v; want %s", text, d, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"raw(51)", "sh(wsh(multi(1," + hexKey + ")))", "pkh([deadbeef/1h]" + xprv + "/2h/*)", "tr(" + hexKey + ")", "combo(" + wifKey + ")", "addr(1A)#", "((", "wsh()"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(consensus.Bitcoin(), text)
		if err != nil {
			return
		}
		if again, err := Parse(consensus.Bitcoin(), d.String()); err != nil || again.String() != d.String() {
			t.Errorf("%s is told as %s: %v, %v", text, d, again, err)
		}
		_, _ = d.At(7)
	})
}
