package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// configure fills in the flags that the command line left alone: from the environment, or else from the configuration file.
func (a *app) configure(cmd *cobra.Command) error {
	// Where the file is must be known before it can be read.
	for _, name := range []string{"config", "datadir"} {
		if err := a.fromEnv(cmd.Flags().Lookup(name)); err != nil {
			return err
		}
	}
	if a.shared.dataDir == "" { // an unset variable of a shell: not what its author meant to fill
		return usagef("--datadir is empty")
	}
	file, err := a.readConfig(cmd)
	if err != nil {
		return err
	}
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if err != nil || !isSetting(flag) {
			return
		}
		if err = a.fromEnv(flag); err == nil {
			err = file.apply(flag)
		}
	})
	return err
}

// envName returns the environment variable of a flag.
func envName(flag string) string {
	return "GROAT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnv sets flag from the environment unless the command line did.
func (a *app) fromEnv(flag *pflag.Flag) error {
	text, ok := a.lookupEnv(envName(flag.Name))
	if flag.Changed || !ok {
		return nil
	}
	values := []string{text}
	if _, list := flag.Value.(pflag.SliceValue); list {
		values = strings.Split(text, ",")
	}
	if err := setFlag(flag, values); err != nil {
		return usagef("environment variable %s: %v", envName(flag.Name), err)
	}
	return nil
}

// setFlag gives a flag its values; only a repeatable one takes more than one.
func setFlag(flag *pflag.Flag, values []string) error {
	flag.Changed = true
	if list, ok := flag.Value.(pflag.SliceValue); ok {
		return list.Replace(values)
	}
	if len(values) != 1 {
		return fmt.Errorf("takes one value, not a list")
	}
	if err := flag.Value.Set(values[0]); err != nil {
		return fmt.Errorf("%q is not a valid %s", values[0], flag.Value.Type())
	}
	return nil
}

// configFile is a configuration file as read: values by key, and its text for finding the line of a key.
type configFile struct {
	path   string
	text   string
	values map[string]any
}

// readConfig reads the configuration file. One that was named must exist; the default one need not.
func (a *app) readConfig(cmd *cobra.Command) (*configFile, error) {
	c := &configFile{path: a.shared.config}
	if c.path == "" {
		c.path = filepath.Join(a.shared.dataDir, "groat.toml")
	}
	data, err := os.ReadFile(c.path)
	missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) // the data directory is a file: another part says so
	if missing && a.shared.config == "" {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("configuration file %s cannot be read: %w; name a readable file with --config", c.path, cause(err))
	}
	c.text = string(data)
	if _, err := toml.Decode(c.text, &c.values); err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			return nil, usagef("configuration file %s line %d: %s", c.path, parse.Position.Line, parse.Message)
		}
		return nil, usagef("configuration file %s: %v", c.path, err)
	}
	return c, c.check(settingNames(cmd.Root()))
}

// check refuses keys that are no setting of any command.
func (c *configFile) check(known []string) error {
	keys := make([]string, 0, len(c.values))
	for key := range c.values {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y string) int { return c.line(x) - c.line(y) })
	for _, key := range keys {
		if !slices.Contains(known, key) {
			return usagef("configuration file %s line %d: unknown key %q; the keys are the flags of 'groat node --help' without the dashes", c.path, c.line(key), key)
		}
	}
	return nil
}

// line returns the line on which a top-level key, or its table, stands first.
func (c *configFile) line(key string) int {
	start := regexp.MustCompile(`^\s*\[*\s*["']?` + regexp.QuoteMeta(key) + `["']?\s*[=.\]]`)
	for i, line := range strings.Split(c.text, "\n") {
		if start.MatchString(line) {
			return i + 1
		}
	}
	return 0
}

// apply sets flag from the file unless the command line or the environment did.
func (c *configFile) apply(flag *pflag.Flag) error {
	value, ok := c.values[flag.Name]
	if flag.Changed || !ok {
		return nil
	}
	var values []string
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			values = append(values, fmt.Sprint(item))
		}
	case map[string]any:
		return usagef("configuration file %s line %d: %s is a setting, not a table", c.path, c.line(flag.Name), flag.Name)
	default:
		values = []string{fmt.Sprint(v)}
	}
	if err := setFlag(flag, values); err != nil {
		return usagef("configuration file %s line %d: %s: %v", c.path, c.line(flag.Name), flag.Name, err)
	}
	return nil
}

// settingNames returns the names of all settings of all commands.
func settingNames(root *cobra.Command) []string {
	var names []string
	add := func(flag *pflag.Flag) {
		if isSetting(flag) {
			names = append(names, flag.Name)
		}
	}
	for _, cmd := range append(root.Commands(), root) {
		cmd.LocalFlags().VisitAll(add)
		cmd.PersistentFlags().VisitAll(add)
	}
	return names
}

// cause returns what the operating system said, without the path that the message names already.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
