package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"groat/rpc"
)

// newRPCCommand builds "groat rpc".
func newRPCCommand(a *app) *cobra.Command {
	var wallet string
	cmd := &cobra.Command{
		Use:   "rpc METHOD [args|name=value]…",
		Short: "Call an RPC method of a running node",
		Long: `Calls a method of a running node and prints the result: strings bare, anything else as JSON, null as nothing. Errors go to
stderr in bitcoin-cli's form.

Where a method takes a string the argument is one as it stands. Elsewhere, what is JSON is sent as JSON. Arguments by name are
written name=value. Flags stand before METHOD.`,
		Example: `  groat rpc --network regtest getblockchaininfo
  groat rpc --network regtest getblockhash 0
  groat rpc --network regtest getblock blockhash=0f91… verbosity=2
  groat rpc --network regtest --wallet shop sendtoaddress bcrt1q… 0.25
  groat rpc --network regtest help sendtoaddress`,
		Args: atLeast(1, "a METHOD; 'groat rpc help' lists them"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.dial(cmd)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("wallet") {
				r = r.wallet(wallet)
			}
			params, err := rpcParams(args[0], args[1:])
			if err != nil {
				return err
			}
			var result json.RawMessage
			if err := r.callWith(cmd.Context(), &result, args[0], params); err != nil {
				return asRPCFailure(err)
			}
			return a.printResult(result)
		},
	}
	addClientFlags(cmd)
	cmd.Flags().SetInterspersed(false) // what follows METHOD is the method's, a leading dash or not
	cmd.Flags().StringVar(&wallet, "wallet", "", "call a method of the wallet with this `name`")
	return cmd
}

// named matches an argument by name. What base64 and descriptors look like does not match.
var named = regexp.MustCompile(`^([a-z][a-z0-9_]*)=`)

// rpcParams returns the arguments of a call: a list, or with arguments by name an object that holds the others under "args".
func rpcParams(method string, args []string) (any, error) {
	signature, known := rpc.Signature(method)
	byName := map[string]json.RawMessage{}
	list := []json.RawMessage{}
	for _, arg := range args {
		m := named.FindStringSubmatch(arg)
		var of rpc.Arg
		if m != nil && known {
			i := slices.IndexFunc(signature, func(a rpc.Arg) bool { return a.Name == m[1] || slices.Contains(a.Aliases, m[1]) })
			if i < 0 {
				m = nil // no argument has this name, so it is a value that looks like one
			} else {
				of = signature[i]
			}
		}
		if m == nil {
			if len(list) < len(signature) {
				of = signature[len(list)]
			}
			list = append(list, rpcValue(of, arg))
			continue
		}
		if _, twice := byName[m[1]]; twice {
			return nil, usagef("argument %s is given twice", m[1])
		}
		byName[m[1]] = rpcValue(of, arg[len(m[0]):])
	}
	if len(byName) == 0 {
		return list, nil
	}
	if len(list) > 0 {
		leading, err := json.Marshal(list)
		if err != nil {
			return nil, err
		}
		byName["args"] = leading
	}
	return byName, nil
}

// rpcValue returns a value of the argument of: a string where it takes one or where the value is no JSON, else the JSON it is.
func rpcValue(of rpc.Arg, value string) json.RawMessage {
	text := of.Type == rpc.ArgString || of.Type == rpc.ArgHex
	if !text && json.Valid([]byte(value)) {
		return json.RawMessage(value)
	}
	quoted, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage(`""`) // a string always marshals
	}
	return quoted
}

// printResult prints the result of a call.
func (a *app) printResult(result json.RawMessage) error {
	result = bytes.TrimSpace(result)
	if len(result) == 0 || string(result) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(result, &text) == nil {
		_, err := fmt.Fprintln(a.out, text)
		return err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, result, "", "  "); err != nil {
		return fmt.Errorf("the node's answer is no JSON: %w", err)
	}
	_, err := fmt.Fprintln(a.out, pretty.String())
	return err
}

// rpcFailure is an RPC error that is printed in bitcoin-cli's form.
type rpcFailure struct {
	code    int
	message string
	err     error
}

func (e rpcFailure) Error() string { return e.message }
func (e rpcFailure) Unwrap() error { return e.err }

// asRPCFailure marks an RPC error to be printed in bitcoin-cli's form. Other errors stay as they are.
func asRPCFailure(err error) error {
	if code, message, ok := rpcError(err); ok {
		return rpcFailure{code, message, err}
	}
	return err
}
