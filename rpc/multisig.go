package rpc

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

func (a *api) multisigMethod() Method {
	return Method{
		Name: "createmultisig", Category: "util", Run: a.createMultisig,
		Args: []Arg{
			{Name: "nrequired", Type: ArgInt, Required: true, Help: "The number of required signatures out of the n keys."},
			{Name: "keys", Type: ArgArray, Required: true, Sample: `["key",...]`, Help: "The hex-encoded public keys."},
			{Name: "address_type", Type: ArgString, Default: `"legacy"`, Help: `The address type to use. Options are "legacy", "p2sh-segwit", and "bech32".`},
		},
		Help: "Creates a multi-signature address with n signatures of m keys required.", Result: "{address, redeemScript, descriptor, warnings}",
	}
}

// multisigJSON is the answer of createmultisig.
type multisigJSON struct {
	Address  string   `json:"address"`
	Script   hexBytes `json:"redeemScript"`
	Desc     string   `json:"descriptor"`
	Warnings []string `json:"warnings,omitempty"`
}

func (a *api) createMultisig(_ context.Context, c *Call) (any, error) {
	required := c.Int(0)
	keys, long, err := multisigKeys(c.Value(1).List)
	if err != nil {
		return nil, err
	}
	kind := c.StringOr(2, "legacy")
	switch {
	case kind == "bech32m":
		return nil, errorf(CodeNotFound, "createmultisig cannot create bech32m multisig addresses")
	case kind != "legacy" && kind != "p2sh-segwit" && kind != "bech32":
		return nil, errorf(CodeNotFound, "Unknown address type '%s'", kind)
	case required < 1:
		return nil, errorf(CodeInvalidParameter, "a multisignature address must require at least one key to redeem")
	case int64(len(keys)) < required:
		return nil, errorf(CodeInvalidParameter, "not enough keys supplied (got %d keys, but need at least %d to redeem)", len(keys), required)
	case len(keys) > txscript.MaxPubKeysPerMultiSig:
		return nil, errorf(CodeInvalidParameter, "Number of keys involved in the multisignature address creation > %d\nReduce the number", txscript.MaxPubKeysPerMultiSig)
	}
	var warnings []string
	if long && kind != "legacy" { // a witness takes short keys only
		kind, warnings = "legacy", []string{"Unable to make chosen address type, please ensure no uncompressed public keys are present."}
	}
	multi := "multi(" + strconv.FormatInt(required, 10) + "," + strings.Join(keys, ",") + ")"
	desc := map[string]string{"legacy": "sh(" + multi + ")", "p2sh-segwit": "sh(wsh(" + multi + "))", "bech32": "wsh(" + multi + ")"}[kind]
	d, err := a.parseDescriptor(desc)
	if err != nil {
		return nil, err
	}
	outs, err := d.At(0)
	if err != nil {
		return nil, err
	}
	script, err := multisigScript(int(required), keys)
	if err != nil {
		return nil, err
	}
	if kind == "legacy" && len(script) > txscript.MaxScriptElementSize {
		return nil, errorf(CodeInvalidParameter, "redeemScript exceeds size limit: %d > %d", len(script), txscript.MaxScriptElementSize)
	}
	text, _ := a.addressOf(outs[0].Script) // each of the three has one
	return multisigJSON{text, script, d.String(), warnings}, nil
}

// multisigKeys reads public keys and returns them in hexadecimal, and whether one is of the long form.
func multisigKeys(list []Value) (keys []string, long bool, err error) {
	for _, v := range list {
		text, err := v.AsString()
		if err != nil {
			return nil, false, err
		}
		raw, err := hex.DecodeString(text)
		switch {
		case err != nil:
			return nil, false, errorf(CodeNotFound, "Pubkey \"%s\" must be a hex string", text)
		case len(raw) != btcec.PubKeyBytesLenCompressed && len(raw) != 65:
			return nil, false, errorf(CodeNotFound, "Pubkey \"%s\" must have a length of either 33 or 65 bytes", text)
		case !validKey(raw):
			return nil, false, errorf(CodeNotFound, "Pubkey \"%s\" must be cryptographically valid.", text)
		}
		keys = append(keys, strings.ToLower(text))
		long = long || len(raw) == 65
	}
	return keys, long, nil
}

// multisigScript returns the script that asks for so many signatures by keys.
func multisigScript(required int, keys []string) ([]byte, error) {
	b := txscript.NewScriptBuilder().AddInt64(int64(required))
	for _, key := range keys {
		raw, err := hex.DecodeString(key)
		if err != nil {
			return nil, err
		}
		b.AddData(raw)
	}
	return b.AddInt64(int64(len(keys))).AddOp(txscript.OP_CHECKMULTISIG).Script()
}
