package wallet

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// BenchmarkSend measures payments of a wallet that knows ten thousand transactions.
func BenchmarkSend(b *testing.B) {
	c := newFakeChain()
	ws, err := Open(Options{
		Dir: b.TempDir(), Params: consensus.Regtest(), Chain: c, Pool: c.pool, Now: time.Now, Log: slog.New(slog.DiscardHandler), cost: cheap,
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := ws.Create("w", ledger.NewWallet{}); err != nil {
		b.Fatal(err)
	}
	w, err := ws.Get("w")
	if err != nil {
		b.Fatal(err)
	}
	script, err := w.Address(ledger.ReceiveBranch, "")
	if err != nil {
		b.Fatal(err)
	}
	for range 100 {
		var txs []*consensus.Tx
		for i := range 100 {
			tx := foreign(script, 1, byte(i))
			tx.Msg.LockTime = c.nonce
			txs = append(txs, consensus.NewTx(tx.Msg))
		}
		c.mine([]byte{txscript.OP_TRUE}, txs...)
	}
	if err := w.Sync(context.Background()); err != nil {
		b.Fatal(err)
	}
	order := ledger.WalletOrder{Payments: []ledger.WalletPayment{{PkScript: script, Amount: 1000}}}
	for b.Loop() {
		if _, err := w.Send(context.Background(), order); err != nil {
			b.Fatal(err)
		}
	}
}
