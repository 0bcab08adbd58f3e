package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// coinAmount is an amount as the node prints it, with its eight decimals.
type coinAmount = json.Number

// newWalletAddressCommand builds "groat wallet address".
func newWalletAddressCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "address",
		Short: "Show a new address to be paid to",
		Example: `  groat wallet address --network regtest
  groat wallet address --network regtest --label "invoice 12"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.openWallet(cmd)
			if err != nil {
				return err
			}
			label, err := cmd.Flags().GetString("label")
			if err != nil {
				return err
			}
			answer := struct {
				Address string `json:"address"`
				Label   string `json:"label,omitempty"`
			}{Label: label}
			if err := w.call(cmd.Context(), &answer.Address, "getnewaddress", label); err != nil {
				return err
			}
			return a.print(w.json, answer, func() error {
				_, err := fmt.Fprintln(a.out, answer.Address)
				return err
			})
		},
	}
	cmd.Flags().String("label", "", "a `word` to find it by later")
	return cmd
}

// newWalletBalanceCommand builds "groat wallet balance".
func newWalletBalanceCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "balance",
		Short:   "Show what the wallet holds",
		Example: "  groat wallet balance --network regtest",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.openWallet(cmd)
			if err != nil {
				return err
			}
			return w.balance(cmd.Context())
		},
	}
}

// balance prints the sums of the coins.
func (w *wallet) balance(ctx context.Context) error {
	var b struct {
		Mine struct {
			Trusted  coinAmount `json:"trusted"`
			Pending  coinAmount `json:"untrusted_pending"`
			Immature coinAmount `json:"immature"`
		} `json:"mine"`
	}
	if err := w.call(ctx, &b, "getbalances"); err != nil {
		return err
	}
	s, err := w.state(ctx)
	if err != nil {
		return err
	}
	return w.print(w.json, b.Mine, func() error {
		table := tabwriter.NewWriter(w.out, 0, 8, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(table, "available\t%s\t\n", b.Mine.Trusted)
		fmt.Fprintf(table, "waiting for a block\t%s\t\n", b.Mine.Pending)
		fmt.Fprintf(table, "mined, not mature\t%s\t\n", b.Mine.Immature)
		if err := table.Flush(); err != nil {
			return err
		}
		if done, scanning := s.progress(); scanning {
			fmt.Fprintf(w.out, "The wallet is still looking for its coins: %.0f %%, block %d.\n", done*100, s.Last.Height)
		}
		return nil
	})
}

// newWalletSendCommand builds "groat wallet send".
func newWalletSendCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "send ADDRESS AMOUNT",
		Short: "Pay an amount of whole coins to an address",
		Long: `Signs a payment and hands it to the network. The amount is in whole coins with up to eight decimals. A wallet with a passphrase asks for it and is
locked again afterwards.`,
		Example: `  groat wallet send bcrt1q… 0.25 --network regtest
  groat wallet send bcrt1p… 10 --network regtest --subtract-fee --fee-rate 5`,
		Args: exactly(2, "an ADDRESS and an AMOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.openWallet(cmd)
			if err != nil {
				return err
			}
			return w.send(cmd, args[0], args[1])
		},
	}
	addPassphraseFlag(cmd)
	cmd.Flags().String("fee-rate", "", "fee in `sat/vB` (default twice the least that the pool takes)")
	cmd.Flags().Bool("subtract-fee", false, "take the fee out of the amount")
	return cmd
}

// sentJSON is what --json prints of a payment.
type sentJSON struct {
	TxID   string     `json:"txid"`
	Amount coinAmount `json:"amount"`
	Fee    coinAmount `json:"fee"`
}

// send makes a payment.
func (w *wallet) send(cmd *cobra.Command, address, amount string) error {
	rate, err := cmd.Flags().GetString("fee-rate")
	if err != nil {
		return err
	}
	lessFee, err := cmd.Flags().GetBool("subtract-fee")
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	lock, err := w.unlock(cmd)
	if err != nil {
		return err
	}
	params := map[string]any{"address": address, "amount": amount, "subtractfeefromamount": lessFee}
	if rate != "" {
		params["fee_rate"] = rate
	}
	var id string
	err = w.callWith(ctx, &id, "sendtoaddress", params)
	if err = errors.Join(err, lock()); err != nil {
		return err
	}
	var tx struct {
		Fee     coinAmount     `json:"fee"`
		Details []historyEntry `json:"details"`
	}
	if err := w.call(ctx, &tx, "gettransaction", id); err != nil {
		return fmt.Errorf("%s was sent, but the node does not tell more of it: %w", id, err)
	}
	answer := sentJSON{TxID: id, Amount: coinAmount(amount), Fee: unsigned(tx.Fee)}
	for _, part := range tx.Details { // the fee may have been taken out of it
		if part.Category == "send" {
			answer.Amount = unsigned(part.Amount)
		}
	}
	return w.print(w.json, answer, func() error {
		_, err := fmt.Fprintf(w.out, "sent %s for a fee of %s\n%s\n", answer.Amount, answer.Fee, id)
		return err
	})
}

// unsigned returns an amount that was paid as what it is.
func unsigned(n coinAmount) coinAmount { return coinAmount(strings.TrimPrefix(string(n), "-")) }

// unlockTime is how long a wallet is unlocked for one payment, in seconds. It is locked right after it.
const unlockTime = 60

// unlock lets the wallet sign and returns what locks it again, if it was locked.
func (w *wallet) unlock(cmd *cobra.Command) (lock func() error, err error) {
	ctx := cmd.Context()
	s, err := w.state(ctx)
	if err != nil || s.Unlocked == nil || *s.Unlocked != 0 {
		return func() error { return nil }, err
	}
	passphrase, err := w.passphrase(cmd, w.name)
	if err != nil {
		return nil, err
	}
	if err := w.call(ctx, nil, "walletpassphrase", passphrase, unlockTime); err != nil {
		if code, ok := rpcCode(err); ok && code == codePassphrase {
			return nil, fmt.Errorf("this is not the passphrase of wallet %s", w.name)
		}
		return nil, err
	}
	return func() error { return w.call(context.WithoutCancel(ctx), nil, "walletlock") }, nil
}

// newWalletHistoryCommand builds "groat wallet history".
func newWalletHistoryCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "history",
		Short:   "List what was paid and received, the newest last",
		Example: "  groat wallet history --network regtest --count 50",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.openWallet(cmd)
			if err != nil {
				return err
			}
			count, err := cmd.Flags().GetInt("count")
			if err != nil {
				return err
			}
			if count < 1 {
				return usagef("--count %d: at least 1", count)
			}
			return w.history(cmd.Context(), count)
		},
	}
	cmd.Flags().Int("count", 20, "`number` of entries")
	return cmd
}

// historyEntry is a line of the history.
type historyEntry struct {
	Time          int64      `json:"time"`
	Category      string     `json:"category"`
	Amount        coinAmount `json:"amount"`
	Fee           coinAmount `json:"fee,omitempty"`
	Confirmations int32      `json:"confirmations"`
	Abandoned     bool       `json:"abandoned,omitempty"`
	Address       string     `json:"address,omitempty"`
	Label         string     `json:"label,omitempty"`
	TxID          string     `json:"txid"`
}

// state tells in words how certain an entry is.
func (e historyEntry) state() string {
	switch {
	case e.Abandoned:
		return "given up"
	case e.Confirmations < 0:
		return "lost to another"
	case e.Category == "orphan":
		return "lost branch"
	case e.Confirmations == 0:
		return "waiting"
	case e.Confirmations == 1:
		return "1 block"
	}
	return fmt.Sprintf("%d blocks", e.Confirmations)
}

// history prints the last entries.
func (w *wallet) history(ctx context.Context, count int) error {
	list := []historyEntry{}
	if err := w.call(ctx, &list, "listtransactions", "*", count); err != nil {
		return err
	}
	return w.print(w.json, list, func() error {
		if len(list) == 0 {
			_, err := fmt.Fprintln(w.out, "nothing was paid or received yet")
			return err
		}
		table := tabwriter.NewWriter(w.out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "time\twhat\tamount\tstate\taddress\tlabel\ttransaction")
		for _, e := range list {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
				time.Unix(e.Time, 0).Format("2006-01-02 15:04"), e.Category, e.Amount, e.state(), e.Address, e.Label, e.TxID)
		}
		return table.Flush()
	})
}
