// Package descriptor reads output descriptors (BIP380 to 386): texts that say which scripts somebody looks for. It knows those with keys, addresses
// and scripts, without miniscript and without script trees. Errors are in Bitcoin Core's words.
package descriptor

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	btcaddr "github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
	"groat/internal/address"
)

// Descriptor is a descriptor that was read.
type Descriptor struct {
	Ranged   bool // stands for one script, or one group of them, for each index
	Private  bool // has a private key in it
	Solvable bool // says all that a signer needs but the keys

	text   string // without private keys and checksum
	expand expansion
}

// Output is a script that a descriptor stands for, with the descriptor of it alone.
type Output struct {
	Script []byte
	Text   string // without checksum; keys that were derived are told with their origin
}

// expansion makes the outputs of an index.
type expansion func(index uint32) ([]Output, error)

// String returns the descriptor with its checksum and with public keys in place of private ones.
func (d *Descriptor) String() string { return d.text + "#" + Checksum(d.text) }

// At returns the scripts of an index, which does not matter unless the descriptor is ranged. It fails if a hardened key is to be derived
// from a public one.
func (d *Descriptor) At(index uint32) ([]Output, error) { return d.expand(index) }

// Parse reads a descriptor of the network p. The checksum may be left out, but not be wrong.
func Parse(p *consensus.Params, text string) (*Descriptor, error) {
	body, checksum, given := strings.Cut(text, "#")
	want := Checksum(body)
	switch {
	case want == "":
		return nil, refuse("Invalid characters in payload")
	case given && len(checksum) != len(want):
		return nil, refuse("Expected 8 character checksum, not %d characters", len(checksum))
	case given && checksum != want:
		return nil, refuse("Provided checksum '%s' does not match computed checksum '%s'", checksum, want)
	}
	r := reader{params: p, d: &Descriptor{Solvable: true}}
	f, err := r.read(body, top)
	if err != nil {
		return nil, err
	}
	r.d.text, r.d.expand = f.text, f.expand
	return r.d, nil
}

// Error says what is wrong with a descriptor, in Core's words.
type Error struct{ Reason string }

// Error returns the reason.
func (e Error) Error() string { return e.Reason }

func refuse(format string, args ...any) error { return Error{fmt.Sprintf(format, args...)} }

// place is where in a descriptor a function stands.
type place uint8

const (
	top place = iota
	inScriptHash
	inWitnessScriptHash
)

// function is a part of a descriptor: its public text and what it stands for.
type function struct {
	text   string
	expand expansion
}

// reader reads one descriptor and notes what it finds.
type reader struct {
	params *consensus.Params
	d      *Descriptor
}

// read reads a function with all that is in it.
func (r *reader) read(text string, at place) (function, error) {
	name, inner, ok := strings.Cut(text, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed {
		return function{}, refuse("'%s' is not a valid descriptor function", text)
	}
	if at != top && slices.Contains([]string{"addr", "raw", "combo", "tr", "rawtr", "sh"}, name) {
		return function{}, refuse("Can only have %s() at top level", name)
	}
	if at == inWitnessScriptHash && (name == "wpkh" || name == "wsh") {
		return function{}, refuse("Can only have %s() at top level or inside sh()", name)
	}
	switch name {
	case "addr":
		script, err := address.Decode(r.params, inner)
		if err != nil {
			return function{}, refuse("Address is not valid")
		}
		return r.fixed(text, script), nil
	case "raw":
		script, err := hex.DecodeString(inner)
		if err != nil {
			return function{}, refuse("Raw script is not hex")
		}
		return r.fixed(text, script), nil
	case "sh":
		return r.hashed(name, inner, inScriptHash, payToScriptHash)
	case "wsh":
		return r.hashed(name, inner, inWitnessScriptHash, payToWitnessScriptHash)
	case "multi", "sortedmulti":
		return r.multi(name, inner, at)
	case "pk", "pkh", "wpkh", "combo", "tr", "rawtr":
		return r.single(name, inner, at)
	}
	return function{}, refuse("'%s' is not a valid descriptor function", name)
}

// fixed is a function that stands for one script that nobody can sign for by what it says.
func (r *reader) fixed(text string, script []byte) function {
	r.d.Solvable = false
	return function{text, func(uint32) ([]Output, error) { return []Output{{script, text}}, nil }}
}

// hashed reads a function that pays to the hash of the script of another.
func (r *reader) hashed(name, inner string, at place, wrap func([]byte) []byte) (function, error) {
	f, err := r.read(inner, at)
	if err != nil {
		return function{}, err
	}
	return function{name + "(" + f.text + ")", func(i uint32) ([]Output, error) {
		outs, err := f.expand(i)
		for n := range outs {
			outs[n] = Output{wrap(outs[n].Script), name + "(" + outs[n].Text + ")"}
		}
		return outs, err
	}}, nil
}

// single reads a function of one key.
func (r *reader) single(name, inner string, at place) (function, error) {
	form := keyForm{compressed: at == inWitnessScriptHash || name == "wpkh", xOnly: name == "tr" || name == "rawtr"}
	k, err := r.key(inner, form)
	if err != nil {
		return function{}, refuse("%s(): %v", name, err)
	}
	return function{name + "(" + k.text + ")", func(i uint32) ([]Output, error) {
		pub, text, err := k.at(i)
		if err != nil {
			return nil, err
		}
		var outs []Output
		for _, script := range scriptsOf(name, pub) {
			outs = append(outs, Output{script, name + "(" + text + ")"})
		}
		return outs, nil
	}}, nil
}

// scriptsOf returns the scripts of a function of one key: one, or all usual ones for combo.
func scriptsOf(name string, pub []byte) [][]byte {
	pk := slices.Concat([]byte{byte(len(pub))}, pub, []byte{txscript.OP_CHECKSIG})
	hash := btcaddr.Hash160(pub)
	pkh := slices.Concat([]byte{txscript.OP_DUP, txscript.OP_HASH160, txscript.OP_DATA_20}, hash, []byte{txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG})
	wpkh := slices.Concat([]byte{txscript.OP_0, txscript.OP_DATA_20}, hash)
	switch name {
	case "pk":
		return [][]byte{pk}
	case "pkh":
		return [][]byte{pkh}
	case "wpkh":
		return [][]byte{wpkh}
	case "rawtr":
		return [][]byte{payToTaproot(pub[1:])}
	case "tr":
		key, _ := schnorr.ParsePubKey(pub[1:]) // it was read as a key before
		return [][]byte{payToTaproot(schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(key)))}
	}
	if len(pub) != btcec.PubKeyBytesLenCompressed {
		return [][]byte{pk, pkh}
	}
	return [][]byte{pk, pkh, wpkh, payToScriptHash(wpkh)}
}

// maxBareKeys is how many keys a multisig script may have that is paid to directly, by Core's policy.
const maxBareKeys = 3

// multi reads a function of several keys.
func (r *reader) multi(name, inner string, at place) (function, error) {
	parts := strings.Split(inner, ",")
	required, err := strconv.ParseUint(parts[0], 10, 32)
	keys := make([]key, len(parts)-1)
	switch {
	case err != nil:
		return function{}, refuse("Multi threshold '%s' is not valid", parts[0])
	case len(keys) < 1 || len(keys) > txscript.MaxPubKeysPerMultiSig:
		return function{}, refuse("Cannot have %d keys in multisig; must have between 1 and %d keys, inclusive", len(keys), txscript.MaxPubKeysPerMultiSig)
	case required < 1:
		return function{}, refuse("Multisig threshold cannot be %d, must be at least 1", required)
	case required > uint64(len(keys)):
		return function{}, refuse("Multisig threshold cannot be larger than the number of keys; threshold is %d but only %d keys specified", required, len(keys))
	case at == top && len(keys) > maxBareKeys:
		return function{}, refuse("Cannot have %d pubkeys in bare multisig; only at most %d pubkeys", len(keys), maxBareKeys)
	}
	texts := []string{parts[0]}
	for i := range keys {
		if keys[i], err = r.key(parts[i+1], keyForm{compressed: at == inWitnessScriptHash}); err != nil {
			return function{}, refuse("Multi: %v", err)
		}
		texts = append(texts, keys[i].text)
	}
	return function{name + "(" + strings.Join(texts, ",") + ")", func(i uint32) ([]Output, error) {
		return multisig(name, int(required), keys, i)
	}}, nil
}

// multisig returns the script that asks for so many signatures by keys.
func multisig(name string, required int, keys []key, index uint32) ([]Output, error) {
	pubs := make([][]byte, len(keys))
	texts := []string{strconv.Itoa(required)}
	for i, k := range keys {
		pub, text, err := k.at(index)
		if err != nil {
			return nil, err
		}
		pubs[i] = pub
		texts = append(texts, text)
	}
	if name == "sortedmulti" {
		slices.SortFunc(pubs, slices.Compare)
	}
	b := txscript.NewScriptBuilder().AddInt64(int64(required))
	for _, pub := range pubs {
		b.AddData(pub)
	}
	script, err := b.AddInt64(int64(len(pubs))).AddOp(txscript.OP_CHECKMULTISIG).Script()
	return []Output{{script, name + "(" + strings.Join(texts, ",") + ")"}}, err
}
