package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	btcaddr "github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
	"groat/internal/address"
)

func (a *api) scriptMethods() []Method {
	return []Method{
		{
			Name: "decodescript", Category: "rawtransactions", Run: a.decodeScript,
			Args: []Arg{{Name: "hexstring", Type: ArgHex, Required: true, Help: "the hex-encoded script"}},
			Help: "Decode a hex-encoded script.", Result: "{asm, desc, type, address, p2sh, segwit}",
		},
		{
			Name: "validateaddress", Category: "util", Run: a.validateAddress,
			Args:   []Arg{{Name: "address", Type: ArgString, Required: true, Help: "The address to validate"}},
			Help:   "Return information about the given address.",
			Result: "{isvalid, address, scriptPubKey, isscript, iswitness, witness_version, witness_program} or {isvalid, error_locations, error}",
		},
	}
}

// decodedJSON is the answer of decodescript.
type decodedJSON struct {
	Asm     string      `json:"asm"`
	Desc    string      `json:"desc"`
	Type    scriptType  `json:"type"`
	Address string      `json:"address,omitempty"`
	P2SH    string      `json:"p2sh,omitempty"`
	Segwit  *segwitJSON `json:"segwit,omitempty"`
}

// segwitJSON is a script as a witness program.
type segwitJSON struct {
	scriptJSON
	P2SH string `json:"p2sh-segwit"`
}

func (a *api) decodeScript(_ context.Context, c *Call) (any, error) {
	script, err := hex.DecodeString(c.String(0))
	if err != nil {
		return nil, errorf(CodeInvalidParameter, "argument must be hexadecimal string (not '%s')", c.String(0))
	}
	shown := a.scriptJSON(script)
	j := decodedJSON{Asm: shown.Asm, Desc: shown.Desc, Type: shown.Type, Address: shown.Address}
	if !wrappable(script, shown.Type) {
		return j, nil
	}
	j.P2SH, _ = a.addressOf(payToScriptHash(script)) // every P2SH script has an address
	program, ok := asWitness(script)
	if !ok {
		return j, nil
	}
	j.Segwit = &segwitJSON{scriptJSON: a.scriptJSON(program)}
	if inner, ok := keyDescriptor(script); ok && shown.Type == typeMultisig {
		j.Segwit.Desc = withChecksum("wsh(" + inner + ")")
	}
	j.Segwit.P2SH, _ = a.addressOf(payToScriptHash(program))
	return j, nil
}

// wrappable reports whether it makes sense to pay to the hash of a script of this type.
func wrappable(script []byte, kind scriptType) bool {
	switch kind {
	case typeMultisig, typeNonstandard, typePubKey, typePubKeyHash, typeKeyHashV0, typeScriptV0:
	default:
		return false
	}
	if !validOps(script) || consensus.Unspendable(script) {
		return false
	}
	t := txscript.MakeScriptTokenizer(0, script)
	for t.Next() {
		if isSuccess(t.Opcode()) {
			return false
		}
	}
	return true
}

// isSuccess reports whether op makes every tapscript succeed (BIP342).
func isSuccess(op byte) bool {
	return op == 80 || op == 98 || (op >= 126 && op <= 129) || (op >= 131 && op <= 134) ||
		(op >= 137 && op <= 138) || (op >= 141 && op <= 142) || (op >= 149 && op <= 153) || op >= 187
}

// asWitness returns the witness program that stands for a script, and false if there is none.
func asWitness(script []byte) ([]byte, bool) {
	kind, keys := classify(script)
	switch kind {
	case typePubKey, typeMultisig:
		if slices.ContainsFunc(keys, func(key []byte) bool { return len(key) != btcec.PubKeyBytesLenCompressed }) {
			return nil, false
		}
	case typePubKeyHash, typeNonstandard:
	default:
		return nil, false
	}
	switch kind {
	case typePubKey:
		return witnessProgram(btcaddr.Hash160(keys[0])), true
	case typePubKeyHash:
		return witnessProgram(script[3:23]), true
	}
	sum := sha256.Sum256(script)
	return witnessProgram(sum[:]), true
}

// witnessProgram returns the script of version 0 with this program (BIP141).
func witnessProgram(program []byte) []byte {
	return slices.Concat([]byte{txscript.OP_0, byte(len(program))}, program)
}

// payToScriptHash returns the script that pays to the hash of another (BIP16).
func payToScriptHash(script []byte) []byte {
	return slices.Concat([]byte{txscript.OP_HASH160, txscript.OP_DATA_20}, btcaddr.Hash160(script), []byte{txscript.OP_EQUAL})
}

// addressJSON is the answer of validateaddress for an address that is valid.
type addressJSON struct {
	Valid     bool      `json:"isvalid"`
	Address   string    `json:"address"`
	Script    hexBytes  `json:"scriptPubKey"`
	IsScript  *bool     `json:"isscript,omitempty"`
	IsWitness bool      `json:"iswitness"`
	Version   *int      `json:"witness_version,omitempty"`
	Program   *hexBytes `json:"witness_program,omitempty"`
}

func (a *api) validateAddress(_ context.Context, c *Call) (any, error) {
	script, err := address.Decode(a.Params, c.String(0))
	if err != nil {
		return struct {
			Valid     bool   `json:"isvalid"`
			Locations []int  `json:"error_locations"`
			Error     string `json:"error"`
		}{false, []int{}, err.Error()}, nil
	}
	text, _ := a.addressOf(script) // it came from one
	j := addressJSON{Valid: true, Address: text, Script: script}
	kind, _ := classify(script)
	isScript := kind != typePubKeyHash && kind != typeKeyHashV0
	if kind != typeUnknown {
		j.IsScript = &isScript
	}
	if version, program, err := txscript.ExtractWitnessProgramInfo(script); err == nil {
		j.IsWitness = true
		if kind != typeAnchor {
			shown := hexBytes(program)
			j.Version, j.Program = &version, &shown
		}
	}
	return j, nil
}
