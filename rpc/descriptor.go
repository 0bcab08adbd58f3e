package rpc

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"groat/internal/descriptor"
)

// withChecksum returns a descriptor with its checksum.
func withChecksum(text string) string { return text + "#" + descriptor.Checksum(text) }

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
