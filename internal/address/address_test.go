package address

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
)

// bitcoinTest is a network with the prefix of Bitcoin's testnet, which the vectors of BIP350 use.
func bitcoinTest() *consensus.Params {
	p := consensus.Bitcoin().Clone()
	p.Name, p.Bech32HRP, p.PubKeyHashID, p.ScriptHashID, p.WIFID = "bitcoin-test", "tb", 111, 196, 239
	return p
}

// vectorNetwork returns the network that a vector is for.
func vectorNetwork(s string) *consensus.Params {
	if strings.HasPrefix(strings.ToLower(s), "tb") {
		return bitcoinTest()
	}
	return consensus.Bitcoin()
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// validSegwit has the valid addresses of BIP350's test vectors.
var validSegwit = []struct{ address, script string }{
	{"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"},
	{"tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"},
	{"bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6"},
	{"BC1SW50QGDZ25J", "6002751e"},
	{"bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"},
	{"tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy", "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"},
	{"tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c", "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"},
	{"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"},
}

// invalidSegwit has the invalid addresses of BIP350's test vectors, with our reason.
var invalidSegwit = []struct{ address, reason string }{
	{"tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut", "Invalid or unsupported Segwit (Bech32) or Base58 encoding."},
	{"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "Version 1+ witness address must use Bech32m checksum"},
	{"tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf", "Version 1+ witness address must use Bech32m checksum"},
	{"BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", "Version 1+ witness address must use Bech32m checksum"},
	{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "Version 0 witness address must use Bech32 checksum"},
	{"tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47", "Version 0 witness address must use Bech32 checksum"},
	{"bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", "Invalid Base 32 character"},
	{"BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "Invalid Bech32 address witness version"},
	{"bc1pw5dgrnzv", "Invalid Bech32 address program size (1 byte)"},
	{"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav", "Invalid Bech32 address program size (41 bytes)"},
	{"BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "Invalid Bech32 v0 address program size (16 bytes), per BIP141"},
	{"tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq", "Invalid character or mixed case"},
	{"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", "Invalid padding in Bech32 data section"},
	{"tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", "Invalid padding in Bech32 data section"},
	{"bc1gmk9yu", "Empty Bech32 data section"},
}

func TestBIP350Valid(t *testing.T) {
	for _, v := range validSegwit {
		p := vectorNetwork(v.address)
		script, err := Decode(p, v.address)
		if err != nil {
			t.Fatalf("%s: %v", v.address, err)
		}
		if want := unhex(t, v.script); !bytes.Equal(script, want) {
			t.Errorf("%s pays to %x, want %x", v.address, script, want)
		}
		if s, ok := Encode(p, script); !ok || s != strings.ToLower(v.address) {
			t.Errorf("%x encodes to %q, want %q", script, s, v.address)
		}
	}
}

func TestBIP350Invalid(t *testing.T) {
	for _, v := range invalidSegwit {
		_, err := Decode(vectorNetwork(v.address), v.address)
		var refused Error
		if !errors.As(err, &refused) || refused.Reason != v.reason {
			t.Errorf("%s: got %v, want %q", v.address, err, v.reason)
		}
	}
}

func TestBase58Addresses(t *testing.T) {
	// The first is of the genesis block's key, the second of BIP16's example, the third a known test network one.
	for _, v := range []struct {
		network         *consensus.Params
		address, script string
	}{
		{consensus.Bitcoin(), "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"},
		{consensus.Bitcoin(), "3P14159f73E4gFr7JterCCQh9QjiTjiZrG", "a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87"},
		{consensus.Regtest(), "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "76a914243f1394f44554f4ce3fd68649c19adc483ce92488ac"},
	} {
		script, err := Decode(v.network, v.address)
		if err != nil {
			t.Fatalf("%s: %v", v.address, err)
		}
		if want := unhex(t, v.script); !bytes.Equal(script, want) {
			t.Errorf("%s pays to %x, want %x", v.address, script, want)
		}
		if s, ok := Encode(v.network, script); !ok || s != v.address {
			t.Errorf("%x encodes to %q, want %q", script, s, v.address)
		}
	}
}

func TestBase58Refusals(t *testing.T) {
	p := consensus.Bitcoin()
	for s, reason := range map[string]string{
		"":                                     "Invalid or unsupported Segwit (Bech32) or Base58 encoding.",
		"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb":   "Invalid checksum or length of Base58 address (P2PKH or P2SH)",
		"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN0":   "Invalid or unsupported Segwit (Bech32) or Base58 encoding.",
		strings.Repeat("1", maxBase58Chars+1):  "Invalid or unsupported Segwit (Bech32) or Base58 encoding.",
		strings.Repeat("z", 1<<20):             "Invalid or unsupported Segwit (Bech32) or Base58 encoding.",
		"bc1" + strings.Repeat("q", 1<<20):     "Bech32 string too long",
		"bc1":                                  "Invalid separator position",
		"bcqqqqqqqqqqq":                        "Missing separator",
		"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7k": "Invalid Bech32 checksum",
	} {
		if _, err := Decode(p, s); err == nil || err.Error() != reason {
			t.Errorf("%.40q: got %v, want %q", s, err, reason)
		}
	}
}

func TestOtherNetworksAreNamed(t *testing.T) {
	program := append([]byte{txscript.OP_0, hashLen}, make([]byte, hashLen)...)
	for _, name := range consensus.Names() {
		own, err := consensus.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := Encode(own, program)
		if !ok || !strings.HasPrefix(s, own.Bech32HRP+"1") {
			t.Fatalf("%s: address %q", name, s)
		}
		for _, other := range consensus.Names() {
			p, _ := consensus.ByName(other)
			_, err := Decode(p, s)
			if name == other {
				if err != nil {
					t.Errorf("%s on its own network: %v", s, err)
				}
				continue
			}
			var refused Error
			if !errors.As(err, &refused) || !slices.Equal(refused.Networks, []string{name}) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s on %s: got %v, want one that names %s", s, other, err, name)
			}
		}
	}
	// Base58 prefixes are shared by the test networks.
	_, err := Decode(consensus.Bitcoin(), "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn")
	var refused Error
	if !errors.As(err, &refused) || !slices.Equal(refused.Networks, []string{"testnet", "regtest"}) {
		t.Errorf("a test address on bitcoin: %v", err)
	}
}

func TestScriptsWithoutAddress(t *testing.T) {
	for _, script := range [][]byte{
		nil,
		{txscript.OP_RETURN},
		{txscript.OP_0, 1, 0}, // program too short
		append([]byte{txscript.OP_0, 21}, make([]byte, 21)...),                      // no such length in version 0
		append([]byte{txscript.OP_1, 41}, make([]byte, 41)...),                      // program too long
		append([]byte{txscript.OP_1NEGATE, 32}, make([]byte, 32)...),                // no version
		append(append([]byte{33}, make([]byte, 33)...), txscript.OP_CHECKSIG),       // P2PK
		append([]byte{txscript.OP_1, txscript.OP_PUSHDATA1, 2}, make([]byte, 2)...), // not a direct push
	} {
		if s, ok := Encode(consensus.Bitcoin(), script); ok {
			t.Errorf("%x has the address %q", script, s)
		}
	}
	if s, ok := Encode(consensus.Bitcoin(), []byte{txscript.OP_1, 2, 0x4e, 0x73}); !ok || s != "bc1pfeessrawgf" {
		t.Errorf("the anchor's address is %q", s)
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range validSegwit {
		f.Add(v.address)
	}
	for _, v := range invalidSegwit {
		f.Add(v.address)
	}
	f.Add("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")
	f.Add("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn")
	f.Add("grt1")
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range []*consensus.Params{consensus.Main(), consensus.Regtest(), consensus.Bitcoin()} {
			script, err := Decode(p, s)
			var refused Error
			if err != nil && !errors.As(err, &refused) {
				t.Fatalf("%q: an error of type %T", s, err)
			}
			if err != nil {
				continue
			}
			// What decodes encodes to the same, but for upper case in bech32.
			if again, ok := Encode(p, script); !ok || (again != s && again != strings.ToLower(s)) {
				t.Fatalf("%q decodes to %x, which encodes to %q", s, script, again)
			}
		}
	})
}
