package wallet

import (
	"fmt"
	"strings"

	"github.com/tyler-smith/go-bip39"

	"groat/internal/ledger"
)

// defaultEntropyBits makes twelve words.
const defaultEntropyBits = 128

// entropy is the random number that a wallet's words say (BIP39): 16 to 32 bytes. All keys follow from it.
type entropy []byte

// newEntropy draws the entropy of a new wallet.
func newEntropy() (entropy, error) { return bip39.NewEntropy(defaultEntropyBits) }

// words returns the entropy as 12 to 24 words with a checksum.
func (e entropy) words() (string, error) { return bip39.NewMnemonic(e) }

// seed returns BIP39's seed for an empty passphrase.
func (e entropy) seed() ([]byte, error) {
	words, err := e.words()
	if err != nil {
		return nil, err
	}
	return bip39.NewSeed(words, ""), nil
}

// parseWords reads words in any case and spacing. What is wrong with them is an ErrWords that names the first unknown word, but
// no other: they are a secret.
func parseWords(s string) (entropy, error) {
	list := strings.Fields(strings.ToLower(s))
	switch len(list) {
	case 12, 15, 18, 21, 24:
	default:
		return nil, fmt.Errorf("%w: there are 12, 15, 18, 21 or 24, but these are %d", ledger.ErrWords, len(list))
	}
	for i, word := range list {
		if _, ok := bip39.GetWordIndex(word); !ok {
			return nil, fmt.Errorf("%w: word %d, %q, is not in the list of BIP39", ledger.ErrWords, i+1, word)
		}
	}
	e, err := bip39.EntropyFromMnemonic(strings.Join(list, " "))
	if err != nil {
		return nil, fmt.Errorf("%w: the checksum does not fit; one of them is wrong or in the wrong place", ledger.ErrWords)
	}
	return e, nil
}
