package rpc

import (
	"bytes"
	"context"
	"encoding/base64"

	btcaddr "github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/internal/address"
)

// messageMagic stands before a signed message, so that it can be no transaction.
const messageMagic = "Bitcoin Signed Message:\n"

func (a *api) messageMethods() []Method {
	message := Arg{Name: "message", Type: ArgString, Required: true, Help: "The message that was signed, or is to be."}
	return []Method{
		{
			Name: "verifymessage", Category: "util", Run: a.verifyMessage,
			Args: []Arg{
				{Name: "address", Type: ArgString, Required: true, Help: "The address to use for the signature: it must pay to the hash of a key."},
				{Name: "signature", Type: ArgString, Required: true, Help: "The signature provided by the signer in base 64 encoding."},
				message,
			},
			Help: "Verify a signed message.", Result: "true|false    (boolean) If the signature is verified or not.",
		},
		{
			Name: "signmessagewithprivkey", Category: "util", Run: a.signMessageWithPrivKey,
			Args: []Arg{{Name: "privkey", Type: ArgString, Required: true, Help: "The private key to sign the message with, in wallet import format."}, message},
			Help: "Sign a message with the private key of an address", Result: `"str"    (string) The signature of the message encoded in base 64`,
		},
	}
}

// messageHash returns what a signature of a message signs.
func messageHash(message string) []byte {
	var w bytes.Buffer
	_ = wire.WriteVarString(&w, 0, messageMagic) // a bytes.Buffer takes every write
	_ = wire.WriteVarString(&w, 0, message)
	return chainhash.DoubleHashB(w.Bytes())
}

func (a *api) verifyMessage(_ context.Context, c *Call) (any, error) {
	script, err := address.Decode(a.Params, c.String(0))
	switch {
	case err != nil:
		return nil, errorf(CodeNotFound, "Invalid address")
	case !txscript.IsPayToPubKeyHash(script):
		return nil, errorf(CodeType, "Address does not refer to key")
	}
	signature, err := base64.StdEncoding.DecodeString(c.String(1))
	if err != nil {
		return nil, errorf(CodeType, "Malformed base64 encoding")
	}
	pub, compressed, err := ecdsa.RecoverCompact(signature, messageHash(c.String(2)))
	if err != nil {
		return false, nil
	}
	raw := pub.SerializeUncompressed()
	if compressed {
		raw = pub.SerializeCompressed()
	}
	return bytes.Equal(payToPubKeyHash(btcaddr.Hash160(raw)), script), nil
}

func (a *api) signMessageWithPrivKey(_ context.Context, c *Call) (any, error) {
	w, err := address.DecodeWIF(a.Params, c.String(0))
	if err != nil {
		return nil, errorf(CodeNotFound, "Invalid private key")
	}
	return base64.StdEncoding.EncodeToString(ecdsa.SignCompact(w.Key, messageHash(c.String(1)), w.Compressed)), nil
}
