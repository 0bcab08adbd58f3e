package consensus

import (
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Coin is an unspent output and what its spender is judged by.
type Coin struct {
	Value      btcutil.Amount
	PkScript   []byte
	Height     int32 // of the block that created it
	Coinbase   bool
	MedianTime uint32 // median time past of the block before it, seconds: the base of BIP68's relative times
}

// Coins holds the coins that a block or a transaction may spend. A coin that is not in it does not exist.
type Coins map[wire.OutPoint]Coin

// Entry is a coin with its name.
type Entry struct {
	OutPoint wire.OutPoint
	Coin     Coin
}

// Delta is what a block changes in the coin set. Spent holds the coins whole, in the order in which the
// block spends them, so that it is the undo record of the block. Coins that the block both creates and spends are in neither.
// To apply a Delta remove Spent, then add Created; to undo it remove Created, then add Spent: a coin that
// replaces an older one of the same name (before BIP34) has that one in Spent.
type Delta struct {
	Spent   []Entry
	Created []Entry
	Fees    btcutil.Amount // what the transactions pay, without the subsidy
}

// Unspendable reports whether an output can never be spent and so is never a coin.
func Unspendable(pkScript []byte) bool {
	return (len(pkScript) > 0 && pkScript[0] == txscript.OP_RETURN) || len(pkScript) > txscript.MaxScriptSize
}
