package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runGroat runs a command line in this process, with an environment of its own.
func runGroat(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runGroatEnv(t, nil, args...)
}

// runGroatEnv is runGroat with environment variables.
func runGroatEnv(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, err: &errOut, lookupEnv: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}}
	code = a.run(t.Context(), args)
	return code, out.String(), errOut.String()
}

func TestWelcome(t *testing.T) {
	code, out, _ := runGroat(t)
	if lines := strings.Count(out, "\n"); code != exitDone || lines > 12 || !strings.Contains(out, "groat testnet up") {
		t.Errorf("exit code %d, %d lines:\n%s", code, lines, out)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	root := newRootCommand(&app{})
	commands := append(root.Commands(), root)
	for _, cmd := range commands {
		for _, c := range append(cmd.Commands(), cmd) {
			if c.Short == "" || c.Example == "" && c.HasAvailableSubCommands() {
				t.Errorf("%s has no explanation or example", c.CommandPath())
			}
		}
	}
}

func TestUsageErrors(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		args  string
		words []string
	}{
		{"nodee", []string{`unknown command "nodee"`, "did you mean 'groat node'", "--help"}},
		{"node statuss", []string{"did you mean 'groat node status'"}},
		{"version extra", []string{"takes no arguments"}},
		{"node --no-such-flag", []string{"no-such-flag", "'groat node --help'"}},
		{"node --max-peers many", []string{"max-peers"}},
		{"node --max-peers-per-ip 0", []string{"--max-peers-per-ip must be at least 1"}},
		{"node --max-peers-per-ip 8 --max-peers-per-subnet 7", []string{"--max-peers-per-subnet 7 is below --max-peers-per-ip 8"}},
		{"node --network nowhere", []string{"no such network", "main, testnet, regtest, bitcoin"}},
		{"node --network regtest --log-format xml", []string{"text or json"}},
		{"node --network regtest --log-level loud", []string{"debug, info, warn, error"}},
		{"node --network regtest --rpc-user me", []string{"belong together"}},
		{"node --network regtest --dbcache 0", []string{"--dbcache 0 is too small"}},
		{"node --network regtest --dbcache 99999999999999", []string{"in MiB", "99999999999999 is too much"}},
		{"node --network regtest --assume-valid xyz", []string{"--assume-valid xyz"}},
		{"node --network testnet --prune 549", []string{"--prune 549", "550"}},
		{"node --network main --test-activation-height segwit@1", []string{"only be moved on regtest"}},
		{"node --network regtest --test-activation-height segwit", []string{"NAME@HEIGHT"}},
		{"node --network regtest --test-activation-height taproots@1", []string{"taproots"}},
		{"node --network regtest --mine 1BoatSLRHtKNngkdXEeobR76b53LETtpyT", []string{"--mine 1Boat", "regtest"}},
		{"node --network regtest --p2p-listen 0.0.0.0:9833", []string{"--p2p-listen 0.0.0.0:9833", "/ip4/"}},
		{"node --network regtest --peer nowhere", []string{"--peer nowhere", "HOST:PORT"}},
		{"node --network regtest --max-peers 1001", []string{"--max-peers 1001"}},
		{"completion nope", []string{`unknown command "nope"`, "'groat completion --help'"}},
		{"rpc", []string{"needs a METHOD"}},
		{"rpc --rpc-url ftp://x uptime", []string{"http://HOST:PORT"}},
		{"chain import", []string{"at least one FILE"}},
		{"chain import --network regtest --assume-valid xyz x.dat", []string{"--assume-valid xyz"}},
		{"chain import --network testnet --test-activation-height segwit@1 x.dat", []string{"only be moved on regtest"}},
		{"chain rebuild --network regtest --test-activation-height segwit", []string{"NAME@HEIGHT"}},
		{"chain verify --network regtest --test-activation-height segwit@x", []string{"NAME@HEIGHT"}},
		{"chain export --network regtest --test-activation-height taproots@1 x.dat", []string{"taproots"}},
		{"peer add", []string{"MULTIADDR"}},
		{"testnet up --nodes 0", []string{"0 nodes are not possible"}},
		{"testnet up --demo --detach", []string{"exclude each other"}},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			code, out, stderr := runGroat(t, append(strings.Fields(test.args), "--datadir="+dir)...)
			if test.args == "rpc --rpc-url ftp://x uptime" { // flags after METHOD are the method's
				code, out, stderr = runGroat(t, append([]string{"--datadir=" + dir}, strings.Fields(test.args)...)...)
			}
			if code != exitUsage || out != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "groat: ") {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, out, stderr)
			}
			for _, word := range test.words {
				if !strings.Contains(stderr, word) {
					t.Errorf("stderr does not mention %q: %s", word, stderr)
				}
			}
		})
	}
}

func TestPrecedenceOfSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "groat.toml")
	if err := os.WriteFile(file, []byte("log-level = \"file\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A wrong level is named in the error, so the error says which one counted.
	env := map[string]string{"GROAT_LOG_LEVEL": "env"}
	node := []string{"node", "--network", "regtest", "--datadir", dir}
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"file", nil, node, "--log-level file"},
		{"environment over file", env, node, "--log-level env"},
		{"flag over both", env, append(node, "--log-level", "flag"), "--log-level flag"},
		{"file named by the environment", map[string]string{"GROAT_CONFIG": file}, []string{"node", "--network", "regtest", "--datadir", t.TempDir()}, "--log-level file"},
		{"directory named by the environment", map[string]string{"GROAT_DATADIR": dir}, []string{"node", "--network", "regtest"}, "--log-level file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, _, stderr := runGroatEnv(t, test.env, test.args...); !strings.Contains(stderr, test.want+":") {
				t.Errorf("want %q in %q", test.want, stderr)
			}
		})
	}
}

func TestConfigurationFileErrors(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"unknown key", "max-peers = 3\n\nmax-pears = 4\n", `line 3: unknown key "max-pears"`},
		{"unknown table", "max-peers = 3\n[regtest]\nmax-peers = 4\n", `line 2: unknown key "regtest"`},
		{"no TOML", "max-peers = 3\nmax-peers: 4\n", "line 2: "},
		{"wrong type", "max-peers = true\n", "line 1: max-peers: \"true\" is not a valid int"},
		{"list for one", "max-peers = [1, 2]\n", "line 1: max-peers: takes one value"},
		{"table for a value", "[max-peers]\na = 1\n", "line 1: max-peers is a setting, not a table"},
		{"flag that is no setting", "config = \"x\"\n", `unknown key "config"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.toml")
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := runGroat(t, "node", "--network", "regtest", "--datadir", t.TempDir(), "--config", file)
			if code != exitUsage || !strings.Contains(stderr, test.want) || !strings.Contains(stderr, file) {
				t.Errorf("exit code %d, want %q in %q", code, test.want, stderr)
			}
		})
	}
}
