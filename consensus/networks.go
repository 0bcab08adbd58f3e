package consensus

import (
	"bytes"
	"encoding/hex"
	"math"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	coin = btcutil.SatoshiPerBitcoin

	noExtra = math.MaxInt32 // a height that no chain reaches
)

// Main returns groat's own network.
func Main() *Params {
	p := own()
	p.Name, p.Chain = "main", "groat"
	p.Magic = [4]byte{'g', 'r', 'o', 'a'}
	p.PowLimitBits = 0x1e00ffff
	p.setGenesis(ownGenesis("groat main, 22 November 2026: cash that its users carry themselves", 0x1e00ffff, mainNonce))
	p.Bech32HRP = "grt"
	p.PubKeyHashID, p.ScriptHashID, p.WIFID = 38, 23, 128
	p.HDPublicID, p.HDPrivateID, p.CoinType = xpub, xprv, 1735552884
	p.RPCPort, p.P2PPort = 9832, 9833
	return p
}

// Testnet returns groat's public test network: Main with a lower highest target and coins without worth.
func Testnet() *Params {
	p := own()
	p.Name, p.Chain = "testnet", "groattest"
	p.Magic = [4]byte{'g', 'r', 'o', 't'}
	p.PowLimitBits = 0x1f00ffff
	p.setGenesis(ownGenesis("groat testnet, 22 November 2026: coins without worth", 0x1f00ffff, testnetNonce))
	p.Bech32HRP = "tgrt"
	p.PubKeyHashID, p.ScriptHashID, p.WIFID = 111, 196, 239
	p.HDPublicID, p.HDPrivateID, p.CoinType = tpub, tprv, 1
	p.RPCPort, p.P2PPort = 19832, 19833
	return p
}

// Regtest returns Bitcoin's regression test network as in Bitcoin Core 28: blocks at will, a subsidy that halves every 150.
func Regtest() *Params {
	p := &Params{
		Name: "regtest", Chain: "regtest", Magic: [4]byte{0xfa, 0xbf, 0xb5, 0xda},
		PowLimitBits: 0x207fffff, Difficulty: Fixed, BlockInterval: 10 * time.Minute,
		Subsidy: 50 * coin, HalvingInterval: 150,
		BIP34Height: 1, BIP65Height: 1, BIP66Height: 1, CSVHeight: 1, SegwitHeight: 0,
		BIP34Unique: noExtra, // every coinbase begins with its height: two can never be the same
		Bech32HRP:   "bcrt", PubKeyHashID: 111, ScriptHashID: 196, WIFID: 239,
		HDPublicID: tpub, HDPrivateID: tprv, CoinType: 1,
		RPCPort: 18443, P2PPort: 18444, Network: true, TestNetwork: true,
	}
	p.setGenesis(bitcoinGenesis(1296688602, 0x207fffff, 2))
	return p
}

// Bitcoin returns Bitcoin's main network, for verifying its blocks from files.
func Bitcoin() *Params {
	p := &Params{
		Name: "bitcoin", Chain: "main", Magic: [4]byte{0xf9, 0xbe, 0xb4, 0xd9},
		PowLimitBits: 0x1d00ffff, Difficulty: Retarget2016, BlockInterval: 10 * time.Minute,
		Subsidy: 50 * coin, HalvingInterval: 210_000,
		BIP34Height: 227_931, BIP65Height: 388_381, BIP66Height: 363_725, CSVHeight: 419_328, SegwitHeight: 481_824,
		FlagExceptions: map[chainhash.Hash]txscript.ScriptFlags{
			mustHash("00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22"): 0,
			mustHash("0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad"): txscript.ScriptBip16 | txscript.ScriptVerifyWitness,
		},
		RepeatedCoinbases: map[chainhash.Hash]int32{
			mustHash("00000000000a4d0a398161ffc163c503763b1f4360639393e0e4c8e300e0caec"): 91_842,
			mustHash("00000000000743f190a18c5577a3c2d2a1f610ae9601ac046a38084ccb7cd721"): 91_880,
		},
		BIP34Unique: 1_983_702, // coinbases of before BIP34 begin with heights from here on, by chance
		Bech32HRP:   "bc", PubKeyHashID: 0, ScriptHashID: 5, WIFID: 128,
		HDPublicID: xpub, HDPrivateID: xprv, CoinType: 0,
		RPCPort: 8332,
	}
	p.setGenesis(bitcoinGenesis(1231006505, 0x1d00ffff, 2083236893))
	return p
}

// own returns what groat's own networks share: a block a minute, ASERT, every rule from the first block.
func own() *Params {
	return &Params{
		Difficulty: ASERT, BlockInterval: time.Minute, HalfLife: 17_280 * time.Second,
		Subsidy: 5 * coin, HalvingInterval: 2_100_000,
		BIP34Unique: noExtra,
		Network:     true,
	}
}

func (p *Params) setGenesis(b *wire.MsgBlock) {
	p.Genesis, p.GenesisHash = b, b.BlockHash()
}

// The versions of extended keys (BIP32).
var (
	xpub = [4]byte{0x04, 0x88, 0xb2, 0x1e}
	xprv = [4]byte{0x04, 0x88, 0xad, 0xe4}
	tpub = [4]byte{0x04, 0x35, 0x87, 0xcf}
	tprv = [4]byte{0x04, 0x35, 0x83, 0x94}
)

// The first blocks of groat's own networks: their time, 22 November 2026 at midnight UTC, and the nonces that prove their work.
const (
	ownGenesisTime = 1795305600
	mainNonce      = 10040129
	testnetNonce   = 138804
)

// ownGenesis returns a first block that says something and pays nobody.
func ownGenesis(words string, bits, nonce uint32) *wire.MsgBlock {
	script := []byte(words)
	return genesis(4, ownGenesisTime, bits, nonce, append([]byte{byte(len(script))}, script...),
		&wire.TxOut{Value: 0, PkScript: []byte{txscript.OP_RETURN}})
}

// bitcoinGenesis returns the first block of one of Bitcoin's networks: they differ in the header only.
func bitcoinGenesis(at int64, bits, nonce uint32) *wire.MsgBlock {
	words := "The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
	script := append([]byte{4, 0xff, 0xff, 0x00, 0x1d, 1, 4, byte(len(words))}, words...)
	key := mustHex("04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f")
	pay := append(append([]byte{byte(len(key))}, key...), txscript.OP_CHECKSIG)
	return genesis(1, at, bits, nonce, script, &wire.TxOut{Value: 50 * coin, PkScript: pay})
}

func genesis(version int32, at int64, bits, nonce uint32, script []byte, out *wire.TxOut) *wire.MsgBlock {
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: math.MaxUint32}, bytes.Clone(script), nil))
	tx.AddTxOut(out)
	return &wire.MsgBlock{
		Header: wire.BlockHeader{
			Version: version, MerkleRoot: tx.TxHash(), Timestamp: time.Unix(at, 0), Bits: bits, Nonce: nonce,
		},
		Transactions: []*wire.MsgTx{tx},
	}
}

// mustHash reads a hash that stands in this file.
func mustHash(s string) chainhash.Hash {
	h, err := chainhash.NewHashFromStr(s)
	if err != nil {
		panic(err)
	}
	return *h
}

// mustHex reads bytes that stand in this file.
func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
