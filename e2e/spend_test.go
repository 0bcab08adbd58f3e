package e2e

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/address"
	"groat/internal/chaintest"
	"groat/rpc/client"
	"groat/testnet"
)

const btc = btcutil.SatoshiPerBitcoin

// coinOf returns the coin of the coinbase of the block with the given height.
func coinOf(t *testing.T, n *testnet.Node, height int) consensus.Entry {
	t.Helper()
	var hash, raw string
	call(t, n, &hash, "getblockhash", height)
	call(t, n, &raw, "getblock", hash, 0)
	data, err := hex.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	b, err := consensus.ParseBlock(data)
	if err != nil {
		t.Fatal(err)
	}
	e := chaintest.Out(b.Txs[0].Msg, 0)
	e.Coin.Height, e.Coin.Coinbase = int32(height), true
	return e
}

func text(t *testing.T, script []byte) string {
	t.Helper()
	s, ok := address.Encode(consensus.Regtest(), script)
	if !ok {
		t.Fatal("no address")
	}
	return s
}

// send submits a transaction that was signed by nothing of ours but test keys and the library's signer.
func send(t *testing.T, n *testnet.Node, tx *wire.MsgTx) error {
	t.Helper()
	return n.Call(t.Context(), nil, "sendrawtransaction", hex.EncodeToString(consensus.NewTx(tx).Raw()))
}

// wantCode demands an RPC error with the code and the words.
func wantCode(t *testing.T, what string, err error, code int, words string) {
	t.Helper()
	var rpc *client.Error
	if !errors.As(err, &rpc) || rpc.Code != code || !strings.Contains(rpc.Message, words) {
		t.Errorf("%s: got %v, want code %d with %q", what, err, code, words)
	}
}

// ledgerOf returns what must not change when a transaction is refused.
func ledgerOf(t *testing.T, n *testnet.Node) [2]string {
	t.Helper()
	var set struct {
		Hash string `json:"hash_serialized_3"`
	}
	var pool []string
	call(t, n, &set, "gettxoutsetinfo")
	call(t, n, &pool, "getrawmempool")
	return [2]string{set.Hash, strings.Join(pool, " ")}
}

func TestForeignTransactions(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 2})
	n, peer := w.Nodes[0], w.Nodes[1]
	key := chaintest.KeyFor(1)
	mine(t, n, 5, text(t, key.Script(chaintest.P2WPKH)))
	mine(t, n, 5, text(t, key.Script(chaintest.P2TR)))
	mine(t, n, 99, text(t, chaintest.KeyFor(2).Script(chaintest.P2WPKH)))

	var txids []string
	for _, height := range []int{1, 6} { // one coin of each form
		tx := key.Pay([]consensus.Entry{coinOf(t, n, height)}, chaintest.KeyFor(3).Script(chaintest.P2TR), btc, 1000)
		if err := send(t, n, tx); err != nil {
			t.Fatalf("coin of block %d: %v", height, err)
		}
		txids = append(txids, tx.TxHash().String())
	}
	for _, txid := range txids {
		awaitInPool(t, peer, txid)
	}
	block := mine(t, n, 1, text(t, key.Script(chaintest.P2WPKH)))
	awaitTip(t, w.Nodes, block)
	var got struct {
		Tx []string `json:"tx"`
	}
	call(t, peer, &got, "getblock", block)
	if len(got.Tx) != 3 {
		t.Errorf("the block has %d transactions, want 3", len(got.Tx))
	}
}

func awaitInPool(t *testing.T, n *testnet.Node, txid string) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	for n.Call(ctx, nil, "getmempoolentry", txid) != nil {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s never came to %s", txid, n.Name)
		}
	}
}

func TestRefusedTransactionsChangeNothing(t *testing.T) {
	w := start(t, testnet.Config{Nodes: 1})
	n := w.Nodes[0]
	key, to := chaintest.KeyFor(1), chaintest.KeyFor(3).Script(chaintest.P2WPKH)
	mine(t, n, 110, text(t, key.Script(chaintest.P2WPKH)))
	pay := func(e consensus.Entry, value, fee btcutil.Amount) *wire.MsgTx {
		return key.Pay([]consensus.Entry{e}, to, value, fee)
	}

	spent := coinOf(t, n, 1)
	if err := send(t, n, pay(spent, btc, 1000)); err != nil {
		t.Fatal(err)
	}
	mine(t, n, 1, text(t, key.Script(chaintest.P2WPKH)))
	pending := coinOf(t, n, 2)
	if err := send(t, n, pay(pending, btc, 1000)); err != nil {
		t.Fatal(err)
	}
	before := ledgerOf(t, n)

	badSignature := pay(coinOf(t, n, 3), btc, 1000)
	badSignature.TxIn[0].Witness[0][20] ^= 1
	unknown := coinOf(t, n, 3)
	unknown.OutPoint.Hash = chainhash.Hash{1}
	over := pay(coinOf(t, n, 4), btc, 1000)
	over.TxOut[0].Value, over.TxOut = 50*btc+1, over.TxOut[:1]
	key.Sign(over, []consensus.Entry{coinOf(t, n, 4)})

	for _, c := range []struct {
		name  string
		tx    *wire.MsgTx
		code  int
		words string
	}{
		{"double spend against the pool", pay(pending, 2*btc, 5000), -26, "txn-mempool-conflict"},
		{"double spend against the chain", pay(spent, 2*btc, 5000), -25, "bad-txns-inputs-missingorspent"},
		{"bad signature", badSignature, -26, "mandatory-script-verify-flag-failed"},
		{"unknown input", pay(unknown, btc, 1000), -25, "bad-txns-inputs-missingorspent"},
		{"immature coinbase", pay(coinOf(t, n, 13), btc, 1000), -26, "bad-txns-premature-spend-of-coinbase"},
		{"overspend", over, -26, "bad-txns-in-belowout"},
	} {
		wantCode(t, c.name, send(t, n, c.tx), c.code, c.words)
	}
	if after := ledgerOf(t, n); after != before {
		t.Errorf("the ledger changed from %v to %v", before, after)
	}
}
