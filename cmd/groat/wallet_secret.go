package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxSecret bounds a passphrase or a list of words, in bytes.
const maxSecret = 4096

// addPassphraseFlag declares where a passphrase may come from.
func addPassphraseFlag(cmd *cobra.Command) {
	cmd.Flags().String("passphrase-file", "", "`file` whose first line is the passphrase, empty for none; - for standard input")
}

// terminal returns standard input if it is a terminal.
func (a *app) terminal() (fd int, ok bool) {
	f, ok := a.in.(*os.File)
	if !ok {
		return 0, false
	}
	return int(f.Fd()), term.IsTerminal(int(f.Fd()))
}

// newPassphrase returns the passphrase that a new wallet is to have, "" for none. On a terminal it asks twice.
func (a *app) newPassphrase(cmd *cobra.Command) (string, error) {
	file, err := cmd.Flags().GetString("passphrase-file")
	if err != nil || file != "" {
		return a.firstLine(file, err)
	}
	if _, ok := a.terminal(); !ok {
		return "", nil
	}
	first, err := a.ask(cmd.Context(), "Passphrase for the wallet's file (empty for none): ")
	if err != nil || first == "" {
		return "", err
	}
	second, err := a.ask(cmd.Context(), "The same once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("these are two different passphrases; nothing was made")
	}
	return first, nil
}

// passphrase returns the passphrase of a wallet.
func (a *app) passphrase(cmd *cobra.Command, name string) (string, error) {
	file, err := cmd.Flags().GetString("passphrase-file")
	if err != nil || file != "" {
		return a.firstLine(file, err)
	}
	if _, ok := a.terminal(); !ok {
		return "", fmt.Errorf("wallet %s has a passphrase; give it with --passphrase-file, or run this on a terminal", name)
	}
	return a.ask(cmd.Context(), fmt.Sprintf("Passphrase of wallet %s: ", name))
}

// readWords returns the words of a wallet, which may stand on several lines of a file.
func (a *app) readWords(ctx context.Context, file string) (string, error) {
	_, onTerminal := a.terminal()
	if file == "" && onTerminal {
		return a.ask(ctx, "The words, with spaces between them (they are not shown): ")
	}
	if file == "" {
		file = "-"
	}
	text, err := a.secretFile(file, io.ReadAll)
	words := strings.Join(strings.Fields(string(text)), " ")
	if err == nil && words == "" {
		err = fmt.Errorf("there are no words in %s", file)
	}
	return words, err
}

// firstLine returns the first line of a file, unless there was an error before.
func (a *app) firstLine(file string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	line, err := a.secretFile(file, func(r io.Reader) ([]byte, error) {
		line, err := bufio.NewReader(r).ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
	return strings.TrimRight(string(line), "\r\n"), err
}

// secretFile reads a file, or standard input for "-".
func (a *app) secretFile(file string, read func(io.Reader) ([]byte, error)) ([]byte, error) {
	if file == "-" {
		return read(io.LimitReader(a.in, maxSecret))
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, errors.Unwrap(err))
	}
	defer f.Close()
	return read(io.LimitReader(f, maxSecret))
}

// ask reads a line from the terminal without showing it.
func (a *app) ask(ctx context.Context, prompt string) (string, error) {
	fd, _ := a.terminal()
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("cannot read from this terminal: %w", err)
	}
	fmt.Fprint(a.err, prompt)
	type line struct {
		text []byte
		err  error
	}
	lines := make(chan line, 1)
	// Nothing ends such a read but a key. If the program is told to stop meanwhile, the goroutine ends with it.
	go func() {
		text, err := term.ReadPassword(fd)
		lines <- line{text, err}
	}()
	defer fmt.Fprintln(a.err)
	select {
	case l := <-lines:
		return string(l.text), l.err
	case <-ctx.Done():
		return "", errors.Join(errors.New("stopped; nothing was done"), term.Restore(fd, before))
	}
}
