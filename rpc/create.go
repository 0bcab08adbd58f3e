package rpc

import (
	"context"
	"encoding/hex"
	"math"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/address"
)

func (a *api) createMethod() Method {
	return Method{
		Name: "createrawtransaction", Category: "rawtransactions", Run: a.createRawTransaction,
		Args: []Arg{
			{Name: "inputs", Type: ArgArray, Required: true, Sample: `[{"txid":"hex","vout":n,"sequence":n},...]`, Help: "The inputs"},
			{
				Name: "outputs", Type: ArgArray, Unchecked: true, Required: true, Sample: `[{"address":amount,...},{"data":"hex"},...]`,
				Help: "The outputs specified as key-value pairs. Each key may only appear once.",
			},
			{Name: "locktime", Type: ArgInt64, Default: "0", Help: "Raw locktime. Non-0 value also locktime-activates inputs"},
			{Name: "replaceable", Type: ArgBool, Default: "true", Help: "Marks this transaction as BIP125-replaceable."},
		},
		Help: "Create a transaction spending the given inputs and creating new outputs.\n" +
			"Outputs can be addresses or data.\nReturns hex-encoded raw transaction.\n" +
			"Note that the transaction's inputs are not signed, and\nit is not stored in the wallet or transmitted to the network.",
		Result: `"hex"    (string) hex string of the transaction`,
	}
}

func (a *api) createRawTransaction(_ context.Context, c *Call) (any, error) {
	lockTime := c.Int(2)
	if lockTime < 0 || lockTime > math.MaxUint32 {
		return nil, errorf(CodeInvalidParameter, "Invalid parameter, locktime out of range")
	}
	msg := &wire.MsgTx{Version: 2, LockTime: uint32(lockTime)}
	replaceable := c.BoolOr(3, true)
	for _, v := range c.Value(0).List {
		in, err := newInput(v, replaceable, lockTime > 0)
		if err != nil {
			return nil, err
		}
		msg.AddTxIn(in)
	}
	outputs, err := outputPairs(c.Value(1))
	if err != nil {
		return nil, err
	}
	used := make(map[string]bool)
	for i, key := range outputs.Keys {
		out, err := a.newOutput(key, outputs.List[i], used)
		if err != nil {
			return nil, err
		}
		msg.AddTxOut(out)
	}
	if c.BoolOr(3, false) && len(msg.TxIn) > 0 && !signalsReplacement(msg) {
		return nil, errorf(CodeInvalidParameter, "Invalid parameter combination: Sequence number(s) contradict replaceable option")
	}
	return hex.EncodeToString(consensus.NewTx(msg).Raw()), nil
}

// parseOutPoint reads the txid and vout of an object.
func parseOutPoint(v Value) (wire.OutPoint, error) {
	if v.Kind != Object {
		return wire.OutPoint{}, wrongType(v, Object)
	}
	id, _ := v.Get("txid")
	text, err := id.AsString()
	if err != nil {
		return wire.OutPoint{}, err
	}
	hash, err := parseHash(text, "txid")
	if err != nil {
		return wire.OutPoint{}, err
	}
	vout, _ := v.Get("vout")
	if vout.Kind != Number {
		return wire.OutPoint{}, errorf(CodeInvalidParameter, "Invalid parameter, missing vout key")
	}
	n, err := vout.AsInt(32)
	if err != nil {
		return wire.OutPoint{}, err
	}
	if n < 0 {
		return wire.OutPoint{}, errorf(CodeInvalidParameter, "Invalid parameter, vout cannot be negative")
	}
	return wire.OutPoint{Hash: hash, Index: uint32(n)}, nil
}

// newInput makes an input of its txid, vout and perhaps sequence.
func newInput(v Value, replaceable, locked bool) (*wire.TxIn, error) {
	op, err := parseOutPoint(v)
	if err != nil {
		return nil, err
	}
	in := wire.NewTxIn(&op, nil, nil)
	switch {
	case replaceable:
		in.Sequence = maxReplaceable
	case locked:
		in.Sequence = wire.MaxTxInSequenceNum - 1
	}
	if sequence, ok := v.Get("sequence"); ok && sequence.Kind == Number {
		n, err := sequence.AsInt(64)
		if err != nil {
			return nil, err
		}
		if n < 0 || n > math.MaxUint32 {
			return nil, errorf(CodeInvalidParameter, "Invalid parameter, sequence number is out of range")
		}
		in.Sequence = uint32(n)
	}
	return in, nil
}

// outputPairs returns outputs, given as an object or as an array of objects with one key each, as one object.
func outputPairs(v Value) (Value, error) {
	switch v.Kind {
	case Object:
		return v, nil
	case Array:
	case Null:
		return Value{}, errorf(CodeInvalidParameter, "Invalid parameter, output argument must be non-null")
	default:
		return Value{}, wrongType(v, Array)
	}
	pairs := Value{Kind: Object}
	for _, pair := range v.List {
		if pair.Kind != Object {
			return Value{}, errorf(CodeInvalidParameter, "Invalid parameter, key-value pair not an object as expected")
		}
		if len(pair.Keys) != 1 {
			return Value{}, errorf(CodeInvalidParameter, "Invalid parameter, key-value pair must contain exactly one key")
		}
		pairs.Keys = append(pairs.Keys, pair.Keys[0])
		pairs.List = append(pairs.List, pair.List[0])
	}
	return pairs, nil
}

// newOutput makes an output that pays to an address or, under the key data, carries bytes. used has the keys that came before.
func (a *api) newOutput(key string, v Value, used map[string]bool) (*wire.TxOut, error) {
	if key == "data" {
		if used[key] {
			return nil, errorf(CodeInvalidParameter, "Invalid parameter, duplicate key: data")
		}
		used[key] = true
		return dataOutput(v)
	}
	script, err := address.Decode(a.Params, key)
	if err != nil {
		return nil, errorf(CodeNotFound, "Invalid Bitcoin address: %s", key)
	}
	if used[string(script)] {
		return nil, errorf(CodeInvalidParameter, "Invalid parameter, duplicated address: %s", key)
	}
	used[string(script)] = true
	value, err := ParseAmount(v)
	if err != nil {
		return nil, err
	}
	return wire.NewTxOut(int64(value), script), nil
}

// dataOutput makes an output that carries bytes and no money.
func dataOutput(v Value) (*wire.TxOut, error) {
	text := v.Text
	data, err := hex.DecodeString(text)
	if v.Kind != String || err != nil || len(data) == 0 {
		return nil, errorf(CodeInvalidParameter, "Data must be hexadecimal string (not '%s')", text)
	}
	script, err := txscript.NewScriptBuilder(txscript.WithScriptAllocSize(len(data) + 4)).AddOp(txscript.OP_RETURN).AddFullData(data).Script()
	if err != nil {
		return nil, err
	}
	return wire.NewTxOut(0, script), nil
}
