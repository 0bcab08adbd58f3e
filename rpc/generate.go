package rpc

import (
	"context"
	"encoding/hex"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/address"
	"groat/internal/descriptor"
)

const defaultMaxTries = 1_000_000

func (a *api) generateMethods() []Method {
	maxTries := Arg{Name: "maxtries", Type: ArgInt64, Default: "1000000", Help: "How many iterations to try."}
	const hashes = `["hex", ...]    (json array) hashes of blocks generated`
	generate := Method{
		Name: "generate", Category: categoryHidden,
		Help: "has been replaced by generatetoaddress. Use `groat rpc generatetoaddress` or `groat node --mine ADDRESS`.",
	}
	generate.Run = func(context.Context, *Call) (any, error) {
		return nil, errorf(CodeUnknownMethod, "%s", generate.usage())
	}
	return []Method{
		generate,
		{
			Name: "generatetoaddress", Category: categoryHidden, Run: a.generateToAddress, Result: hashes,
			Args: []Arg{
				{Name: "nblocks", Type: ArgInt, Required: true, Help: "How many blocks are generated."},
				{Name: "address", Type: ArgString, Required: true, Help: "The address to send the newly generated coins to."},
				maxTries,
			},
			Help: "Mine to a specified address and return the block hashes.",
		},
		{
			Name: "generatetodescriptor", Category: categoryHidden, Run: a.generateToDescriptor, Result: hashes,
			Args: []Arg{
				{Name: "num_blocks", Type: ArgInt, Required: true, Help: "How many blocks are generated."},
				{Name: "descriptor", Type: ArgString, Required: true, Help: "The descriptor to send the newly generated coins to."},
				maxTries,
			},
			Help: "Mine to a specified descriptor and return the block hashes.",
		},
		{
			Name: "generateblock", Category: categoryHidden, Run: a.generateBlock, Result: "{hash, hex}",
			Args: []Arg{
				{Name: "output", Type: ArgString, Required: true, Help: "The address or descriptor to send the newly generated coins to."},
				{
					Name: "transactions", Type: ArgArray, Required: true, Sample: `["rawtx/txid",...]`,
					Help: "An array of hex strings which are either txids or raw transactions.\n" +
						"Txids must reference transactions currently in the mempool.\nAll transactions must be valid and in valid order, otherwise the block will be rejected.",
				},
				{Name: "submit", Type: ArgBool, Default: "true", Help: "Whether to submit the block before the RPC call returns or to return it as hex."},
			},
			Help: "Mine a set of ordered transactions to a specified address or descriptor and return the block hash.",
		},
	}
}

func (a *api) generateToAddress(ctx context.Context, c *Call) (any, error) {
	script, err := address.Decode(a.Params, c.String(1))
	if err != nil {
		return nil, errorf(CodeNotFound, "Error: Invalid address")
	}
	return a.generate(ctx, c, script)
}

func (a *api) generateToDescriptor(ctx context.Context, c *Call) (any, error) {
	script, err := a.minerScript(c.String(1))
	if err != nil {
		return nil, err
	}
	return a.generate(ctx, c, script)
}

// generate mines as many blocks as argument 0 says. The pool follows before it answers.
func (a *api) generate(ctx context.Context, c *Call, script []byte) (any, error) {
	tries := c.IntOr(2, defaultMaxTries)
	if tries < 0 {
		return nil, errorf(CodeMisc, "JSON integer out of range")
	}
	if c.Int(0) <= 0 {
		return []string{}, nil
	}
	hashes, err := a.Miner.Generate(ctx, int(c.Int(0)), script, uint64(tries))
	if err != nil {
		return nil, err
	}
	return hashTexts(hashes), a.Pool.CatchUp(ctx)
}

// minerScript returns the script of a descriptor that stands for one; for combo, the one that Core's generate methods take.
func (a *api) minerScript(text string) ([]byte, error) {
	d, err := descriptor.Parse(a.Params, text)
	if err != nil {
		return nil, errorf(CodeNotFound, "%v", err)
	}
	if d.Ranged {
		return nil, errorf(CodeInvalidParameter, "Ranged descriptor not accepted. Maybe pass through deriveaddresses first?")
	}
	outs, err := d.At(0)
	if err != nil {
		return nil, errorf(CodeNotFound, "Cannot derive script without private keys")
	}
	const ofCombo = 2 // its P2WPKH script, after P2PK and P2PKH; a combo of an uncompressed key has P2PK and P2PKH only
	switch len(outs) {
	case 1:
		return outs[0].Script, nil
	case ofCombo:
		return outs[1].Script, nil
	}
	return outs[ofCombo].Script, nil
}

func (a *api) generateBlock(ctx context.Context, c *Call) (any, error) {
	script, err := a.minerScript(c.String(0))
	if err != nil {
		if script, err = address.Decode(a.Params, c.String(0)); err != nil {
			return nil, errorf(CodeNotFound, "Error: Invalid address or descriptor")
		}
	}
	var txs []*consensus.Tx
	for _, v := range c.Value(1).List {
		tx, err := a.namedTx(v)
		if err != nil {
			return nil, err
		}
		txs = append(txs, tx)
	}
	submit := c.BoolOr(2, true)
	b, err := a.Miner.GenerateBlock(ctx, script, txs, submit)
	if reason, refused := reasonOf(err); refused {
		return nil, errorf(CodeVerify, "TestBlockValidity failed: %s", reason)
	}
	if err != nil {
		return nil, err
	}
	j := struct {
		Hash string `json:"hash"`
		Hex  string `json:"hex,omitempty"`
	}{Hash: b.Hash().String()}
	if !submit {
		j.Hex = hex.EncodeToString(b.Raw())
		return j, nil
	}
	return j, a.Pool.CatchUp(ctx)
}

// namedTx returns the transaction that a string names by id, which must be in the pool, or is.
func (a *api) namedTx(v Value) (*consensus.Tx, error) {
	text, err := v.AsString()
	if err != nil {
		return nil, err
	}
	if hash, err := parseHash(text, "txid"); err == nil && len(text) == chainhash.MaxHashStringSize {
		tx, ok := a.Pool.Get(hash)
		if !ok {
			return nil, errorf(CodeNotFound, "Transaction %s not in mempool.", text)
		}
		return tx, nil
	}
	tx, ok := parseTx(text, anyForm)
	if !ok {
		return nil, errorf(CodeDecode, "Transaction decode failed for %s. %s", text, decodeHint)
	}
	return tx, nil
}
