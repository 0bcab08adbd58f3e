package wallet

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"groat/consensus"
	"groat/internal/address"
	"groat/internal/ledger"
)

const abandon = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

// The vectors of BIP84.
func TestBIP84(t *testing.T) {
	e, err := parseWords(abandon)
	if err != nil {
		t.Fatal(err)
	}
	p := consensus.Bitcoin()
	key, fingerprint, err := accountKey(p, e)
	if err != nil {
		t.Fatal(err)
	}
	public, err := neuter(p, key)
	if err != nil {
		t.Fatal(err)
	}
	// BIP84 writes zpub for the same key: version and checksum differ. This is the xpub.
	const xpub = "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"
	if public.String() != xpub {
		t.Errorf("account key %s, want %s", public, xpub)
	}
	if got := hex.EncodeToString(fingerprint[:]); got != "73c5da0a" {
		t.Errorf("fingerprint %s", got)
	}
	acct, err := newAccount(p, public.String(), fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		path            ledger.WalletPath
		address, pubKey string
	}{
		{ledger.WalletPath{Branch: 0, Index: 0}, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c"},
		{ledger.WalletPath{Branch: 0, Index: 1}, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g", "03e775fd51f0dfb8cd865d9ff1cca2a158cf651fe997fdc9fee9c1d3b5e995ea77"},
		{ledger.WalletPath{Branch: 1, Index: 0}, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el", "03025324888e429ab8e3dbaf1f7802648b9cd01e9b418485c5fa4c1b9b5700e1a6"},
	} {
		known, err := acct.describe(v.path)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := address.Encode(p, known.PkScript); got != v.address {
			t.Errorf("%v: address %s, want %s", v.path, got, v.address)
		}
		if got := hex.EncodeToString(known.PubKey); got != v.pubKey {
			t.Errorf("%v: key %s, want %s", v.path, got, v.pubKey)
		}
		private, err := signingKey(key, v.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(private.PubKey().SerializeCompressed()); got != v.pubKey {
			t.Errorf("%v: the private key fits %s", v.path, got)
		}
		if want := "m/84h/0h/0h/" + v.path.String(); known.Origin != want {
			t.Errorf("%v: origin %s", v.path, known.Origin)
		}
	}
}

// From BIP39's vectors. They have the passphrase TREZOR; the seeds with an empty one are those of the same words by its reference code.
func TestBIP39(t *testing.T) {
	for _, v := range []struct{ entropy, words string }{
		{"00000000000000000000000000000000", abandon},
		{"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f", "legal winner thank year wave sausage worth useful legal winner thank yellow"},
		{"80808080808080808080808080808080", "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"},
		{"ffffffffffffffffffffffffffffffff", "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong"},
		{"000000000000000000000000000000000000000000000000", "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon agent"},
		{"0000000000000000000000000000000000000000000000000000000000000000", "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art"},
		{"68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c", "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length"},
	} {
		e, err := parseWords("  " + strings.ToUpper(v.words) + "\n")
		if err != nil {
			t.Fatalf("%s: %v", v.words, err)
		}
		if got := hex.EncodeToString(e); got != v.entropy {
			t.Errorf("%s: %s", v.words, got)
		}
		if words, err := e.words(); err != nil || words != v.words {
			t.Errorf("%s: %q, %v", v.entropy, words, err)
		}
	}
	e, _ := parseWords(abandon)
	seed, err := e.seed()
	if err != nil {
		t.Fatal(err)
	}
	const want = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc19a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
	if got := hex.EncodeToString(seed); got != want {
		t.Errorf("seed %s", got)
	}
}

func TestWordsRefused(t *testing.T) {
	for name, words := range map[string]string{
		"none":           "",
		"eleven":         strings.TrimSuffix(abandon, " about"),
		"thirteen":       abandon + " about",
		"unknown word":   strings.Replace(abandon, "about", "abouts", 1),
		"wrong checksum": strings.Replace(abandon, "about", "abandon", 1),
		"twelve of 24":   strings.Repeat("zoo ", 12),
	} {
		if _, err := parseWords(words); !errors.Is(err, ledger.ErrWords) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyringWatchesTheGap(t *testing.T) {
	e, _ := parseWords(abandon)
	p := consensus.Regtest()
	key, fingerprint, err := accountKey(p, e)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := neuter(p, key)
	acct, err := newAccount(p, public.String(), fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := newKeyring(acct, [2]uint32{})
	if err != nil {
		t.Fatal(err)
	}
	script := func(i uint32) []byte {
		s, err := acct.script(ledger.WalletPath{Index: i})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	watched := func(i uint32) bool { _, ok := keys.find(script(i)); return ok }
	if !watched(gapLimit-1) || watched(gapLimit) {
		t.Error("a new keyring watches not 20 addresses")
	}
	if grown, err := keys.used(ledger.WalletPath{Index: gapLimit - 1}); err != nil || !grown {
		t.Errorf("the last watched address was used: %v, %v", grown, err)
	}
	if !watched(2*gapLimit-1) || watched(2*gapLimit) {
		t.Error("not 20 more are watched")
	}
	path, _, err := keys.issue(ledger.ReceiveBranch)
	if err != nil || path.Index != gapLimit {
		t.Errorf("the next address is %v, %v", path, err)
	}
	if grown, _ := keys.used(ledger.WalletPath{Index: 3}); grown {
		t.Error("an older address grew the gap")
	}
}
