// Package address turns output scripts into addresses and back, and private keys into WIF and back, for a network
// that is given as a value. It knows the forms that have an address: P2PKH, P2SH and every witness program
// (BIP141, BIP173, BIP350). It takes no address of another network, and says whose it is.
package address

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/address/v2/bech32"
	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
)

// Sizes in bytes.
const (
	hashLen        = 20 // of a key or script, as P2PKH, P2SH and P2WPKH carry it
	scriptHashLen  = 32 // of a script, as P2WSH carries it
	minProgramLen  = 2  // of any witness program (BIP141)
	maxProgramLen  = 40
	maxWitnessVer  = 16
	maxBase58Chars = 100 // longer input cannot be an address or a key; decoding costs its square
)

// Error says why a string is not an address or key of the wanted network. Where Bitcoin Core refuses for the same reason, Reason is in its words.
type Error struct {
	Reason   string
	Networks []string // the networks it does belong to; nil if it belongs to none
}

// Error returns the reason.
func (e Error) Error() string { return e.Reason }

// refuse makes an Error.
func refuse(format string, args ...any) error {
	return Error{Reason: fmt.Sprintf(format, args...)}
}

// Encode returns the address of an output script on the network p. It returns false if the script has a form that has no address.
func Encode(p *consensus.Params, script []byte) (string, bool) {
	switch {
	case txscript.IsPayToPubKeyHash(script):
		return base58.CheckEncode(script[3:3+hashLen], p.PubKeyHashID), true
	case txscript.IsPayToScriptHash(script):
		return base58.CheckEncode(script[2:2+hashLen], p.ScriptHashID), true
	}
	version, program, ok := witnessProgram(script)
	if !ok || checkProgram(version, program) != nil {
		return "", false
	}
	data, err := bech32.ConvertBits(program, 8, 5, true)
	if err != nil {
		return "", false
	}
	encode := bech32.EncodeM
	if version == 0 {
		encode = bech32.Encode
	}
	s, err := encode(p.Bech32HRP, append([]byte{byte(version)}, data...))
	return s, err == nil
}

// Decode returns the output script that pays to an address of the network p. Every error it returns is an Error.
func Decode(p *consensus.Params, s string) ([]byte, error) {
	script, err := decode(p, s)
	if err == nil {
		return script, nil
	}
	networks := others(p, func(q *consensus.Params) bool {
		_, err := decode(q, s)
		return err == nil
	})
	if networks == nil {
		return nil, err
	}
	return nil, foreign("address", p, networks)
}

// decode reads an address of p in whichever of the two encodings it is in.
func decode(p *consensus.Params, s string) ([]byte, error) {
	// The prefix decides, not the checksum: the reason for a refusal should be that of the encoding that was meant.
	if len(s) >= len(p.Bech32HRP) && strings.EqualFold(s[:len(p.Bech32HRP)], p.Bech32HRP) {
		return decodeSegwit(p, s)
	}
	return decodeBase58(p, s)
}

// decodeBase58 reads a P2PKH or P2SH address.
func decodeBase58(p *consensus.Params, s string) ([]byte, error) {
	if len(s) > maxBase58Chars || len(base58.Decode(s)) == 0 {
		return nil, refuse("Invalid or unsupported Segwit (Bech32) or Base58 encoding.")
	}
	hash, version, err := base58.CheckDecode(s)
	switch {
	case err != nil:
		return nil, refuse("Invalid checksum or length of Base58 address (P2PKH or P2SH)")
	case version != p.PubKeyHashID && version != p.ScriptHashID:
		return nil, refuse("Invalid or unsupported Base58-encoded address.")
	case len(hash) != hashLen:
		return nil, refuse("Invalid length for Base58 address (P2PKH or P2SH)")
	case version == p.PubKeyHashID:
		return slices.Concat([]byte{txscript.OP_DUP, txscript.OP_HASH160, hashLen}, hash,
			[]byte{txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG}), nil
	}
	return slices.Concat([]byte{txscript.OP_HASH160, hashLen}, hash, []byte{txscript.OP_EQUAL}), nil
}

// decodeSegwit reads the address of a witness program.
func decodeSegwit(p *consensus.Params, s string) ([]byte, error) {
	hrp, data, checksum, err := bech32.DecodeGeneric(s)
	if err != nil {
		return nil, refuse("%s", bech32Reason(err))
	}
	if len(data) == 0 {
		return nil, refuse("Empty Bech32 data section")
	}
	if hrp != p.Bech32HRP {
		return nil, refuse("Invalid or unsupported prefix for Segwit (Bech32) address (expected %s, got %s).", p.Bech32HRP, hrp)
	}
	version := int(data[0])
	switch {
	case version == 0 && checksum != bech32.Version0:
		return nil, refuse("Version 0 witness address must use Bech32 checksum")
	case version != 0 && checksum != bech32.VersionM:
		return nil, refuse("Version 1+ witness address must use Bech32m checksum")
	}
	program, err := bech32.ConvertBits(data[1:], 5, 8, false)
	if err != nil {
		return nil, refuse("Invalid padding in Bech32 data section")
	}
	if err := checkProgram(version, program); err != nil {
		return nil, err
	}
	op := byte(txscript.OP_0)
	if version > 0 {
		op = byte(txscript.OP_1 + version - 1)
	}
	return append([]byte{op, byte(len(program))}, program...), nil
}

// checkProgram says whether a witness program of this version has an address.
func checkProgram(version int, program []byte) error {
	unit := "bytes"
	if len(program) == 1 {
		unit = "byte"
	}
	switch n := len(program); {
	case version == 0 && n != hashLen && n != scriptHashLen:
		return refuse("Invalid Bech32 v0 address program size (%d %s), per BIP141", n, unit)
	case version > maxWitnessVer:
		return refuse("Invalid Bech32 address witness version")
	case n < minProgramLen || n > maxProgramLen:
		return refuse("Invalid Bech32 address program size (%d %s)", n, unit)
	}
	return nil
}

// witnessProgram splits a script of BIP141's form: a version and one direct push.
func witnessProgram(script []byte) (version int, program []byte, ok bool) {
	if len(script) < 2 || int(script[1]) != len(script)-2 || len(script) > 2+maxProgramLen {
		return 0, nil, false
	}
	switch op := script[0]; {
	case op == txscript.OP_0:
		return 0, script[2:], true
	case op >= txscript.OP_1 && op <= txscript.OP_16:
		return int(op-txscript.OP_1) + 1, script[2:], true
	}
	return 0, nil, false
}

// bech32Reason puts a decoder's error into Core's words.
func bech32Reason(err error) string {
	switch err := err.(type) {
	case bech32.ErrInvalidLength:
		if int(err) > maxProgramLen {
			return "Bech32 string too long"
		}
		return "Invalid separator position"
	case bech32.ErrInvalidCharacter, bech32.ErrMixedCase:
		return "Invalid character or mixed case"
	case bech32.ErrInvalidSeparatorIndex:
		if err < 0 {
			return "Missing separator"
		}
		return "Invalid separator position"
	case bech32.ErrNonCharsetChar:
		return "Invalid Base 32 character"
	}
	return "Invalid Bech32 checksum"
}

// others returns the names of the networks other than p of which is holds.
func others(p *consensus.Params, is func(*consensus.Params) bool) []string {
	var names []string
	for _, name := range consensus.Names() {
		if q, err := consensus.ByName(name); err == nil && name != p.Name && is(q) {
			names = append(names, name)
		}
	}
	return names
}

// foreign is the error for what belongs to other networks.
func foreign(what string, p *consensus.Params, networks []string) error {
	return Error{
		Reason:   fmt.Sprintf("This %s belongs to the network %s, not to %s", what, strings.Join(networks, " or "), p.Name),
		Networks: networks,
	}
}
