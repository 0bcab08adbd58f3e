package address

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/btcec/v2"

	"groat/consensus"
)

func TestWIF(t *testing.T) {
	// From the Bitcoin wiki's "Wallet import format", and the key 1 in its short form.
	for _, v := range []struct {
		wif, key   string
		compressed bool
	}{
		{"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "0c28fca386c7a227600b2fe50b7cae11ec86d3bf1fbe471be89827e19d72aa1d", false},
		{"KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn", "0000000000000000000000000000000000000000000000000000000000000001", true},
	} {
		w, err := DecodeWIF(consensus.Bitcoin(), v.wif)
		if err != nil {
			t.Fatalf("%s: %v", v.wif, err)
		}
		if got := hex.EncodeToString(w.Key.Serialize()); got != v.key || w.Compressed != v.compressed {
			t.Errorf("%s is %s, compressed %v", v.wif, got, w.Compressed)
		}
		if again := EncodeWIF(consensus.Bitcoin(), w); again != v.wif {
			t.Errorf("%s encodes to %s", v.wif, again)
		}
		_, err = DecodeWIF(consensus.Regtest(), v.wif)
		var refused Error
		if !errors.As(err, &refused) || !slices.Equal(refused.Networks, []string{"main", "bitcoin"}) {
			t.Errorf("%s on regtest: %v", v.wif, err)
		}
	}
}

func TestWIFRefusals(t *testing.T) {
	p := consensus.Bitcoin()
	order := btcec.S256().N.Bytes()
	for name, raw := range map[string][]byte{
		"zero":       make([]byte, 32),
		"order":      order,
		"short":      make([]byte, 31),
		"long":       make([]byte, 34),
		"wrong mark": append(append([]byte{1}, make([]byte, 31)...), 2),
	} {
		if _, err := DecodeWIF(p, base58.CheckEncode(raw, p.WIFID)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	below := btcec.S256().N.Bytes()
	below[31]--
	if _, err := DecodeWIF(p, base58.CheckEncode(below, p.WIFID)); err != nil {
		t.Errorf("the largest key: %v", err)
	}
}

func FuzzDecodeWIF(f *testing.F) {
	f.Add("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ")
	f.Add("KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		w, err := DecodeWIF(consensus.Bitcoin(), s)
		if err == nil && EncodeWIF(consensus.Bitcoin(), w) != s {
			t.Fatalf("%q does not come back", s)
		}
	})
}
