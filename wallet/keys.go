package wallet

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

const (
	purpose  = 84 // BIP84: P2WPKH
	hardened = hdkeychain.HardenedKeyStart
)

// errKey says that a seed leads to no key: one in 2^127 does.
var errKey = errors.New("no key follows from this seed; take another")

// accountKey derives the private key of the only account, m/84'/coin'/0', and the fingerprint of the master key.
func accountKey(p *consensus.Params, e entropy) (account *hdkeychain.ExtendedKey, fingerprint [4]byte, err error) {
	seed, err := e.seed()
	if err != nil {
		return nil, fingerprint, err
	}
	defer clear(seed)
	key, err := masterKey(p, seed)
	if err != nil {
		return nil, fingerprint, err
	}
	pub, err := key.ECPubKey()
	if err != nil {
		return nil, fingerprint, err
	}
	copy(fingerprint[:], address.Hash160(pub.SerializeCompressed()))
	for _, child := range []uint32{hardened + purpose, hardened + p.CoinType, hardened} {
		parent := key
		if key, err = parent.Derive(child); err != nil {
			return nil, fingerprint, errKey
		}
		parent.Zero()
	}
	return key, fingerprint, nil
}

// masterKey returns the key at the root of BIP32's tree. The library's own wants a registered network.
func masterKey(p *consensus.Params, seed []byte) (*hdkeychain.ExtendedKey, error) {
	mac := hmac.New(sha512.New, []byte("Bitcoin seed"))
	mac.Write(seed)
	sum := mac.Sum(nil)
	var scalar btcec.ModNScalar
	if overflow := scalar.SetByteSlice(sum[:32]); overflow || scalar.IsZero() {
		return nil, errKey
	}
	return hdkeychain.NewExtendedKey(p.HDPrivateID[:], sum[:32], sum[32:], make([]byte, 4), 0, 0, true), nil
}

// neuter returns the public part of key with the versions of the network p.
func neuter(p *consensus.Params, key *hdkeychain.ExtendedKey) (*hdkeychain.ExtendedKey, error) {
	pub, err := key.ECPubKey()
	if err != nil {
		return nil, err
	}
	parent := binary.BigEndian.AppendUint32(nil, key.ParentFingerprint())
	return hdkeychain.NewExtendedKey(p.HDPublicID[:], pub.SerializeCompressed(), key.ChainCode(), parent, key.Depth(), key.ChildIndex(), false), nil
}

// account is the public side of a wallet's keys: it makes addresses and recognises them, but signs nothing.
type account struct {
	params      *consensus.Params
	fingerprint [4]byte
	public      *hdkeychain.ExtendedKey
	branches    [2]*hdkeychain.ExtendedKey
}

// newAccount returns the account of an extended public key.
func newAccount(p *consensus.Params, xpub string, fingerprint [4]byte) (*account, error) {
	public, err := hdkeychain.NewKeyFromString(xpub)
	if err != nil {
		return nil, fmt.Errorf("extended public key: %w", err)
	}
	if public.IsPrivate() || [4]byte(public.Version()) != p.HDPublicID {
		return nil, fmt.Errorf("extended public key is not one of %s", p.Name)
	}
	a := &account{params: p, fingerprint: fingerprint, public: public}
	for i := range a.branches {
		if a.branches[i], err = public.Derive(uint32(i)); err != nil {
			return nil, errKey
		}
	}
	return a, nil
}

// pubKey returns the public key at a path.
func (a *account) pubKey(p ledger.WalletPath) ([]byte, error) {
	key, err := a.branches[p.Branch].Derive(p.Index)
	if err != nil {
		return nil, err
	}
	pub, err := key.ECPubKey()
	if err != nil {
		return nil, err
	}
	return pub.SerializeCompressed(), nil
}

// script returns the output script (P2WPKH) at a path.
func (a *account) script(p ledger.WalletPath) ([]byte, error) {
	pub, err := a.pubKey(p)
	if err != nil {
		return nil, err
	}
	return append([]byte{txscript.OP_0, 20}, address.Hash160(pub)...), nil
}

// origin returns the path from the master key to a key.
func (a *account) origin(p ledger.WalletPath) string {
	return fmt.Sprintf("m/%s/%s", a.steps(), p)
}

// steps returns the path from the master key to the account.
func (a *account) steps() string { return fmt.Sprintf("%dh/%dh/0h", purpose, a.params.CoinType) }

// describe tells all that is known of the key at a path but its label and age.
func (a *account) describe(p ledger.WalletPath) (ledger.WalletKey, error) {
	pub, err := a.pubKey(p)
	if err != nil {
		return ledger.WalletKey{}, err
	}
	finger := hex.EncodeToString(a.fingerprint[:])
	return ledger.WalletKey{
		Path:        p,
		PkScript:    append([]byte{txscript.OP_0, 20}, address.Hash160(pub)...),
		PubKey:      pub,
		Origin:      a.origin(p),
		Fingerprint: finger,
		Descriptor:  fmt.Sprintf("wpkh([%s/%s/%s]%x)", finger, a.steps(), p, pub),
		Parent:      fmt.Sprintf("wpkh([%s/%s]%s/%d/*)", finger, a.steps(), a.public, p.Branch),
	}, nil
}

// signingKey derives the private key at a path from the account's private key.
func signingKey(account *hdkeychain.ExtendedKey, p ledger.WalletPath) (*btcec.PrivateKey, error) {
	branch, err := account.Derive(p.Branch)
	if err != nil {
		return nil, err
	}
	defer branch.Zero()
	key, err := branch.Derive(p.Index)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	return key.ECPrivKey()
}
