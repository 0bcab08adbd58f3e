package wallet

import (
	"context"
	"errors"
	"math/rand"
	"slices"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// forms are scripts of every form that has an address.
func forms(t *testing.T) map[string][]byte {
	t.Helper()
	key, _ := btcec.PrivKeyFromBytes([]byte{1})
	taproot, err := txscript.PayToTaprootScript(key.PubKey())
	if err != nil {
		t.Fatal(err)
	}
	hash := make([]byte, 20)
	return map[string][]byte{
		"P2PKH":  slices.Concat([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, hash, []byte{txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG}),
		"P2SH":   slices.Concat([]byte{txscript.OP_HASH160, 20}, hash, []byte{txscript.OP_EQUAL}),
		"P2WPKH": slices.Concat([]byte{txscript.OP_0, 20}, hash),
		"P2WSH":  slices.Concat([]byte{txscript.OP_0, 32}, make([]byte, 32)),
		"P2TR":   taproot,
	}
}

// checkSigned runs the scripts of tx, whose inputs all spend outputs of known transactions, with the library's engine.
func checkSigned(t *testing.T, tx *consensus.Tx, known ...*consensus.Tx) (fee btcutil.Amount) {
	t.Helper()
	outs := txscript.NewMultiPrevOutFetcher(nil)
	for _, k := range known {
		for i, out := range k.Msg.TxOut {
			outs.AddPrevOut(wire.OutPoint{Hash: k.TxID(), Index: uint32(i)}, out)
		}
	}
	hashes := txscript.NewTxSigHashes(tx.Msg, outs)
	for i, in := range tx.Msg.TxIn {
		out := outs.FetchPrevOutput(in.PreviousOutPoint)
		vm, err := txscript.NewEngine(out.PkScript, tx.Msg, i, txscript.StandardVerifyFlags, nil, hashes, out.Value, outs)
		if err != nil {
			t.Fatal(err)
		}
		if err := vm.Execute(); err != nil {
			t.Fatalf("input %d: %v", i, err)
		}
		fee += btcutil.Amount(out.Value)
	}
	for _, out := range tx.Msg.TxOut {
		fee -= btcutil.Amount(out.Value)
	}
	return fee
}

func TestPayEveryForm(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	in := foreign(s.address(w), 10, 1)
	s.chain.mine([]byte{txscript.OP_TRUE}, in)
	known := []*consensus.Tx{in}
	for form, script := range forms(t) {
		sent := s.pay(w, script, 1)
		fee := checkSigned(t, sent.Tx, known...)
		if fee != sent.Fee || fee < feeFor(2000, sent.Tx.Weight()) || fee > feeFor(2000, sent.Tx.Weight()+40) {
			t.Errorf("%s: fee %v for %d vbytes, said %v", form, fee, sent.Tx.VSize(), sent.Fee)
		}
		if len(sent.Tx.Msg.TxOut) != 2 || sent.Tx.Msg.TxIn[0].Sequence != wire.MaxTxInSequenceNum-2 {
			t.Errorf("%s: %d outputs, sequence %x", form, len(sent.Tx.Msg.TxOut), sent.Tx.Msg.TxIn[0].Sequence)
		}
		known = append(known, sent.Tx) // the next one spends its change
	}
	b, err := w.Balance(context.Background(), 0)
	if err != nil || b.Trusted >= 5*btcutil.SatoshiPerBitcoin || b.Trusted < 499990000 || b.Pending != 0 {
		t.Fatalf("%+v, %v", b, err)
	}
	s.crash() // payments were on the disk before they left
	w = s.get("w")
	again, err := w.Balance(context.Background(), 0)
	if err != nil || again != b {
		t.Fatalf("after a crash %+v, before %+v, %v", again, b, err)
	}
}

func TestPaymentsRefused(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(w), 1, 1))
	to := forms(t)["P2TR"]
	pay := func(amount, rate btcutil.Amount, lessFee bool) error {
		_, err := w.Send(context.Background(), ledger.WalletOrder{Payments: []ledger.WalletPayment{{PkScript: to, Amount: amount, LessFee: lessFee}}, FeeRate: rate})
		return err
	}
	const coin = btcutil.SatoshiPerBitcoin
	for name, v := range map[string]struct {
		err  error
		want string
	}{
		"all without the fee": {pay(coin, 0, false), "Insufficient funds"},
		"more than there is":  {pay(coin+1, 0, true), "Insufficient funds"},
		"dust":                {pay(329, 0, false), "Transaction amount too small"},
		"dust after the fee":  {pay(330, 1000, true), "The transaction amount is too small to send after the fee has been deducted"},
		"no room for the fee": {pay(330, 100_000, true), "The transaction amount is too small to pay the fee"},
		"low rate":            {pay(1000, 999, false), "Fee rate (0.999 sat/vB) is lower than the minimum fee rate setting (1.000 sat/vB)"},
		"huge rate":           {pay(1000, 100_000_000, false), "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"},
	} {
		var refused ledger.PaymentError
		if !errors.As(v.err, &refused) || refused.Reason != v.want {
			t.Errorf("%s: %v, want %q", name, v.err, v.want)
		}
	}
	if _, err := w.Send(context.Background(), ledger.WalletOrder{}); err == nil {
		t.Error("a payment to nobody was made")
	}
	s.chain.pool.refuse = errors.New("no")
	if err := pay(1000, 0, false); !errors.Is(err, s.chain.pool.refuse) {
		t.Errorf("the pool's refusal became %v", err)
	}
	s.chain.pool.refuse = nil
	s.holds(w, 1, 0, 0) // nothing changed
	if txs, _ := w.History(context.Background(), 10); len(txs) != 1 {
		t.Errorf("%d transactions", len(txs))
	}
	if err := pay(coin, 0, true); err != nil { // everything, the fee out of it
		t.Fatal(err)
	}
	s.holds(w, 0, 0, 0)
}

func TestOnlyTrustedCoinsAreSpent(t *testing.T) {
	s := newStory(t)
	w, friend := s.wallet("w"), s.wallet("friend")
	s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(friend), 3, 1))
	s.pay(friend, s.address(w), 2)
	s.holds(w, 0, 2, 0)
	_, err := w.Send(context.Background(), ledger.WalletOrder{Payments: []ledger.WalletPayment{{PkScript: forms(t)["P2TR"], Amount: 1000}}})
	var refused ledger.PaymentError
	if !errors.As(err, &refused) {
		t.Fatalf("what a stranger may take back was spent: %v", err)
	}
	s.pay(friend, forms(t)["P2TR"], 0.5) // its own change
	s.chain.mine([]byte{txscript.OP_TRUE}, s.chain.pool.arrivals...)
	s.holds(w, 2, 0, 0)
}

func TestAnnouncedUntilConfirmedOrAbandoned(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(w), 1, 1))
	sent := s.pay(w, forms(t)["P2WSH"], 0.5)
	id := sent.Tx.TxID()
	ctx := context.Background()
	if err := w.Abandon(ctx, id); !errors.Is(err, ledger.ErrNotAbandonable) {
		t.Fatalf("abandoned what is in the pool: %v", err)
	}
	delete(s.chain.pool.txs, id)
	s.holds(w, 0, 0, 0) // spent, and its change may never come
	s.chain.mineN(1)
	if err := w.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if _, in := s.chain.pool.Entry(id); !in {
		t.Fatal("was not announced again")
	}
	delete(s.chain.pool.txs, id)
	s.reopen() // the pool does not outlive the node
	w = s.get("w")
	if err := w.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if _, in := s.chain.pool.Entry(id); !in {
		t.Fatal("was not announced after a restart")
	}
	delete(s.chain.pool.txs, id)
	if err := w.Abandon(ctx, id); err != nil {
		t.Fatal(err)
	}
	s.holds(w, 1, 0, 0)
	s.chain.mineN(1)
	if _, in := s.chain.pool.Entry(id); in {
		t.Fatal("was announced again after it was abandoned")
	}
	s.chain.mine([]byte{txscript.OP_TRUE}, sent.Tx) // somebody mined it all the same
	b, err := w.Balance(ctx, 0)
	if err != nil || b.Trusted != 50_000_000-sent.Fee {
		t.Fatalf("%v, %v", b, err)
	}
	if err := w.Abandon(ctx, chainhash.Hash{1}); !errors.Is(err, ledger.ErrUnknownTx) {
		t.Fatal(err)
	}
}

// A block that comes while a payment is on its way to the pool does not make the wallet announce it too: the pool would refuse it
// as known, and the owner be told that it was not sent.
func TestBlockWhilePaying(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(w), 1, 1))
	if err := w.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.chain.pool.before = func() {
		s.chain.mineN(1)
		if err := w.Sync(t.Context()); err != nil {
			t.Error(err)
		}
	}
	sent := s.pay(w, forms(t)["P2TR"], 0.5)
	if _, in := s.chain.pool.Entry(sent.Tx.TxID()); !in {
		t.Fatal("was not sent")
	}
	delete(s.chain.pool.txs, sent.Tx.TxID())
	s.chain.mineN(1)
	if err := w.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, in := s.chain.pool.Entry(sent.Tx.TxID()); !in {
		t.Fatal("was not announced again")
	}
}

// Payments that are made at the same time take different coins, and questions do not disturb them.
func TestPaymentsSideBySide(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	const payers, each = 8, 5
	for i := range payers * each {
		s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(w), 1, byte(i)))
	}
	to := forms(t)["P2TR"]
	var group sync.WaitGroup
	for range payers {
		group.Go(func() {
			for range each {
				_, err := w.Send(context.Background(), ledger.WalletOrder{Payments: []ledger.WalletPayment{{PkScript: to, Amount: 60_000_000}}})
				if err != nil {
					t.Error(err)
				}
				if _, err := w.Balance(context.Background(), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	spent := map[wire.OutPoint]bool{}
	for _, tx := range s.chain.pool.arrivals {
		for _, in := range tx.Msg.TxIn {
			if spent[in.PreviousOutPoint] {
				t.Fatalf("%v is spent twice", in.PreviousOutPoint)
			}
			spent[in.PreviousOutPoint] = true
		}
	}
	if len(s.chain.pool.arrivals) != payers*each {
		t.Errorf("%d payments", len(s.chain.pool.arrivals))
	}
}

func TestSignForOthers(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	mine := foreign(s.address(w), 1, 1)
	theirs := foreign(forms(t)["P2PKH"], 1, 2)
	s.chain.mine([]byte{txscript.OP_TRUE}, mine)
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: mine.TxID()}, nil, nil))
	msg.AddTxOut(wire.NewTxOut(1000, forms(t)["P2TR"]))
	ctx := context.Background()
	missing, err := w.Sign(ctx, msg, nil, txscript.SigHashSingle|txscript.SigHashAnyOneCanPay)
	if err != nil || len(missing) != 0 {
		t.Fatalf("%v, %v", missing, err)
	}
	checkSigned(t, consensus.NewTx(msg.Copy()), mine)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: theirs.TxID()}, nil, nil)) // ANYONECANPAY allows it
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{9}}, nil, nil))
	coins := consensus.Coins{{Hash: theirs.TxID()}: {Value: 100_000_000, PkScript: theirs.Msg.TxOut[0].PkScript}}
	missing, err = w.Sign(ctx, msg, coins, txscript.SigHashAll)
	if err != nil || len(missing) != 2 || missing[0].Index != 2 || missing[1].Index != 1 {
		t.Fatalf("%v, %v", missing, err)
	}
}

func TestHistoryParts(t *testing.T) {
	s := newStory(t)
	w := s.wallet("w")
	s.chain.mine([]byte{txscript.OP_TRUE}, foreign(s.address(w), 1, 1))
	toUs, toThem := s.address(w), forms(t)["P2WPKH"]
	sent, err := w.Send(context.Background(), ledger.WalletOrder{Payments: []ledger.WalletPayment{{PkScript: toUs, Amount: 1000}, {PkScript: toThem, Amount: 2000}}, Final: true})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := w.Transaction(context.Background(), sent.Tx.TxID())
	if err != nil || !tx.FromMe || tx.Fee != -sent.Fee || tx.Net != -2000 || !tx.Trusted || !tx.InPool {
		t.Fatalf("%+v, %v", tx, err)
	}
	var got []string
	var sum btcutil.Amount
	for _, p := range tx.Parts {
		got, sum = append(got, p.Category), sum+p.Amount
	}
	if !slices.Equal(got, []string{"send", "send", "receive"}) || sum != -2000 {
		t.Fatalf("%v, %v", got, sum)
	}
	if sent.Tx.Msg.TxIn[0].Sequence != wire.MaxTxInSequenceNum-1 {
		t.Error("a final payment can be replaced")
	}
}

// Whatever the coins, a choice is enough, takes no coin twice, and is within what there is.
func TestChooseProperty(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for round := range 3000 {
		var coins []ledger.WalletCoin
		var all btcutil.Amount
		for i := range r.Intn(40) {
			value := btcutil.Amount(1 + r.Int63n(1<<uint(1+r.Intn(30))))
			coins = append(coins, ledger.WalletCoin{OutPoint: wire.OutPoint{Index: uint32(i)}, Value: value})
		}
		inputFee := btcutil.Amount(r.Intn(500))
		list := candidates(coins, inputFee)
		for _, c := range list {
			all += c.worth
		}
		target := btcutil.Amount(1 + r.Int63n(1<<uint(1+r.Intn(31))))
		slack, reserve := btcutil.Amount(r.Intn(300)), btcutil.Amount(r.Intn(1000))
		picked := choose(list, target, slack, reserve)
		if (picked != nil) != (all >= target) {
			t.Fatalf("round %d: %d coins worth %v, target %v, picked %d", round, len(list), all, target, len(picked))
		}
		seen := map[uint32]bool{}
		var sum btcutil.Amount
		for _, c := range picked {
			if seen[c.coin.OutPoint.Index] || c.worth != c.coin.Value-inputFee {
				t.Fatalf("round %d: coin %d", round, c.coin.OutPoint.Index)
			}
			seen[c.coin.OutPoint.Index] = true
			sum += c.worth
		}
		if picked != nil && sum < target {
			t.Fatalf("round %d: %v is less than %v", round, sum, target)
		}
		if one := fitting(list, target); one >= 0 && len(picked) > 1 && sum > target+slack && sum-target > list[one].worth {
			t.Fatalf("round %d: took %v where one coin of %v was enough for %v", round, sum, list[one].worth, target)
		}
	}
}

// Drafts balance: what goes in is what goes out and the fee, the fee is what the rate asks for, and no output is dust.
func TestDraftProperty(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	var scripts [][]byte
	for _, name := range []string{"P2PKH", "P2SH", "P2WPKH", "P2WSH", "P2TR"} {
		scripts = append(scripts, forms(t)[name])
	}
	made := 0
	for round := range 2000 {
		var coins []ledger.WalletCoin
		for i := range 1 + r.Intn(30) {
			coins = append(coins, ledger.WalletCoin{OutPoint: wire.OutPoint{Index: uint32(i)}, Value: btcutil.Amount(1 + r.Int63n(1_000_000)), PkScript: scripts[2]})
		}
		var order ledger.WalletOrder
		for range 1 + r.Intn(4) {
			order.Payments = append(order.Payments, ledger.WalletPayment{PkScript: scripts[r.Intn(len(scripts))], Amount: btcutil.Amount(546 + r.Int63n(500_000)), LessFee: r.Intn(3) == 0})
		}
		rate := btcutil.Amount(1000 + r.Intn(50_000))
		p, err := newPlan(order, rate, scripts[2])
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.draw(coins)
		var refused ledger.PaymentError
		if errors.As(err, &refused) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		made++
		checkDraft(t, round, p, d)
	}
	if made < 500 {
		t.Fatalf("only %d payments were made", made)
	}
}

func checkDraft(t *testing.T, round int, p plan, d *draft) {
	t.Helper()
	sum := -d.fee
	for _, c := range d.spends {
		sum += c.Value
	}
	for _, out := range d.msg.TxOut {
		sum -= btcutil.Amount(out.Value)
		if btcutil.Amount(out.Value) < dustLimit(out.PkScript) {
			t.Fatalf("round %d: dust of %d", round, out.Value)
		}
	}
	if sum != 0 {
		t.Fatalf("round %d: %v too much goes in", round, sum)
	}
	weight := d.msg.SerializeSizeStripped()*4 + 2 + len(d.spends)*(inputWeight-41*4)
	least := feeFor(p.rate, weight)
	if most := least + p.leastChange() + feeFor(p.rate, changeWeight+countSlack); d.fee < least || d.fee > most {
		t.Fatalf("round %d: fee %v is not within %v and %v", round, d.fee, least, most)
	}
	if extra := len(d.msg.TxOut) - len(p.order.Payments); extra < 0 || extra > 1 {
		t.Fatalf("round %d: %d outputs for %d payments", round, len(d.msg.TxOut), len(p.order.Payments))
	}
}
