package descriptor

import (
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"

	btcaddr "github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"

	"groat/internal/address"
)

// key is a key in a descriptor.
type key struct {
	text string                                                  // without private keys
	at   func(index uint32) (pub []byte, text string, err error) // 33 or 65 bytes
}

// keyForm says which keys may stand in a place.
type keyForm struct {
	compressed bool // no key of 65 bytes
	xOnly      bool // 32 bytes may stand for a key
}

// origins matches where a key comes from: a fingerprint and the steps from there.
var origins = regexp.MustCompile(`^\[[0-9a-fA-F]{8}(/[0-9]+['h]?)*\]`)

// key reads a key: in hexadecimal, as a private key in wallet import format, or extended (BIP32) with the steps to derive.
func (r *reader) key(text string, form keyForm) (key, error) {
	origin := origins.FindString(text)
	body := text[len(origin):]
	switch {
	case body == "":
		return key{}, refuse("No key provided")
	case strings.ContainsAny(body, "[]"):
		return key{}, refuse("'%s' is no key with its origin", text)
	}
	first, path, _ := strings.Cut(body, "/")
	if extended, err := hdkeychain.NewKeyFromString(first); err == nil {
		return r.extended(origin, extended, path, first != body, form)
	}
	if first != body {
		return key{}, refuse("key '%s' is not valid", first)
	}
	pub, err := r.plain(body, form)
	if err != nil {
		return key{}, err
	}
	shown := hex.EncodeToString(pub)
	if form.xOnly {
		shown = shown[2:]
	}
	shown = origin + shown
	return key{shown, func(uint32) ([]byte, string, error) { return pub, shown, nil }}, nil
}

// plain reads a key that stands for itself.
func (r *reader) plain(text string, form keyForm) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err == nil && form.xOnly && len(raw) == schnorr.PubKeyBytesLen {
		raw = append([]byte{2}, raw...)
	}
	if err != nil {
		w, err := address.DecodeWIF(r.params, text)
		if err != nil {
			return nil, refuse("key '%s' is not valid", text)
		}
		r.d.Private = true
		if raw = w.Key.PubKey().SerializeCompressed(); !w.Compressed {
			raw = w.Key.PubKey().SerializeUncompressed()
		}
	}
	if _, err := btcec.ParsePubKey(raw); err != nil || raw[0] > 4 {
		return nil, refuse("Pubkey '%s' is invalid", text)
	}
	if len(raw) != btcec.PubKeyBytesLenCompressed && (form.compressed || form.xOnly) {
		return nil, refuse("Uncompressed keys are not allowed")
	}
	return raw, nil
}

// extended reads an extended key with the steps to derive from it.
func (r *reader) extended(origin string, from *hdkeychain.ExtendedKey, path string, steps bool, form keyForm) (key, error) {
	version := r.params.HDPublicID[:]
	if from.IsPrivate() {
		version = r.params.HDPrivateID[:]
		r.d.Private = true
	}
	if !slices.Equal(from.Version(), version) {
		return key{}, refuse("key '%s' is not valid", from)
	}
	var numbers []uint32
	wildcard := ""
	if steps {
		list := strings.Split(path, "/")
		if last := list[len(list)-1]; last == "*" || last == "*'" || last == "*h" {
			wildcard, list = last, list[:len(list)-1]
			r.d.Ranged = true
		}
		for _, step := range list {
			n, err := stepNumber(step)
			if err != nil {
				return key{}, err
			}
			numbers = append(numbers, n)
		}
	}
	pub, err := from.ECPubKey()
	if err != nil {
		return key{}, err
	}
	shown := from.String()
	if from.IsPrivate() {
		var parent [4]byte
		binary.BigEndian.PutUint32(parent[:], from.ParentFingerprint())
		shown = hdkeychain.NewExtendedKey(r.params.HDPublicID[:], pub.SerializeCompressed(), from.ChainCode(), parent[:], from.Depth(), from.ChildIndex(), false).String()
	}
	if origin == "" {
		origin = "[" + hex.EncodeToString(btcaddr.Hash160(pub.SerializeCompressed())[:4]) + "]"
	} else {
		shown = origin + shown
	}
	if steps {
		shown += "/" + path
	}
	return key{shown, func(index uint32) ([]byte, string, error) {
		all := numbers
		switch wildcard {
		case "":
		case "*":
			all = append(slices.Clip(numbers), index)
		default:
			all = append(slices.Clip(numbers), index|hdkeychain.HardenedKeyStart)
		}
		return derive(origin, from, all, form)
	}}, nil
}

// stepNumber reads one step of a path.
func stepNumber(text string) (uint32, error) {
	digits := strings.TrimRight(text, "'h")
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || len(text)-len(digits) > 1 {
		return 0, refuse("Key path value '%s' is not a valid uint32", text)
	}
	if n >= hdkeychain.HardenedKeyStart {
		return 0, refuse("Key path value %d is out of range", n)
	}
	if digits != text {
		n |= hdkeychain.HardenedKeyStart
	}
	return uint32(n), nil
}

// derive goes the steps from a key and returns the public key there, told with its origin.
func derive(origin string, from *hdkeychain.ExtendedKey, steps []uint32, form keyForm) ([]byte, string, error) {
	text := strings.TrimSuffix(origin, "]")
	for _, n := range steps {
		next, err := from.Derive(n)
		if err != nil {
			return nil, "", refuse("Cannot derive script without private keys")
		}
		from = next
		if n >= hdkeychain.HardenedKeyStart {
			text += "/" + strconv.FormatUint(uint64(n-hdkeychain.HardenedKeyStart), 10) + "h"
		} else {
			text += "/" + strconv.FormatUint(uint64(n), 10)
		}
	}
	pub, err := from.ECPubKey()
	if err != nil {
		return nil, "", err
	}
	raw := pub.SerializeCompressed()
	shown := raw
	if form.xOnly {
		shown = raw[1:]
	}
	return raw, text + "]" + hex.EncodeToString(shown), nil
}
