package wallet

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"groat/consensus"
	"groat/internal/ledger"
)

// The two files of a wallet, in one directory: the keys, which nothing can replace but the words, and what was
// found with them, which the chain gives again.
const (
	keySuffix   = ".wallet"
	stateSuffix = ".state"

	fileVersion = 1
	maxFileSize = 1 << 30
)

// magics head the files: a word, the version, the SHA-256 of what follows the line.
const (
	keyMagic   = "groat-wallet"
	stateMagic = "groat-wallet-state"
)

// errNewer is returned for files that a later program has written.
var errNewer = errors.New("it was written by a newer version of groat; use that one")

// keyFile is the content of a .wallet file.
type keyFile struct {
	Network     string            `json:"network"`
	ID          string            `json:"id"` // random; the state file names it too
	Created     int64             `json:"created"`
	Birth       place             `json:"birth"`      // no transaction of the wallet is in this block or below
	BirthTime   int64             `json:"birth_time"` // no transaction of the wallet is older
	Fingerprint string            `json:"fingerprint"`
	Account     string            `json:"account"` // extended public key of m/84'/coin'/0'
	Next        [2]uint32         `json:"next"`    // per branch, the first address that was not handed out
	Labels      map[string]string `json:"labels,omitempty"`
	Startup     bool              `json:"load_on_startup,omitempty"`
	Secret      secret            `json:"secret"`
}

// belongs says what the secret is bound to.
func (f *keyFile) belongs() string { return f.Network + " " + f.ID }

// newID draws a name for a wallet that outlives its file's name.
func newID() (string, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", fmt.Errorf("draw a random number: %w", err)
	}
	return hex.EncodeToString(id), nil
}

// encodeKeys returns the bytes of a .wallet file, for people to read too.
func encodeKeys(f keyFile) ([]byte, error) {
	body, err := json.MarshalIndent(f, "", " ")
	return withHead(keyMagic, body), err
}

// decodeKeys reads a .wallet file of the network p. Errors are ErrWalletDamaged, or say that it is not for this program or network.
func decodeKeys(p *consensus.Params, raw []byte) (keyFile, *account, error) {
	var f keyFile
	if err := decodeFile(keyMagic, raw, &f); err != nil {
		return keyFile{}, nil, err
	}
	if f.Network != p.Name {
		return keyFile{}, nil, fmt.Errorf("the wallet is of the network %s, not of %s", f.Network, p.Name)
	}
	if f.Next[0] > maxAddresses || f.Next[1] > maxAddresses || f.Birth.Height < 0 {
		return keyFile{}, nil, fmt.Errorf("%w: an index is out of range", ledger.ErrWalletDamaged)
	}
	finger, err := hex.DecodeString(f.Fingerprint)
	if err != nil || len(finger) != 4 {
		return keyFile{}, nil, fmt.Errorf("%w: its fingerprint", ledger.ErrWalletDamaged)
	}
	if err := f.Secret.check(); err != nil {
		return keyFile{}, nil, fmt.Errorf("%w: %w", ledger.ErrWalletDamaged, err)
	}
	acct, err := newAccount(p, f.Account, [4]byte(finger))
	if err != nil {
		return keyFile{}, nil, fmt.Errorf("%w: %w", ledger.ErrWalletDamaged, err)
	}
	return f, acct, nil
}

// withHead puts the line that heads a file of ours before its body.
func withHead(magic string, body []byte) []byte {
	return append(fmt.Appendf(nil, "%s %d %x\n", magic, fileVersion, sha256.Sum256(body)), body...)
}

// decodeFile reads a head and the JSON below it. Everything else is an ErrWalletDamaged, but for a newer version.
func decodeFile(magic string, raw []byte, content any) error {
	head, body, ok := bytes.Cut(raw, []byte("\n"))
	fields := bytes.Split(head, []byte(" "))
	if !ok || len(fields) != 3 || string(fields[0]) != magic {
		return fmt.Errorf("%w: it does not begin as one", ledger.ErrWalletDamaged)
	}
	if version := string(fields[1]); version != fmt.Sprint(fileVersion) {
		return fmt.Errorf("version %.20q: %w", version, errNewer)
	}
	if sum := sha256.Sum256(body); string(fields[2]) != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("%w: its content does not fit its checksum", ledger.ErrWalletDamaged)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(content); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrWalletDamaged, err)
	}
	return nil
}

// readFile reads a file of at most maxFileSize bytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFileSize {
		return nil, fmt.Errorf("%s: %w: it is too long", path, ledger.ErrWalletDamaged)
	}
	return raw, nil
}
