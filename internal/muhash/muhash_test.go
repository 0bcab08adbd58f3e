package muhash

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// fromInt returns the element that Bitcoin Core's tests call FromInt(i).
func fromInt(i byte) []byte { return append([]byte{i}, make([]byte, 31)...) }

// empty is the hash of no elements: the SHA-256 of the number one.
var empty = chainhash.Hash(sha256.Sum256(append([]byte{1}, make([]byte, size-1)...)))

// The vectors of Bitcoin Core 28, src/test/crypto_tests.cpp, muhash_tests.
func TestCoresVectors(t *testing.T) {
	const quotient = "10d312b100cbd32ada024a6646e40d3482fcff103668d2625f10002a607d5863"
	s := New()
	s.Add(fromInt(0))
	s.Add(fromInt(1))
	s.Remove(fromInt(2))
	if got := s.Hash().String(); got != quotient {
		t.Errorf("0 and 1 without 2: %s", got)
	}

	s = New()
	s.Add(fromInt(1))
	s.Add(fromInt(2))
	raw := s.in.value.FillBytes(make([]byte, size))
	reverse(raw)
	const numerator = "1fa093295ea30a6a3acdc7b3f770fa538eff537528e990e2910e40bbcfd7f6696b1256901929094694b56316de342f593303" +
		"dd12ac43e06dce1be1ff8301c845beb15468fff0ef002dbf80c29f26e6452bccc91b5cb9437ad410d2a67ea847887fa3c6" +
		"a6553309946880fe20db2c73fe0641adbd4e86edfee0d9f8cd0ee1230898873dc13ed8ddcaf045c80faa082774279007a2" +
		"253f8922ee3ef361d378a6af3ddaf180b190ac97e556888c36b3d1fb1c85aab9ccd46e3deaeb7b7cf5db067a7e9ff86b65" +
		"8cf3acd6662bbcce37232daa753c48b794356c020090c831a8304416e2aa7ad633c0ddb2f11be1be316a81be7f7e472071" +
		"c042cb68faef549c221ebff209273638b741aba5a81675c45a5fa92fea4ca821d7a324cb1e1a2ccd3b76c4228ec8066dad" +
		"2a5df6e1bd0de45c7dd5de8070bdb46db6c554cf9aefc9b7b2bbf9f75b1864d9f95005314593905c0109b71f703d49944a" +
		"e94477b51dac10a816bb6d1c700bafabc8bd86fac8df24be519a2f2836b16392e18036cb13e48c5c"
	if got := hex.EncodeToString(raw); got != numerator {
		t.Errorf("the product of 1 and 2 is %s", got)
	}

	s = New()
	s.in.value.SetString(strings.Repeat("f", 2*size), 16) // the largest that fits, above the modulus
	hash := s.Hash()
	if got := hex.EncodeToString(hash[:]); got != "3a31e6903aff0de9f62f9a9f7f8b861de76ce2cda09822b90014319ae5dc2271" {
		t.Errorf("a number above the modulus: %s", got)
	}
}

// Elements in any order, some of which come and go, give the hash of those that stay.
func TestOrderDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	want := New()
	for i := range byte(20) {
		want.Add(fromInt(i))
	}
	for range 5 {
		steps := r.Perm(60) // 0 to 19 stay, 20 to 39 come, 40 to 59 take them out again
		s, other := New(), New()
		for k, step := range steps {
			to := s
			if k%2 == 0 {
				to = other
			}
			if step < 40 {
				to.Add(fromInt(byte(step)))
			} else {
				to.Remove(fromInt(byte(step - 20)))
			}
		}
		s.Combine(other)
		if s.Hash() != want.Hash() {
			t.Errorf("steps %v lead elsewhere", steps)
		}
	}
	for i := range byte(20) {
		want.Remove(fromInt(i))
	}
	if want.Hash() != empty || New().Hash() != empty {
		t.Error("the empty set has another hash")
	}
}

// The product is the one that plain arithmetic gives, at the ends of what a number can be too.
func TestProductIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	top := new(big.Int).Lsh(big.NewInt(1), size*8)
	least := func(n int64) *big.Int { return new(big.Int).Sub(top, big.NewInt(n)) }
	numbers := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(excess), least(1), least(2), least(excess), least(excess - 1), least(excess + 1), new(big.Int).Rsh(top, 1)}
	for range 10 {
		raw := make([]byte, size)
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		numbers = append(numbers, new(big.Int).SetBytes(raw))
	}
	for _, a := range numbers {
		for _, b := range numbers {
			var p product
			p.value.Set(a)
			p.multiply(b)
			want := new(big.Int).Mul(a, b)
			want.Mod(want, modulus())
			if p.value.Cmp(top) >= 0 || new(big.Int).Mod(&p.value, modulus()).Cmp(want) != 0 {
				t.Fatalf("%x times %x is %x", a, b, &p.value)
			}
		}
	}
	if !modulus().ProbablyPrime(1) {
		t.Error("the modulus is no prime")
	}
}

func FuzzSet(f *testing.F) {
	f.Add([]byte{}, []byte{1})
	f.Add([]byte("a coin"), []byte("another"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, y := New(), New()
		x.Add(a)
		x.Add(b)
		y.Add(b)
		y.Add(a)
		if x.Hash() != y.Hash() {
			t.Fatal("the order matters")
		}
		x.Remove(a)
		y.Remove(b)
		if !bytes.Equal(a, b) && x.Hash() == y.Hash() {
			t.Fatal("two elements have one number")
		}
		x.Remove(b)
		if x.Hash() != empty {
			t.Fatal("something is left")
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	s, coin := New(), make([]byte, 80)
	for i := range b.N {
		coin[0], coin[1], coin[2] = byte(i), byte(i>>8), byte(i>>16)
		s.Add(coin)
	}
}
