package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newRootCommand builds the whole command tree.
func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "groat",
		Short: "A full node for networks with Bitcoin's rules",
		Long: `groat runs full nodes of networks with Bitcoin's rules over libp2p, answers Bitcoin Core's JSON-RPC,
and starts whole networks of nodes on one machine.

Every setting can be given as a flag, as an environment variable (--rpc-listen is GROAT_RPC_LISTEN), or in
a TOML file (rpc-listen = "…"); the first of these that is present counts.`,
		Example: `  groat testnet up                               five nodes on this machine, Ctrl-C ends them
  groat node --network testnet                   a node of the test network
  groat rpc --network testnet getblockchaininfo  ask it something`,
		Args:              noArgs,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(a.out, welcome)
			return err
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.started = true
			return a.configure(cmd)
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return withCode(exitUsage, err) })
	a.addSharedFlags(root)
	root.AddCommand(
		newNodeCommand(a),
		newRPCCommand(a),
		newWalletCommand(a),
		newChainCommand(a),
		newPeerCommand(a),
		newTestnetCommand(a),
		newVersionCommand(a),
	)
	strictCompletion(root)
	return root
}

// strictCompletion makes "groat completion" refuse a shell that it does not know: cobra's own prints the help and is content.
func strictCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Example = "  groat completion bash > /etc/bash_completion.d/groat"
			cmd.Args = noArgs
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// welcome is what someone sees who does not know yet what to type.
const welcome = `groat: a full node for networks with Bitcoin's rules.

Start here:

  groat testnet up                    a network of five nodes on this machine; Ctrl-C ends it
  groat node --network regtest        one node, for playing with it by hand
  groat rpc --network regtest help    what a running node can be asked

Every command explains itself with examples: groat COMMAND --help
`
