package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// newWalletCreateCommand builds "groat wallet create".
func newWalletCreateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a wallet and show its twelve words",
		Long: `Makes a wallet in the running node, which loads it again whenever it starts, and shows its twelve words. Write them on paper: they
bring the wallet back with 'groat wallet restore', and nothing else does once its file is lost.

On a terminal it asks for a passphrase, which encrypts the file; without one, whoever reads the file has the money.`,
		Example: `  groat wallet create shop --network regtest
  groat wallet create shop --network regtest --passphrase-file /run/secrets/shop --json`,
		Args: exactly(1, "the NAME of the new wallet"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.createWallet(cmd, args[0]) },
	}
	addPassphraseFlag(cmd)
	return cmd
}

// createdJSON is what --json prints of a new wallet.
type createdJSON struct {
	Name      string `json:"name"`
	Words     string `json:"words,omitempty"`
	Encrypted bool   `json:"encrypted"`
}

// createWallet makes a wallet and shows its words.
func (a *app) createWallet(cmd *cobra.Command, name string) error {
	r, err := a.dial(cmd)
	if err != nil {
		return err
	}
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	passphrase, err := a.newPassphrase(cmd)
	if err != nil {
		return err
	}
	params := map[string]any{"wallet_name": name, "load_on_startup": true}
	export := []any{}
	if passphrase != "" {
		params["passphrase"] = passphrase
		export = append(export, passphrase)
	}
	if err := r.callWith(cmd.Context(), nil, "createwallet", params); err != nil {
		return err
	}
	var secret struct {
		Words string `json:"words"`
	}
	if err := r.wallet(name).call(cmd.Context(), &secret, "exportwords", export...); err != nil {
		return fmt.Errorf("wallet %s was made, but its words cannot be shown; 'groat rpc --wallet %s exportwords' shows them: %w", name, name, err)
	}
	answer := createdJSON{Name: name, Words: secret.Words, Encrypted: passphrase != ""}
	return a.print(asJSON, answer, func() error { return a.printCreated(answer) })
}

// printCreated shows the words of a new wallet, and what to do next.
func (a *app) printCreated(c createdJSON) error {
	fmt.Fprintf(a.out, "Wallet %s is made. Write these words on paper, in this order:\n\n", c.Name)
	words := strings.Fields(c.Words)
	table := tabwriter.NewWriter(a.out, 0, 8, 4, ' ', 0)
	rows := (len(words) + 2) / 3
	for i := range rows {
		for j := i; j < len(words); j += rows {
			fmt.Fprintf(table, "  %2d %s\t", j+1, words[j])
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	lock := "The file has a passphrase; sending asks for it."
	if !c.Encrypted {
		lock = "The file has no passphrase: whoever reads it has the money. 'groat rpc encryptwallet' gives it one."
	}
	_, err := fmt.Fprintf(a.out, `
Whoever has them has the money. They bring it back with 'groat wallet restore NAME'.
%s
Next: 'groat wallet address --wallet %s' shows where to be paid.
`, lock, c.Name)
	return err
}

// newWalletRestoreCommand builds "groat wallet restore".
func newWalletRestoreCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore NAME",
		Short: "Bring a wallet back from its words",
		Long: `Makes a wallet from the 12 to 24 words of another (BIP39, without a passphrase of its own), looks through the whole chain for its coins, and waits until that
is done. The words are asked for on the terminal, read from --words-file, or read from standard input.`,
		Example: `  groat wallet restore shop --network regtest
  groat wallet restore shop --network regtest --words-file words.txt`,
		Args: exactly(1, "the NAME that the wallet is to have here"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.restoreWallet(cmd, args[0]) },
	}
	addPassphraseFlag(cmd)
	cmd.Flags().String("words-file", "", "`file` with the words; - for standard input")
	return cmd
}

// restoredJSON is what --json prints of a wallet that came back.
type restoredJSON struct {
	Name      string     `json:"name"`
	Encrypted bool       `json:"encrypted"`
	Height    int32      `json:"height"`
	Balance   coinAmount `json:"balance"`
}

// restoreWallet brings a wallet back and waits until its coins are found.
func (a *app) restoreWallet(cmd *cobra.Command, name string) error {
	r, err := a.dial(cmd)
	if err != nil {
		return err
	}
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	file, err := cmd.Flags().GetString("words-file")
	if err != nil {
		return err
	}
	if passphraseFile, _ := cmd.Flags().GetString("passphrase-file"); passphraseFile == "-" && (file == "-" || file == "") {
		return usagef("the words and the passphrase cannot both come from standard input; put one into a file")
	}
	words, err := a.readWords(cmd.Context(), file)
	if err != nil {
		return err
	}
	passphrase, err := a.newPassphrase(cmd)
	if err != nil {
		return err
	}
	params := map[string]any{"wallet_name": name, "words": words, "passphrase": passphrase, "load_on_startup": true}
	if err := r.callWith(cmd.Context(), nil, "restorewords", params); err != nil {
		return err
	}
	w := &wallet{app: a, remote: r.wallet(name), name: name, json: asJSON}
	height, err := w.awaitScan(cmd.Context())
	if err != nil {
		return fmt.Errorf("wallet %s is restored; the node goes on looking for its coins: %w", name, err)
	}
	answer := restoredJSON{Name: name, Encrypted: passphrase != "", Height: height}
	if err := w.call(cmd.Context(), &answer.Balance, "getbalance"); err != nil {
		return err
	}
	return a.print(asJSON, answer, func() error {
		_, err := fmt.Fprintf(a.out, "Wallet %s is back, up to block %d: it holds %s.\n", name, height, answer.Balance)
		return err
	})
}

// scanPoll is the time between two questions how far a scan is.
const scanPoll = 200 * time.Millisecond

// awaitScan shows how far the wallet is with looking for its coins, until it is done, and returns the height up to which it has.
func (w *wallet) awaitScan(ctx context.Context) (int32, error) {
	tick := time.NewTicker(scanPoll)
	defer tick.Stop()
	shown := false
	for {
		s, err := w.state(ctx)
		if err != nil {
			return 0, err
		}
		done, scanning := s.progress()
		if !scanning {
			if shown {
				fmt.Fprintln(w.err)
			}
			return s.Last.Height, nil
		}
		fmt.Fprintf(w.err, "\r%s %3.0f %%  block %d", bar(done), done*100, s.Last.Height)
		shown = true
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// newWalletListCommand builds "groat wallet list".
func newWalletListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the wallets of the node",
		Example: "  groat wallet list --network regtest",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.listWallets(cmd) },
	}
}

// listedWallet is a wallet of the list.
type listedWallet struct {
	Name   string `json:"name"`
	Loaded bool   `json:"loaded"`
}

// listWallets prints the wallets in the directory and whether they are loaded.
func (a *app) listWallets(cmd *cobra.Command) error {
	r, err := a.dial(cmd)
	if err != nil {
		return err
	}
	asJSON, err := cmd.Flags().GetBool("json")
	if err != nil {
		return err
	}
	var loaded []string
	if err := r.call(cmd.Context(), &loaded, "listwallets"); err != nil {
		return err
	}
	var dir struct {
		Wallets []listedWallet `json:"wallets"`
	}
	if err := r.call(cmd.Context(), &dir, "listwalletdir"); err != nil {
		return err
	}
	for i, w := range dir.Wallets {
		for _, name := range loaded {
			dir.Wallets[i].Loaded = dir.Wallets[i].Loaded || w.Name == name
		}
	}
	return a.print(asJSON, dir.Wallets, func() error {
		if len(dir.Wallets) == 0 {
			_, err := fmt.Fprintln(a.out, "no wallets; make one with 'groat wallet create NAME'")
			return err
		}
		table := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
		for _, w := range dir.Wallets {
			state := "loaded"
			if !w.Loaded {
				state = "not loaded"
			}
			fmt.Fprintf(table, "%s\t%s\n", w.Name, state)
		}
		return table.Flush()
	})
}
