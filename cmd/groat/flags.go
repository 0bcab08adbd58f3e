package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"groat/consensus"
)

// sharedFlags are understood by every command.
type sharedFlags struct {
	network   string
	dataDir   string
	config    string
	logLevel  string
	logFormat string
}

// addSharedFlags declares the flags of every command on root.
func (a *app) addSharedFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.shared.network, "network", "main", "network: "+strings.Join(consensus.Names(), ", "))
	f.StringVar(&a.shared.dataDir, "datadir", defaultDataDir(), "`directory` that holds a directory for each network")
	f.StringVar(&a.shared.config, "config", "", "TOML `file` with settings, keys named as the flags (default DATADIR/groat.toml, if there is one)")
	f.StringVar(&a.shared.logLevel, "log-level", "info", "log `level`: debug, info, warn, error")
	f.StringVar(&a.shared.logFormat, "log-format", "text", "log `format`: text, json")
	for _, name := range []string{"network", "datadir", "log-level", "log-format"} {
		markSetting(f, name)
	}
}

// defaultDataDir returns ~/.groat, or .groat here for a user without a home.
func defaultDataDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ".groat"
	}
	return filepath.Join(home, ".groat")
}

// params returns the network that --network names.
func (a *app) params() (*consensus.Params, error) {
	p, err := consensus.ByName(a.shared.network)
	if err != nil {
		return nil, usagef("--network %s: there is no such network; take one of %s", a.shared.network, strings.Join(consensus.Names(), ", "))
	}
	return p, nil
}

// networkDir returns the directory of the chosen network.
func (a *app) networkDir() (string, error) {
	p, err := a.params()
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(a.shared.dataDir)
	if err != nil {
		return "", fmt.Errorf("--datadir %s: %w", a.shared.dataDir, err)
	}
	return filepath.Join(dir, p.Name), nil
}

// settingMark is the annotation of flags that may also stand in the environment and in the configuration file.
const settingMark = "groat-setting"

// markSetting lets a flag be set by the environment and the configuration file too.
func markSetting(f *pflag.FlagSet, name string) {
	flag := f.Lookup(name)
	if flag.Annotations == nil {
		flag.Annotations = map[string][]string{}
	}
	flag.Annotations[settingMark] = nil
}

// isSetting reports whether a flag may stand in the environment and in the configuration file.
func isSetting(flag *pflag.Flag) bool {
	_, ok := flag.Annotations[settingMark]
	return ok
}

// noArgs refuses arguments of a command that takes none, and helps with the likely slip.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q; did you mean '%s %s'?", args[0], cmd.CommandPath(), near[0])
	}
	if cmd.HasAvailableSubCommands() {
		return usagef("unknown command %q", args[0])
	}
	return usagef("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])
}

// atLeast refuses a command line with fewer than n arguments, naming what is missing.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usagef("%s needs %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

// exactly refuses a command line that has not n arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s needs %s, but got %d arguments", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}
