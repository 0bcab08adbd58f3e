package consensus

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Maturity is the number of blocks after which a coinbase may be spent.
const Maturity = 100

// MaxMoney is the largest amount that may appear in a transaction: 21 million coins.
const MaxMoney = btcutil.Amount(21_000_000 * btcutil.SatoshiPerBitcoin)

// Difficulty names a rule for the next target.
type Difficulty uint8

// The difficulty rules.
const (
	Fixed        Difficulty = iota + 1 // every block has the genesis' target
	Retarget2016                       // Bitcoin's: every 2,016 blocks by the time that the last 2,016 took
	ASERT                              // aserti3-2d: every block, exponential in how far the chain is ahead of its schedule
)

// Params is a network: its rules, its first block and how its data looks. A new network is a new value.
type Params struct {
	Name  string  // on the command line and as the data directory's name
	Chain string  // in getblockchaininfo
	Magic [4]byte // before each block in a block file

	Genesis      *wire.MsgBlock
	GenesisHash  chainhash.Hash
	PowLimitBits uint32 // the highest target, compact
	MinWork      Work   // the least work that the best chain is known to have

	Difficulty      Difficulty
	BlockInterval   time.Duration
	HalfLife        time.Duration // of ASERT
	Subsidy         btcutil.Amount
	HalvingInterval int32

	// The first heights at which a rule holds.
	BIP34Height, BIP65Height, BIP66Height, CSVHeight, SegwitHeight int32

	// FlagExceptions has the blocks that are known to break BIP16 or Taproot, with the flags that they keep.
	FlagExceptions map[chainhash.Hash]txscript.ScriptFlags
	// RepeatedCoinbases has the blocks that are known to break BIP30.
	RepeatedCoinbases map[chainhash.Hash]int32
	// BIP34Unique is the height up to which the heights in coinbases make ids unique once BIP34 holds, so that
	// nobody has to look for the repeated ids of BIP30. 0 means to look always.
	BIP34Unique int32

	Bech32HRP                         string
	PubKeyHashID, ScriptHashID, WIFID byte
	HDPublicID, HDPrivateID           [4]byte
	CoinType                          uint32 // BIP44

	RPCPort, P2PPort uint16
	Network          bool // has a network: false for bitcoin, whose blocks come from files
	TestNetwork      bool // blocks at will: mock time, test switches, private addresses
}

// Names returns the names of the networks.
func Names() []string { return []string{"main", "testnet", "regtest", "bitcoin"} }

// ByName returns the network with the given name.
func ByName(name string) (*Params, error) {
	switch name {
	case "main":
		return Main(), nil
	case "testnet":
		return Testnet(), nil
	case "regtest":
		return Regtest(), nil
	case "bitcoin":
		return Bitcoin(), nil
	}
	return nil, fmt.Errorf("unknown network %q: choose one of %s", name, strings.Join(Names(), ", "))
}

// SetActivation moves the first height of a rule, named as in Core's -testactivationheight: segwit, bip34, dersig, cltv, csv.
// It is for test networks only.
func (p *Params) SetActivation(name string, height int32) error {
	if !p.TestNetwork {
		return fmt.Errorf("activation heights of %s are fixed: only a test network's can be moved", p.Name)
	}
	if height < 0 || height == math.MaxInt32 {
		return fmt.Errorf("activation height %d is not one that a chain can have", height)
	}
	heights := map[string]*int32{
		"segwit": &p.SegwitHeight, "bip34": &p.BIP34Height, "dersig": &p.BIP66Height, "cltv": &p.BIP65Height, "csv": &p.CSVHeight,
	}
	at, ok := heights[name]
	if !ok {
		return fmt.Errorf("unknown rule %q: choose one of segwit, bip34, dersig, cltv, csv", name)
	}
	*at = height
	if name == "bip34" && height > 1 {
		p.BIP34Unique = 0 // coinbases of before may begin with any height
	}
	return nil
}

// Clone returns a copy of p that shares nothing which SetActivation changes.
func (p *Params) Clone() *Params {
	c := *p
	c.FlagExceptions = maps.Clone(p.FlagExceptions)
	c.RepeatedCoinbases = maps.Clone(p.RepeatedCoinbases)
	return &c
}

// SubsidyAt returns what the coinbase at height may claim on top of the fees.
func (p *Params) SubsidyAt(height int32) btcutil.Amount {
	halvings := height / p.HalvingInterval
	if halvings >= 64 {
		return 0
	}
	return p.Subsidy >> halvings
}
