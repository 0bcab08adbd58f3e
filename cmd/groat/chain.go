package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"groat/consensus"
	"groat/node"
)

// newChainCommand builds "groat chain".
func newChainCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "chain",
		Short: "Blocks in files, and the data directory: import, export, verify, rebuild",
		Example: `  groat chain import --network bitcoin blk00000.dat blk00001.dat
  groat chain export --network regtest blocks.dat
  groat chain verify --network regtest
  groat chain rebuild --network regtest`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newChainImportCommand(a), newChainExportCommand(a), newChainVerifyCommand(a), newChainRebuildCommand(a))
	return cmd
}

// chainFlags are the flags of commands that open the data directory without a node.
type chainFlags struct {
	cacheMiB    int
	flushEvery  int32
	assumeValid string
	crashAt     string
	pruneMiB    int
	activations []string
}

// options returns how to open the data directory.
func (c chainFlags) options(a *app, cmd *cobra.Command) (node.Options, func() error, error) {
	p, err := a.params()
	if err != nil {
		return node.Options{}, nil, err
	}
	if p, err = withActivations(p, c.activations); err != nil {
		return node.Options{}, nil, err
	}
	o := node.DefaultOptions(p)
	if o.DataDir, err = filepath.Abs(a.shared.dataDir); err != nil {
		return o, nil, fmt.Errorf("--datadir %s: %w", a.shared.dataDir, err)
	}
	o.CacheMiB, o.FlushEvery, o.AssumeValid, o.CrashAt = c.cacheMiB, c.flushEvery, c.assumeValid, c.crashAt
	o.PruneMiB = c.pruneMiB
	if err := o.Check(); err != nil {
		return o, nil, withCode(exitUsage, err)
	}
	if !cmd.Flags().Changed("log-level") {
		a.shared.logLevel = "warn" // what an operator would be told of each block is in the bar
	}
	log, closeLog, err := a.logger(a.err, "")
	o.Log = log
	return o, closeLog, err
}

// add declares the flags of a command that connects blocks.
func (c *chainFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&c.cacheMiB, "dbcache", node.DefaultOptions(consensus.Main()).CacheMiB, "`MiB` of memory for coins")
	f.Int32Var(&c.flushEvery, "flush-every", 0, "write the coins after this `number` of blocks (default when memory is full)")
	f.StringVar(&c.assumeValid, "assume-valid", "", "take the scripts of this block's ancestors as valid; the `hash` of a block you trust")
	addCrashFlag(f, &c.crashAt)
	for _, name := range []string{"dbcache", "assume-valid"} {
		markSetting(f, name)
	}
	addActivationsFlag(f, &c.activations)
}

// addActivationsFlag declares the flag that moves soft forks: what has made a directory has to be said again to whoever opens it.
func addActivationsFlag(f *pflag.FlagSet, moves *[]string) {
	const name = "test-activation-height"
	f.StringArrayVar(moves, name, nil, "`NAME@HEIGHT` at which segwit, bip34, dersig, cltv or csv begins (regtest only); repeatable")
	markSetting(f, name)
}

// addCrashFlag declares a flag that tests use and --help does not show.
func addCrashFlag(f *pflag.FlagSet, at *string) {
	const name = "crash-at"
	f.StringVar(at, name, "", "end as by kill -9 at this `NAME[:N]` of the commit path (regtest only)")
	f.Lookup(name).Hidden = true
}

// newChainImportCommand builds "groat chain import".
func newChainImportCommand(a *app) *cobra.Command {
	var flags chainFlags
	cmd := &cobra.Command{
		Use:   "import FILE…",
		Short: "Verify the blocks of files and add them to the chain",
		Long: `Reads files of blocks as Bitcoin keeps them (before each block four bytes that mark the network and four with its length;
zeros end a file), verifies every block by all rules, and adds it to the chain in the data directory. No node may
run on that directory meanwhile.

A file that is damaged ends the import where the damage is; the blocks before it are kept, and importing a good copy goes on
from there.`,
		Example: "  groat chain import --network bitcoin blk00000.dat blk00001.dat",
		Args:    atLeast(1, "at least one FILE of blocks"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.importBlocks(cmd, flags, args) },
	}
	flags.add(cmd)
	cmd.Flags().IntVar(&flags.pruneMiB, "prune", 0, "keep about this many `MiB` of blocks, at least 550, and remove older ones; 0 keeps all")
	markSetting(cmd.Flags(), "prune")
	return cmd
}

// importBlocks imports files and says what has come of it.
func (a *app) importBlocks(cmd *cobra.Command, flags chainFlags, files []string) error {
	ctx := cmd.Context()
	o, closeLog, err := flags.options(a, cmd)
	if err != nil {
		return err
	}
	bar := newProgress(a.err, time.Now)
	got, err := node.Import(ctx, o, files, bar.show)
	bar.end()
	if got.Blocks > 0 {
		fmt.Fprintf(a.out, "%d blocks read, %d of them new; tip %v at height %d, %d coins, total %s, hash_serialized_3 %v\n",
			got.Blocks, got.New, got.Set.Tip.Hash, got.Set.Tip.Height, got.Set.Coins, coins(got.Set.Total), got.Set.Hash)
	}
	if got.Lost > 0 {
		fmt.Fprintf(a.out, "%d blocks were left out: their parents are neither here nor in these files; import the files before them as well\n", got.Lost)
	}
	return errors.Join(a.advise(flags.activations, stopped(ctx, err)), closeLog())
}

// newChainExportCommand builds "groat chain export".
func newChainExportCommand(a *app) *cobra.Command {
	flags := chainFlags{cacheMiB: 64}
	cmd := &cobra.Command{
		Use:     "export FILE",
		Short:   "Write the best chain to a file that 'groat chain import' reads",
		Long:    "Writes the blocks of the best chain in Bitcoin's format to a new file. No node may run on the data directory meanwhile.",
		Example: "  groat chain export --network regtest blocks.dat",
		Args:    exactly(1, "the name of the FILE to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, closeLog, err := flags.options(a, cmd)
			if err != nil {
				return err
			}
			bar := newProgress(a.err, time.Now)
			blocks, err := node.Export(cmd.Context(), o, args[0], bar.show)
			bar.end()
			if err != nil {
				return errors.Join(a.advise(flags.activations, stopped(cmd.Context(), err)), closeLog())
			}
			fmt.Fprintf(a.out, "%d blocks written to %s\n", blocks, args[0])
			return closeLog()
		},
	}
	addActivationsFlag(cmd.Flags(), &flags.activations)
	return cmd
}

// stopped says in words what an error means that only tells of a Ctrl-C.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("stopped before the end; run it again to go on")
	}
	return err
}
