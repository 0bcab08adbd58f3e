package rpc

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

// The two alphabets of a descriptor's checksum (BIP380).
const (
	descriptorChars = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
	checksumChars = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// descriptorChecksum returns the eight characters that follow a descriptor's # (BIP380). It returns "" if there is a
// character in it that no descriptor has.
func descriptorChecksum(descriptor string) string {
	c, class, classes := uint64(1), 0, 0
	for i := range len(descriptor) {
		pos := strings.IndexByte(descriptorChars, descriptor[i])
		if pos < 0 {
			return ""
		}
		c = checksumStep(c, uint64(pos&31))
		class = class*3 + pos>>5
		if classes++; classes == 3 {
			c, class, classes = checksumStep(c, uint64(class)), 0, 0
		}
	}
	if classes > 0 {
		c = checksumStep(c, uint64(class))
	}
	for range 8 {
		c = checksumStep(c, 0)
	}
	c ^= 1
	var text [8]byte
	for i := range text {
		text[i] = checksumChars[c>>(5*(7-i))&31]
	}
	return string(text[:])
}

// checksumStep takes five more bits into the checksum's polynomial.
func checksumStep(c, value uint64) uint64 {
	top := c >> 35
	c = (c&0x7ffffffff)<<5 ^ value
	for i, generator := range [...]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd} {
		if top>>i&1 == 1 {
			c ^= generator
		}
	}
	return c
}

// withChecksum returns a descriptor with its checksum.
func withChecksum(descriptor string) string { return descriptor + "#" + descriptorChecksum(descriptor) }

// describe returns the descriptor of an output script, as Core infers it without knowing any key.
func (a *api) describe(script []byte) string {
	if inner, ok := keyDescriptor(script); ok {
		return withChecksum(inner)
	}
	kind, _ := classify(script)
	if kind == typeTaproot {
		if _, err := schnorr.ParsePubKey(script[2:]); err == nil {
			return withChecksum("rawtr(" + hex.EncodeToString(script[2:]) + ")")
		}
	}
	if text, ok := a.addressOf(script); ok {
		return withChecksum("addr(" + text + ")")
	}
	return withChecksum("raw(" + hex.EncodeToString(script) + ")")
}

// keyDescriptor returns the descriptor of a script that has its keys in it, without the checksum.
func keyDescriptor(script []byte) (string, bool) {
	kind, keys := classify(script)
	texts := make([]string, len(keys))
	for i, key := range keys {
		if !validKey(key) {
			return "", false
		}
		texts[i] = hex.EncodeToString(key)
	}
	switch kind {
	case typePubKey:
		return "pk(" + texts[0] + ")", true
	case typeMultisig:
		required, _, _ := multisig(script)
		return fmt.Sprintf("multi(%d,%s)", required, strings.Join(texts, ",")), true
	}
	return "", false
}

// scriptJSON is an output script as Core shows it.
type scriptJSON struct {
	Asm     string     `json:"asm"`
	Desc    string     `json:"desc"`
	Hex     hexBytes   `json:"hex"`
	Address string     `json:"address,omitempty"`
	Type    scriptType `json:"type"`
}

func (a *api) scriptJSON(script []byte) scriptJSON {
	kind, _ := classify(script)
	j := scriptJSON{Asm: pubKeyAsm(script), Desc: a.describe(script), Hex: script, Type: kind}
	j.Address, _ = a.addressOf(script) // none is shown if it has none
	return j
}
