// Package muhash computes MuHash3072, the hash of a set that does not depend on the order in which its elements come and from which they can be
// taken out again, as Bitcoin Core does (crypto/muhash.h; "A new paradigm for collision-free hashing", Bellare and Micciancio, 1997).
package muhash

import (
	"crypto/sha256"
	"math/big"
	"math/bits"

	"github.com/btcsuite/btcd/chainhash/v2"
	"golang.org/x/crypto/chacha20"
)

const (
	size      = 384               // bytes of a number
	excess    = 1103717           // the modulus is 2^3072 less this, a safe prime
	words     = size / wordBytes  // of a big.Int
	wordBytes = bits.UintSize / 8 // of one of them
)

// Set is the hash of a set: its elements as numbers modulo a prime, multiplied. A set to which more elements were removed than added is one too.
type Set struct {
	in, out product // what was added, what was removed
}

// New returns the empty set.
func New() *Set {
	s := &Set{}
	s.in.value.SetInt64(1)
	s.out.value.SetInt64(1)
	return s
}

// Add puts an element in.
func (s *Set) Add(element []byte) { s.in.multiply(number(element)) }

// Remove takes an element out.
func (s *Set) Remove(element []byte) { s.out.multiply(number(element)) }

// Combine puts in what o holds and takes out what was removed from o.
func (s *Set) Combine(o *Set) {
	s.in.multiply(&o.in.value)
	s.out.multiply(&o.out.value)
}

// Hash returns the hash of the set: the SHA-256 of the product in 384 bytes, the lowest first.
func (s *Set) Hash() chainhash.Hash {
	p := modulus()
	product := new(big.Int).ModInverse(&s.out.value, p)
	product.Mul(product, &s.in.value).Mod(product, p)
	raw := product.FillBytes(make([]byte, size))
	reverse(raw)
	return sha256.Sum256(raw)
}

// modulus returns 2^3072 - 1103717.
func modulus() *big.Int {
	p := new(big.Int).Lsh(big.NewInt(1), size*8)
	return p.Sub(p, big.NewInt(excess))
}

// number returns the number of an element: 384 bytes of ChaCha20 under the element's SHA-256 as key, the lowest first.
func number(element []byte) *big.Int {
	key := sha256.Sum256(element)
	cipher, err := chacha20.NewUnauthenticatedCipher(key[:], make([]byte, chacha20.NonceSize))
	if err != nil {
		panic(err) // key and nonce have their sizes
	}
	raw := make([]byte, size)
	cipher.XORKeyStream(raw, raw)
	reverse(raw)
	return new(big.Int).SetBytes(raw)
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// product is a number below 2^3072, which stands for its remainder, with room to work in.
type product struct {
	value        big.Int
	wide, folded big.Int
}

// multiply multiplies by x, a number below 2^3072. What is above of the product counts 1103717 times, because of the modulus.
func (p *product) multiply(x *big.Int) {
	wide, folded := &p.wide, &p.folded
	wide.Mul(&p.value, x)
	factor := big.NewInt(excess)
	for all := wide.Bits(); len(all) > words; all = wide.Bits() {
		var low, high big.Int // share their words with wide
		low.SetBits(all[:words])
		high.SetBits(all[words:])
		folded.Mul(&high, factor)
		folded.Add(folded, &low)
		wide, folded = folded, wide
	}
	p.value.Set(wide)
}
