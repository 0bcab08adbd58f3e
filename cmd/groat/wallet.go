package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// codePassphrase is Bitcoin Core's code for a wrong passphrase.
const codePassphrase = -14

// newWalletCommand builds "groat wallet".
func newWalletCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wallet",
		Short: "Wallets of a running node: addresses, balance, payments",
		Long: `Works with the wallets inside a running node. A wallet follows from twelve words, which are shown once, when it is
created: whoever has them has the money. With one wallet loaded its name can be left out, else --wallet names it.

Passphrases and words are asked for on the terminal or read from files, never taken from the command line.`,
		Example: `  groat wallet create shop --network regtest
  groat wallet address --network regtest --label "invoice 12"
  groat wallet balance --network regtest
  groat wallet send bcrt1q… 0.25 --network regtest
  groat wallet history --network regtest`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	addClientFlags(cmd)
	f := cmd.PersistentFlags()
	f.String("wallet", "", "`name` of the wallet (default the one that is loaded)")
	f.Bool("json", false, "print JSON")
	cmd.AddCommand(
		newWalletCreateCommand(a), newWalletRestoreCommand(a), newWalletListCommand(a),
		newWalletAddressCommand(a), newWalletBalanceCommand(a), newWalletSendCommand(a), newWalletHistoryCommand(a),
	)
	return cmd
}

// wallet is a wallet of a running node, as the commands work with it.
type wallet struct {
	*app
	*remote
	name string
	json bool
}

// openWallet finds the wallet that --wallet names, or the only one that is loaded.
func (a *app) openWallet(cmd *cobra.Command) (*wallet, error) {
	r, err := a.dial(cmd)
	if err != nil {
		return nil, err
	}
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return nil, err
	}
	name, err := cmd.Flags().GetString("wallet")
	if err != nil {
		return nil, err
	}
	var loaded []string
	if err := r.call(cmd.Context(), &loaded, "listwallets"); err != nil {
		return nil, err
	}
	switch {
	case name != "" && !slices.Contains(loaded, name):
		return nil, fmt.Errorf("no wallet %q is loaded; 'groat wallet list' shows which there are, 'groat rpc loadwallet NAME' loads one", name)
	case name == "" && len(loaded) == 0:
		return nil, errors.New("no wallet is loaded; make one with 'groat wallet create NAME', or load one with 'groat rpc loadwallet NAME'")
	case name == "" && len(loaded) > 1:
		return nil, usagef("several wallets are loaded (%s); name one with --wallet", strings.Join(loaded, ", "))
	case name == "":
		name = loaded[0]
	}
	return &wallet{app: a, remote: r.wallet(name), name: name, json: asJSON}, nil
}

// print prints an answer as JSON, or in words.
func (a *app) print(asJSON bool, answer any, words func() error) error {
	if !asJSON {
		return words()
	}
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, string(text))
	return err
}

// scanState is how far a wallet has come with looking for its coins.
type scanState struct {
	Scanning json.RawMessage `json:"scanning"`
	Unlocked *int64          `json:"unlocked_until"`
	Last     struct {
		Height int32 `json:"height"`
	} `json:"lastprocessedblock"`
}

// progress returns how much of a scan is done, and false if there is none.
func (s scanState) progress() (float64, bool) {
	var scan struct {
		Progress float64 `json:"progress"`
	}
	if json.Unmarshal(s.Scanning, &scan) != nil { // it is false
		return 0, false
	}
	return scan.Progress, true
}

// state asks how far the wallet has come and whether it is locked.
func (w *wallet) state(ctx context.Context) (scanState, error) {
	var s scanState
	err := w.call(ctx, &s, "getwalletinfo")
	return s, err
}
