package wallet

import (
	"crypto/rand"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"groat/internal/ledger"
)

// The ways in which a wallet file keeps its secret.
const (
	plainSecret  = "none"
	sealedSecret = "argon2id+xchacha20poly1305"
)

// Limits on the cost that a file may ask for: a damaged one must not take the machine's memory.
const (
	maxKDFTime    = 64
	maxKDFMemory  = 1 << 20 // KiB
	maxKDFThreads = 64
	saltLen       = 16
)

// cost is what one guess at a passphrase costs (RFC 9106).
type cost struct {
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory_kib"`
	Threads uint8  `json:"threads"`
}

// defaultCost is RFC 9106's second recommendation: 64 MiB, three passes, four lanes.
func defaultCost() cost { return cost{Time: 3, Memory: 64 << 10, Threads: 4} }

// secret is the entropy of a wallet as its file keeps it.
type secret struct {
	Kind  string `json:"kind"`
	Plain []byte `json:"entropy,omitempty"` // of a plainSecret

	// Of a sealedSecret.
	Cost  *cost  `json:"cost,omitempty"`
	Salt  []byte `json:"salt,omitempty"`
	Nonce []byte `json:"nonce,omitempty"`
	Box   []byte `json:"box,omitempty"`
}

// check says whether s has the shape of its kind.
func (s secret) check() error {
	switch s.Kind {
	case plainSecret:
		if _, err := entropy(s.Plain).words(); err != nil {
			return fmt.Errorf("its secret: %w", err)
		}
		return nil
	case sealedSecret:
		c := s.Cost
		switch {
		case c == nil || c.Time == 0 || c.Time > maxKDFTime || c.Memory > maxKDFMemory || c.Threads == 0 || c.Threads > maxKDFThreads:
			return fmt.Errorf("its secret: the cost of the passphrase is out of range")
		case len(s.Salt) != saltLen || len(s.Nonce) != chacha20poly1305.NonceSizeX || len(s.Box) < chacha20poly1305.Overhead:
			return fmt.Errorf("its secret: a part has the wrong length")
		}
		return nil
	}
	return fmt.Errorf("its secret: the kind %q is not known", s.Kind)
}

// sealed reports whether a passphrase is needed.
func (s secret) sealed() bool { return s.Kind == sealedSecret }

// plain keeps e in the clear.
func plain(e entropy) secret { return secret{Kind: plainSecret, Plain: e} }

// seal encrypts e under a passphrase. The box is bound to what it belongs to: it opens nowhere else.
func seal(e entropy, passphrase, belongs string, c cost) (secret, error) {
	s := secret{Kind: sealedSecret, Cost: &c, Salt: make([]byte, saltLen), Nonce: make([]byte, chacha20poly1305.NonceSizeX)}
	for _, b := range [][]byte{s.Salt, s.Nonce} {
		if _, err := rand.Read(b); err != nil {
			return secret{}, fmt.Errorf("draw a random number: %w", err)
		}
	}
	box, err := chacha20poly1305.NewX(s.key(passphrase))
	if err != nil {
		return secret{}, err
	}
	s.Box = box.Seal(nil, s.Nonce, e, []byte(belongs))
	return s, nil
}

// open returns the entropy, or ErrPassphrase. A plain secret opens with any passphrase.
func (s secret) open(passphrase, belongs string) (entropy, error) {
	if !s.sealed() {
		return s.Plain, nil
	}
	box, err := chacha20poly1305.NewX(s.key(passphrase))
	if err != nil {
		return nil, err
	}
	e, err := box.Open(nil, s.Nonce, s.Box, []byte(belongs))
	if err != nil {
		return nil, ledger.ErrPassphrase
	}
	if _, err := entropy(e).words(); err != nil {
		return nil, fmt.Errorf("%w: the secret is not one", ledger.ErrWalletDamaged)
	}
	return e, nil
}

// key stretches a passphrase.
func (s secret) key(passphrase string) []byte {
	return argon2.IDKey([]byte(passphrase), s.Salt, s.Cost.Time, s.Cost.Memory, s.Cost.Threads, chacha20poly1305.KeySize)
}
