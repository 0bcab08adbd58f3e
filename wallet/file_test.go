package wallet

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func TestPassphrase(t *testing.T) {
	s := newStory(t)
	w := s.create("w", ledger.NewWallet{Passphrase: "right", Startup: true})
	s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(w), 1, 1)) // a locked wallet gives out addresses
	order := ledger.WalletOrder{Payments: []ledger.WalletPayment{{PkScript: forms(t)["P2TR"], Amount: 1000}}}
	ctx := context.Background()
	if _, err := w.Send(ctx, order); !errors.Is(err, ledger.ErrWalletLocked) {
		t.Fatal(err)
	}
	if err := w.Unlock("wrong", time.Minute); !errors.Is(err, ledger.ErrPassphrase) {
		t.Fatal(err)
	}
	if err := w.Unlock("right", time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Send(ctx, order); err != nil {
		t.Fatal(err)
	}
	if err := w.ChangePassphrase("wrong", "new"); !errors.Is(err, ledger.ErrPassphrase) {
		t.Fatal(err)
	}
	if err := w.ChangePassphrase("right", "new"); err != nil {
		t.Fatal(err)
	}
	if err := w.Lock(); err != nil {
		t.Fatal(err)
	}
	s.reopen()
	w = s.get("w")
	if _, err := w.Words("right"); !errors.Is(err, ledger.ErrPassphrase) {
		t.Fatal(err)
	}
	words, err := w.Words("new")
	if err != nil || len(strings.Fields(words)) != 12 {
		t.Fatalf("%v", err)
	}
	if err := w.Encrypt("again"); !errors.Is(err, ledger.ErrWalletEncrypted) {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(s.Path("w"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte(`"entropy"`)) {
		t.Error("the secret is in the file in the clear")
	}
}

func TestEncryptLater(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	before, err := w.Words("")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Unlock("x", time.Minute); !errors.Is(err, ledger.ErrWalletUnencrypted) {
		t.Fatal(err)
	}
	if err := w.Lock(); !errors.Is(err, ledger.ErrWalletUnencrypted) {
		t.Fatal(err)
	}
	if err := w.Encrypt("secret"); err != nil {
		t.Fatal(err)
	}
	if info := w.Info(); !info.Encrypted || !info.UnlockedUntil.IsZero() {
		t.Fatalf("%+v", info)
	}
	s.reopen()
	if after, err := s.get("w").Words("secret"); err != nil || after != before {
		t.Fatalf("other words, %v", err)
	}
}

func TestUnlockEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t)
		w := s.create("w", ledger.NewWallet{Passphrase: "right"})
		unlocked := func() bool { return !w.Info().UnlockedUntil.IsZero() }
		unlock := func(d time.Duration) {
			if err := w.Unlock("right", d); err != nil {
				t.Fatal(err)
			}
		}
		unlock(time.Minute)
		time.Sleep(50 * time.Second)
		unlock(time.Minute) // counts anew
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if !unlocked() {
			t.Fatal("locked too early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if unlocked() {
			t.Fatal("still unlocked")
		}
		unlock(0)
		synctest.Wait()
		if unlocked() {
			t.Fatal("unlocked for no time")
		}
	})
}

// Every flipped bit is found, and none is mistaken for a wrong passphrase or another wallet.
func TestTamperedFileIsRefused(t *testing.T) {
	s := newStory(t)
	for _, passphrase := range []string{"", "secret"} {
		name := "w" + passphrase
		if err := s.Create(name, ledger.NewWallet{Passphrase: passphrase}); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(s.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			bad := bytes.Clone(raw)
			bad[i] ^= 1 << (i % 8)
			if _, _, err := decodeKeys(s.options.Params, bad); err == nil {
				t.Fatalf("byte %d: %q was not missed", i, raw[i])
			}
		}
		for n := range raw {
			if _, _, err := decodeKeys(s.options.Params, raw[:n]); err == nil {
				t.Fatalf("%d of %d bytes were enough", n, len(raw))
			}
		}
		if _, _, err := decodeKeys(consensus.Main(), raw); err == nil || errors.Is(err, ledger.ErrWalletDamaged) || !strings.Contains(err.Error(), "regtest") {
			t.Errorf("on another network: %v", err)
		}
		newer := bytes.Replace(raw, []byte(" 1 "), []byte(" 2 "), 1)
		if _, _, err := decodeKeys(s.options.Params, newer); !errors.Is(err, errNewer) {
			t.Errorf("a newer version: %v", err)
		}
	}
}

// A file whose public key was exchanged, checksum and all, must not sign or show words as if it were whole.
func TestExchangedKeyIsRefused(t *testing.T) {
	s := newStory(t)
	if err := s.Create("w", ledger.NewWallet{Passphrase: "secret"}); err != nil {
		t.Fatal(err)
	}
	thief := s.wallet("thief")
	if err := s.Unload("w", nil); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(s.Path("w"))
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := decodeKeys(s.options.Params, raw)
	if err != nil {
		t.Fatal(err)
	}
	f.Account = thief.file.Account
	if raw, err = encodeKeys(f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Path("w"), raw, fileMode); err != nil {
		t.Fatal(err)
	}
	if err := s.Load("w", nil); err != nil {
		t.Fatal(err)
	}
	w := s.get("w")
	if err := w.Unlock("secret", time.Minute); !errors.Is(err, ledger.ErrWalletDamaged) {
		t.Fatalf("unlocked: %v", err)
	}
}

func TestCrashBetweenWriteAndRename(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	first := s.address(w)
	for _, path := range []string{s.Path("w"), w.statePath()} {
		// As a crash leaves it: half a file, with a mode that is too wide.
		if err := os.WriteFile(path+tmpSuffix, []byte("groat-wal"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.crash()
	w = s.get("w")
	if _, mine := w.Key(first); !mine {
		t.Fatal("the wallet is another")
	}
	second := s.address(w)
	if string(first) == string(second) {
		t.Fatal("an address was handed out twice")
	}
	s.reopen()
	for _, path := range []string{s.Path("w"), w.statePath()} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != fileMode {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if _, err := os.Stat(path + tmpSuffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left over", path+tmpSuffix)
		}
	}
	if names, err := s.OnDisk(); err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
}

// What the file layer adds to a name while it writes, and how a file may be read.
const (
	tmpSuffix = ".tmp"
	fileMode  = 0o600
)

// A disk that refuses to write makes the call fail and nothing else: no address twice, no payment, no other passphrase.
func TestWriteFails(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(w), 1, 1))
	s.holds(w, 1, 0, 0)
	// A directory where the new file would go cannot be removed while something is in it.
	for _, path := range []string{s.Path("w"), w.statePath()} {
		if err := os.MkdirAll(path+tmpSuffix+"/x", 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Address(ledger.ReceiveBranch, ""); err == nil {
		t.Error("an address was handed out that is on no disk")
	}
	if err := w.Encrypt("secret"); err == nil || w.Info().Encrypted {
		t.Errorf("encrypted: %v", err)
	}
	order := ledger.WalletOrder{Payments: []ledger.WalletPayment{{PkScript: forms(t)["P2TR"], Amount: 1000}}}
	if _, err := w.Send(context.Background(), order); err == nil || len(s.chain.pool.arrivals) != 0 {
		t.Errorf("sent: %v", err)
	}
	for _, path := range []string{s.Path("w"), w.statePath()} {
		if err := os.RemoveAll(path + tmpSuffix); err != nil {
			t.Fatal(err)
		}
	}
	s.holds(w, 1, 0, 0)
	if _, err := w.Send(context.Background(), order); err != nil {
		t.Error(err)
	}
}

func TestNamesAndLoading(t *testing.T) {
	s := newStory(t)
	for _, name := range []string{"", ".", "..", ".hidden", "a/b", `a\b`, "a:b", " a", "a\n", strings.Repeat("x", maxNameLen+1), "\xff"} {
		if err := s.Create(name, ledger.NewWallet{}); !errors.Is(err, ledger.ErrWalletName) {
			t.Errorf("%q: %v", name, err)
		}
		if err := s.Load(name, nil); !errors.Is(err, ledger.ErrNoWalletFile) {
			t.Errorf("load %q: %v", name, err)
		}
	}
	if err := s.Create("once", ledger.NewWallet{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Create("once", ledger.NewWallet{}); !errors.Is(err, ledger.ErrWalletExists) {
		t.Error(err)
	}
	if err := s.Load("once", nil); !errors.Is(err, ledger.ErrWalletLoaded) {
		t.Error(err)
	}
	s.reopen()
	if len(s.Loaded()) != 0 {
		t.Error("a wallet came back that was not to")
	}
	yes, no := true, false
	if err := s.Load("once", &yes); err != nil {
		t.Fatal(err)
	}
	s.reopen()
	w := s.get("once")
	if err := s.Unload("once", &no); err != nil {
		t.Fatal(err)
	}
	if err := s.Unload("once", nil); !errors.Is(err, ledger.ErrNoWallet) {
		t.Error(err)
	}
	if _, err := w.Balance(context.Background(), 0); !errors.Is(err, ledger.ErrNoWallet) {
		t.Errorf("an unloaded wallet answers: %v", err)
	}
	if _, err := w.Address(0, ""); !errors.Is(err, ledger.ErrNoWallet) {
		t.Errorf("an unloaded wallet hands out addresses: %v", err)
	}
	s.reopen()
	if len(s.Loaded()) != 0 {
		t.Error("a wallet came back after it was told not to")
	}
	// A damaged file is left out and does not keep the others from loading.
	s.wallet("good")
	if err := os.WriteFile(s.Path("bad"), []byte("groat-wallet 1 00\n{}"), fileMode); err != nil {
		t.Fatal(err)
	}
	s.reopen()
	s.get("good")
	if err := s.Load("bad", nil); !errors.Is(err, ledger.ErrWalletDamaged) {
		t.Error(err)
	}
}

func TestBackup(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	script := s.address(w)
	path := s.options.Dir + "/copy" + keySuffix
	if err := w.Backup(path); err != nil {
		t.Fatal(err)
	}
	if err := w.Backup(path); err == nil {
		t.Error("a wallet was written over")
	}
	elsewhere := filepath.Join(t.TempDir(), "every-night")
	if err := errors.Join(w.Backup(elsewhere), w.Backup(elsewhere)); err != nil {
		t.Error(err)
	}
	s.chain.mine([]byte{txscript.OP_TRUE}, foreign(script, 1, 1))
	if err := s.Load("copy", nil); err != nil {
		t.Fatal(err)
	}
	again := s.get("copy")
	s.holds(again, 1, 0, 0)
}

func FuzzDecodeFiles(f *testing.F) {
	p := consensus.Regtest()
	e, err := parseWords(abandon)
	if err != nil {
		f.Fatal(err)
	}
	key, fingerprint, err := accountKey(p, e)
	if err != nil {
		f.Fatal(err)
	}
	public, err := neuter(p, key)
	if err != nil {
		f.Fatal(err)
	}
	acct, err := newAccount(p, public.String(), fingerprint)
	if err != nil {
		f.Fatal(err)
	}
	file := keyFile{Network: p.Name, ID: "id", Account: public.String(), Fingerprint: "73c5da0a", Secret: plain(e)}
	keys, err := encodeKeys(file)
	if err != nil {
		f.Fatal(err)
	}
	keyring, err := newKeyring(acct, [2]uint32{})
	if err != nil {
		f.Fatal(err)
	}
	b := newBook(keyring, ledger.Ref{Hash: p.GenesisHash})
	script, err := acct.script(ledger.WalletPath{})
	if err != nil {
		f.Fatal(err)
	}
	blk := consensus.AssembleBlock(p.Genesis.Header, []*consensus.Tx{foreign(script, 1, 1), foreign(script, 2, 2)})
	if _, err := b.connect(ledger.Ref{Hash: blk.Hash(), Height: 1}, blk); err != nil {
		f.Fatal(err)
	}
	f.Add(keys)
	state, err := encodeState("id", b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state)
	f.Add([]byte("groat-wallet 1 "))
	watched := *keyring
	watched.scripts = maps.Clone(keyring.scripts)
	f.Fuzz(func(t *testing.T, raw []byte) {
		// The checksum would keep the fuzzer out: give what it makes a right one.
		_, body, _ := bytes.Cut(raw, []byte("\n"))
		for _, magic := range []string{keyMagic, stateMagic} {
			content := withHead(magic, body)
			if f, _, err := decodeKeys(p, content); err == nil {
				if _, err := encodeKeys(f); err != nil {
					t.Fatal(err)
				}
			}
			fresh := watched // deriving one anew would take all the time
			fresh.scripts = maps.Clone(watched.scripts)
			if b, err := decodeState("id", &fresh, content); err == nil {
				if _, err := encodeState("id", b); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
