package wallet

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"

	"groat/internal/ledger"
)

func TestCoinsFollowTheChain(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	script := s.address(w)
	s.chain.mine(script)
	s.holds(w, 0, 0, 50)
	s.chain.mineN(98)
	if again := s.chain.mine(s.address(w)); w.Sync(context.Background()) == nil {
		tx, err := w.Transaction(context.Background(), again.TxID())
		if err != nil || len(tx.Conflicts) != 0 {
			t.Fatalf("a coinbase conflicts with %v, %v", tx.Conflicts, err)
		}
	}
	s.chain.fork(1)
	s.chain.mineN(1)
	s.holds(w, 0, 0, 50) // one block more than the rules ask for
	s.chain.mineN(1)
	s.holds(w, 50, 0, 0)
	tx := foreign(s.address(w), 2, 1)
	if _, err := s.chain.pool.Add(context.Background(), tx); err != nil {
		t.Fatal(err)
	}
	s.holds(w, 50, 2, 0)
	s.chain.mine([]byte{txscript.OP_TRUE}, tx)
	s.holds(w, 52, 0, 0)
	s.reopen()
	s.holds(s.get("w"), 52, 0, 0)
}

func TestReorgGivesCoinsBack(t *testing.T) {
	//   … - 1(pays us) - 2(pays us) - 3
	//                  \- 2' - 3' - 4'(pays us in another transaction)
	s := newStory(t)
	w := s.wallet("w")
	x, y := foreign(s.address(w), 1, 1), foreign(s.address(w), 2, 2)
	other := foreign(s.address(w), 4, 2) // spends what y spends
	s.chain.mine([]byte{txscript.OP_TRUE}, x)
	s.chain.mine([]byte{txscript.OP_TRUE}, y)
	s.chain.mineN(1)
	s.holds(w, 3, 0, 0)
	s.chain.fork(2)
	s.chain.mineN(2)
	if _, err := s.chain.pool.Add(context.Background(), y); err != nil { // the pool gives it back
		t.Fatal(err)
	}
	s.holds(w, 1, 2, 0)
	s.chain.mine([]byte{txscript.OP_TRUE}, other)
	s.holds(w, 5, 0, 0)
	tx, err := w.Transaction(context.Background(), y.TxID())
	if err != nil || tx.Confirmations != -1 || len(tx.Conflicts) != 1 {
		t.Fatalf("the loser has %d confirmations, conflicts %v, %v", tx.Confirmations, tx.Conflicts, err)
	}
	s.chain.fork(1)
	s.chain.mineN(1)
	s.holds(w, 1, 2, 0)
	s.crash() // what was not written is found again
	s.holds(s.get("w"), 1, 2, 0)
}

func TestCoinbaseOfALostBranchIsOrphan(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	lost := s.chain.mine(s.address(w))
	s.holds(w, 0, 0, 50)
	s.chain.fork(1)
	s.chain.mineN(2)
	s.holds(w, 0, 0, 0)
	tx, err := w.Transaction(context.Background(), lost.TxID())
	if err != nil || len(tx.Parts) != 1 || tx.Parts[0].Category != "orphan" {
		t.Fatalf("%+v, %v", tx.Parts, err)
	}
}

func TestLostStateIsFoundAgain(t *testing.T) {
	s := newStory(t)
	s.chain.mineN(5)
	w := s.wallet("w")
	var last []byte
	for range 3 * gapLimit / 2 { // beyond what a fresh keyring watches
		last = s.address(w)
		s.chain.mine([]byte{txscript.OP_TRUE}, foreign(last, 1, byte(s.chain.nonce)))
	}
	s.holds(w, 30, 0, 0)
	for _, damage := range []func(path string) error{
		os.Remove,
		func(path string) error { return os.Truncate(path, 40) },
		func(path string) error { return os.WriteFile(path, nil, fileMode) },
		func(path string) error {
			raw, err := stateFile{ID: "another"}.encode()
			if err != nil {
				return err
			}
			return os.WriteFile(path, raw, fileMode)
		},
	} {
		path := s.get("w").statePath()
		if err := s.Wallets.Close(); err != nil {
			t.Fatal(err)
		}
		if err := damage(path); err != nil {
			t.Fatal(err)
		}
		s.crash()
		s.holds(s.get("w"), 30, 0, 0)
	}
}

func TestRestoreFromWords(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	words, err := w.Words("")
	if err != nil {
		t.Fatal(err)
	}
	for range gapLimit + 5 {
		s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(w), 1, byte(s.chain.nonce)))
	}
	again := s.create("again", ledger.NewWallet{Words: words, Passphrase: "secret"})
	s.holds(again, gapLimit+5, 0, 0)
	first, second := s.address(w), s.address(again)
	if string(first) != string(second) {
		t.Error("the restored wallet hands out another address than the first one would")
	}
}

func TestUnknownPlaceStartsAgain(t *testing.T) {
	s := newStory(t)
	s.chain.mineN(3)
	w := s.wallet("w")
	tx := foreign(s.address(w), 1, 1)
	s.chain.mine([]byte{txscript.OP_TRUE}, tx)
	s.holds(w, 1, 0, 0)
	if err := s.Wallets.Close(); err != nil {
		t.Fatal(err)
	}
	other := newFakeChain() // another ledger: it does not know the place, nor the birth
	other.nonce = 1000
	s.chain, s.options.Chain, s.options.Pool = other, other, other.pool
	s.crash()
	s.holds(s.get("w"), 0, 0, 0)
	other.mine([]byte{txscript.OP_TRUE}, tx)
	s.holds(s.get("w"), 1, 0, 0)
}

func TestRescan(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	s.chain.mineN(3)
	s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(w), 1, 1))
	s.chain.mineN(3)
	s.holds(w, 1, 0, 0)
	w.mu.Lock()
	w.book.forget(foreign(w.scriptAt(t, 0), 1, 1).TxID()) // as if it had been missed
	w.mu.Unlock()
	s.holds(w, 0, 0, 0)
	if last, err := w.Rescan(context.Background(), 0, 3); err != nil || last != 3 {
		t.Fatalf("rescan to %d, %v", last, err)
	}
	s.holds(w, 0, 0, 0)
	if last, err := w.Rescan(context.Background(), 2, -1); err != nil || last != 7 {
		t.Fatalf("rescan to %d, %v", last, err)
	}
	s.holds(w, 1, 0, 0)
	if w.Info().Scanning {
		t.Error("still scanning")
	}
}

// scriptAt returns a receiving script.
func (w *Wallet) scriptAt(t *testing.T, i uint32) []byte {
	t.Helper()
	script, err := w.book.keys.account.script(ledger.WalletPath{Index: i})
	if err != nil {
		t.Fatal(err)
	}
	return script
}

func TestRunScansARestoredWallet(t *testing.T) {
	s := newStory(t)
	s.chain.mineN(farBehind + 100)
	w := s.create("old", ledger.NewWallet{Words: abandon})
	if !w.Info().Scanning {
		t.Fatal("a wallet from words does not say that it scans")
	}
	if b, err := w.Balance(context.Background(), 0); err != nil || b.Trusted != 0 || w.Info().Last.Height != 0 {
		t.Fatalf("a question waited for the scan: %v, %v", b, err)
	}
	s.followAll(context.Background())
	if info := w.Info(); info.Scanning || info.Last.Height != farBehind+100 {
		t.Fatalf("after the scan: %+v", info)
	}
	// A scan that is cut short goes on where it was.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.chain.mineN(1)
	if err := w.Sync(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.holds(w, 0, 0, 0)
}
