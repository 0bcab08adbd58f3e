package address

import (
	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/btcec/v2"

	"groat/consensus"
)

// compressedMark follows the key in a WIF whose public key is used in its short form.
const compressedMark = 1

// WIF is a private key as the wallet import format tells it.
type WIF struct {
	Key        *btcec.PrivateKey
	Compressed bool // the public key is used in its 33-byte form
}

// EncodeWIF returns the wallet import format of a key on the network p.
func EncodeWIF(p *consensus.Params, w WIF) string {
	raw := w.Key.Serialize()
	if w.Compressed {
		raw = append(raw, compressedMark)
	}
	return base58.CheckEncode(raw, p.WIFID)
}

// DecodeWIF reads a key in wallet import format. Every error it returns is an Error.
func DecodeWIF(p *consensus.Params, s string) (WIF, error) {
	w, err := decodeWIF(p, s)
	if err == nil {
		return w, nil
	}
	networks := others(p, func(q *consensus.Params) bool {
		_, err := decodeWIF(q, s)
		return err == nil
	})
	if networks == nil {
		return WIF{}, err
	}
	return WIF{}, foreign("private key", p, networks)
}

// decodeWIF reads a key of the network p.
func decodeWIF(p *consensus.Params, s string) (WIF, error) {
	if len(s) > maxBase58Chars {
		return WIF{}, refuse("Invalid private key encoding")
	}
	raw, version, err := base58.CheckDecode(s)
	if err != nil || version != p.WIFID {
		return WIF{}, refuse("Invalid private key encoding")
	}
	compressed := len(raw) == btcec.PrivKeyBytesLen+1 && raw[btcec.PrivKeyBytesLen] == compressedMark
	if len(raw) != btcec.PrivKeyBytesLen && !compressed {
		return WIF{}, refuse("Invalid private key encoding")
	}
	var scalar btcec.ModNScalar
	if overflow := scalar.SetByteSlice(raw[:btcec.PrivKeyBytesLen]); overflow || scalar.IsZero() {
		return WIF{}, refuse("Private key outside allowed range")
	}
	return WIF{Key: btcec.PrivKeyFromScalar(&scalar), Compressed: compressed}, nil
}
