package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"groat/internal/ledger"
	"groat/node"
)

// newChainVerifyCommand builds "groat chain verify".
func newChainVerifyCommand(a *app) *cobra.Command {
	var deep bool
	flags := chainFlags{cacheMiB: 64}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check a data directory without changing it",
		Long: `Reads everything in the data directory and compares: the checksum of every block and undo record, the index with the files,
the headers and blocks of the best chain with the rules, the database's checksums, and the coins with their count. No node may run on
the directory meanwhile.

With --deep it also connects all blocks again, without their scripts, and compares the coins that this leads to with those that
are stored; that needs room in the directory for temporary files (TMPDIR).

Exit code 0: all is well. Exit code 1: something is damaged, and what is printed says what.`,
		Example: `  groat chain verify --network regtest
  groat chain verify --deep --datadir /mnt/groat`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.verifyChain(cmd, flags, deep) },
	}
	addActivationsFlag(cmd.Flags(), &flags.activations)
	cmd.Flags().BoolVar(&deep, "deep", false, "connect all blocks again and compare the coins")
	return cmd
}

// verifyChain checks the data directory and prints what was found.
func (a *app) verifyChain(cmd *cobra.Command, flags chainFlags, deep bool) error {
	o, closeLog, err := flags.options(a, cmd)
	if err != nil {
		return err
	}
	bar := newProgress(a.err, time.Now)
	found, err := node.Verify(cmd.Context(), o, deep, bar.show)
	bar.end()
	if err != nil {
		return errors.Join(a.advise(flags.activations, stopped(cmd.Context(), err)), closeLog())
	}
	for _, problem := range found.Problems {
		fmt.Fprintln(a.out, problem)
	}
	problems := len(found.Problems) + found.More
	if problems > 0 {
		if found.More > 0 {
			fmt.Fprintf(a.out, "and %d more\n", found.More)
		}
		return errors.Join(fmt.Errorf("the data directory is damaged, %d problems were found; %s", problems, a.rebuildHint(flags.activations)), closeLog())
	}
	fmt.Fprintf(a.out, "%d headers, %d blocks, %d undo records\n", found.Headers, found.Blocks, found.Undos)
	if found.Tail > 0 {
		fmt.Fprintf(a.out, "%d bytes that a crash left half written will be cut at the next start\n", found.Tail)
	}
	if found.Unfinished {
		fmt.Fprintln(a.out, "a crash interrupted a write of the coins, which the next start will finish: check them again after it")
	} else {
		a.printSet(found.Set)
	}
	return closeLog()
}

// printSet says in a line what the coins are.
func (a *app) printSet(set ledger.SetInfo) {
	fmt.Fprintf(a.out, "tip %v at height %d, %d coins, total %s, hash_serialized_3 %v\n", set.Tip.Hash, set.Tip.Height, set.Coins, coins(set.Total), set.Hash)
}

// newChainRebuildCommand builds "groat chain rebuild".
func newChainRebuildCommand(a *app) *cobra.Command {
	var flags chainFlags
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make coins and index anew from the block files",
		Long: `Removes the database and the undo files of the data directory and makes them anew from the block files, verifying every
block by all rules. No node may run on the directory meanwhile. A rebuild that is stopped or killed goes on where it was when it is
started again.

Blocks in damaged parts of the files are left out; a node fetches them again. A directory that was pruned cannot be
rebuilt, because its first blocks are gone.`,
		Example: `  groat chain rebuild --network regtest
  groat chain rebuild --dbcache 2000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, closeLog, err := flags.options(a, cmd)
			if err != nil {
				return err
			}
			bar := newProgress(a.err, time.Now)
			set, err := node.Rebuild(cmd.Context(), o, bar.show)
			bar.end()
			if err == nil {
				a.printSet(set)
			}
			return errors.Join(stopped(cmd.Context(), err), closeLog())
		},
	}
	flags.add(cmd)
	return cmd
}
