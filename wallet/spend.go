package wallet

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

const (
	txVersion = 2

	maxFee = btcutil.Amount(btcutil.SatoshiPerBitcoin / 10) // of one payment, as Core's -maxtxfee

	// Weights in units (BIP141), with the largest signature there is: 72 bytes.
	inputWeight  = 41*4 + 1 + 1 + 72 + 1 + 33
	changeWeight = (8 + 1 + 22) * 4
	countSlack   = 2 * 2 * 4 // the counts of inputs and outputs may take two more bytes each

	dustRelayRate = 3000 // satoshis per 1000 vbytes (Core's -dustrelayfee)
)

// feeFor returns the fee of so many weight units at a rate per 1000 vbytes, rounded up.
func feeFor(rate btcutil.Amount, weight int) btcutil.Amount {
	vsize := btcutil.Amount((weight + 3) / 4)
	return (rate*vsize + 999) / 1000
}

// dustLimit returns the smallest amount that nodes relay to a script: less would cost more to spend than a third of it is worth.
func dustLimit(pkScript []byte) btcutil.Amount {
	if consensus.Unspendable(pkScript) {
		return 0
	}
	spend := 148 // vbytes of an input with a P2PKH signature
	if txscript.IsWitnessProgram(pkScript) {
		spend = 67
	}
	out := wire.TxOut{PkScript: pkScript}
	return dustRelayRate * btcutil.Amount(out.SerializeSize()+spend) / 1000
}

// refuse makes a PaymentError.
func refuse(format string, args ...any) error {
	return ledger.PaymentError{Reason: fmt.Sprintf(format, args...)}
}

// draft is a payment that is not signed yet.
type draft struct {
	msg    *wire.MsgTx
	spends []ledger.WalletCoin // in the order of the inputs
	fee    btcutil.Amount
}

// plan is what a draft is made from.
type plan struct {
	order    ledger.WalletOrder
	rate     btcutil.Amount // satoshis per 1000 vbytes
	change   []byte         // script that takes the rest
	lessFees int            // how many payments give up a part for the fee
	total    btcutil.Amount
}

// newPlan checks what is asked for.
func newPlan(order ledger.WalletOrder, rate btcutil.Amount, change []byte) (plan, error) {
	p := plan{order: order, rate: rate, change: change}
	if len(order.Payments) == 0 {
		return p, refuse("Transaction must have at least one recipient")
	}
	for _, pay := range order.Payments {
		if pay.Amount < 0 || pay.Amount > consensus.MaxMoney || p.total+pay.Amount > consensus.MaxMoney {
			return p, refuse("Transaction amounts must not be negative")
		}
		if pay.Amount < dustLimit(pay.PkScript) {
			return p, refuse("Transaction amount too small")
		}
		p.total += pay.Amount
		if pay.LessFee {
			p.lessFees++
		}
	}
	if p.total == 0 {
		return p, refuse("Transaction amount too small")
	}
	return p, nil
}

// draw picks coins for the plan out of coins and lays out the transaction.
func (p plan) draw(coins []ledger.WalletCoin) (*draft, error) {
	inputFee, target := feeFor(p.rate, inputWeight), p.total+feeFor(p.rate, p.bareWeight()+countSlack)
	if p.lessFees > 0 { // the recipients pay the fee
		inputFee, target = 0, p.total
	}
	keep := p.leastChange()
	list := candidates(coins, inputFee)
	picked := choose(list, target, keep, keep+feeFor(p.rate, changeWeight))
	if picked == nil {
		if len(list) > maxInputs && worth(list) >= target {
			return nil, refuse("The inputs size exceeds the maximum weight. Please try sending a smaller amount or manually consolidating your wallet's UTXOs")
		}
		return nil, refuse("Insufficient funds")
	}
	return p.lay(picked)
}

// worth sums up a list.
func worth(list []candidate) (sum btcutil.Amount) {
	for _, c := range list {
		sum += c.worth
	}
	return sum
}

// leastChange is the smallest rest that becomes an output: one that is worth more than spending it will cost, and no dust.
func (p plan) leastChange() btcutil.Amount {
	return max(dustLimit(p.change), 2*feeFor(p.rate, inputWeight))
}

// bareWeight is the weight of the transaction without inputs and change.
func (p plan) bareWeight() int {
	return (&wire.MsgTx{TxOut: p.outputs()}).SerializeSizeStripped()*4 + 2 // marker and flag
}

// outputs are the payments in full.
func (p plan) outputs() []*wire.TxOut {
	outs := make([]*wire.TxOut, len(p.order.Payments))
	for i, pay := range p.order.Payments {
		outs[i] = wire.NewTxOut(int64(pay.Amount), pay.PkScript)
	}
	return outs
}

// lay makes the transaction that spends what was picked.
func (p plan) lay(picked []candidate) (*draft, error) {
	d := &draft{msg: wire.NewMsgTx(txVersion)}
	var in btcutil.Amount
	for _, c := range picked {
		d.spends = append(d.spends, c.coin)
		in += c.coin.Value
	}
	rand.Shuffle(len(d.spends), func(i, j int) { d.spends[i], d.spends[j] = d.spends[j], d.spends[i] })
	for _, c := range d.spends {
		txIn := wire.NewTxIn(&c.OutPoint, nil, nil)
		txIn.Sequence = wire.MaxTxInSequenceNum - 2 // may be replaced (BIP125)
		if p.order.Final {
			txIn.Sequence = wire.MaxTxInSequenceNum - 1
		}
		d.msg.TxIn = append(d.msg.TxIn, txIn)
	}
	d.msg.TxOut = p.outputs()
	weight := d.msg.SerializeSizeStripped()*4 + 2 + len(d.spends)*(inputWeight-41*4)
	rest := in - p.total // what neither the payments nor, yet, the fee takes
	fee, feeWithChange := feeFor(p.rate, weight), feeFor(p.rate, weight+changeWeight+countSlack/2)
	if p.lessFees > 0 {
		return p.layLessFee(d, rest, fee, feeWithChange)
	}
	if change := rest - feeWithChange; change >= p.leastChange() {
		d.addChange(p.change, change)
		rest = feeWithChange
	}
	if rest < fee {
		return nil, refuse("Insufficient funds")
	}
	d.fee = rest
	return d, d.check()
}

// layLessFee finishes a draft whose fee is taken out of the payments. A rest that is too small for change is the first part of the fee.
func (p plan) layLessFee(d *draft, rest, fee, feeWithChange btcutil.Amount) (*draft, error) {
	cut := fee - min(rest, fee) // from the payments
	change := rest >= p.leastChange()
	if change {
		cut = feeWithChange
		d.fee = cut
	} else {
		d.fee = cut + rest
	}
	each, odd := cut/btcutil.Amount(p.lessFees), cut%btcutil.Amount(p.lessFees)
	for i, pay := range p.order.Payments {
		if !pay.LessFee {
			continue
		}
		left := pay.Amount - each - odd // the first pays what does not divide
		odd = 0
		switch {
		case left < 0:
			return nil, refuse("The transaction amount is too small to pay the fee")
		case left < dustLimit(pay.PkScript):
			return nil, refuse("The transaction amount is too small to send after the fee has been deducted")
		}
		d.msg.TxOut[i].Value = int64(left)
	}
	if change {
		d.addChange(p.change, rest)
	}
	return d, d.check()
}

// addChange puts the change among the other outputs, so that its place does not tell what it is.
func (d *draft) addChange(script []byte, amount btcutil.Amount) {
	at := rand.IntN(len(d.msg.TxOut) + 1)
	d.msg.TxOut = slices.Insert(d.msg.TxOut, at, wire.NewTxOut(int64(amount), script))
}

// check refuses a fee that can only be a mistake.
func (d *draft) check() error {
	if d.fee > maxFee {
		return refuse("Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")
	}
	return nil
}

// spendable returns the trusted coins that are in a block and, with waiting, also our own change that waits in the pool and has room for another
// transaction behind it.
func spendable(coins []ledger.WalletCoin, pool map[chainhash.Hash]ledger.PoolEntry, waiting bool) []ledger.WalletCoin {
	const longestChain = 25 // of transactions in the pool that spend each other (Core's -limitancestorcount)
	return slices.DeleteFunc(slices.Clone(coins), func(c ledger.WalletCoin) bool {
		entry := pool[c.OutPoint.Hash]
		return !c.Mature || !c.Trusted || (c.Confirmations == 0 && (!waiting || entry.AncestorCount >= longestChain || entry.DescendantCount >= longestChain))
	})
}
