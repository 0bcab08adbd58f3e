package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the project.
const module = "groat"

// mayImport lists, for each package of the project, the packages of the project that it may import. "internal" stands for any
// package below it. A package that is not listed may import nothing of ours, so a new one has to find its place here first.
var mayImport = map[string][]string{
	"cmd/groat":  {"node", "testnet", "rpc", "rpc/client", "consensus", "internal"}, // rpc for the types of arguments only
	"e2e":        {"testnet", "rpc/client", "consensus", "internal"},
	"testnet":    {"rpc/client", "internal"},
	"node":       {"p2p", "rpc", "miner", "wallet", "mempool", "chain", "consensus", "internal"},
	"p2p":        {"consensus", "internal"},
	"rpc":        {"consensus", "internal"},
	"rpc/client": {"internal"},
	"miner":      {"consensus", "internal"},
	"wallet":     {"consensus", "internal"},
	"mempool":    {"consensus", "internal"},
	"chain":      {"consensus", "internal"},
	"internal":   {"consensus", "internal"},
	"consensus":  {},
}

// consensusAvoids is what the rules of the ledger must not touch: they read no clock and no disk, wait for nothing and tell nobody.
var consensusAvoids = []string{"context", "io/fs", "log", "log/slog", "net", "net/http", "os", "path/filepath", "sync", "sync/atomic", "syscall"}

func TestImportsGoOneWay(t *testing.T) {
	seen := map[string]bool{}
	for file, imports := range sources(t) {
		from := place(filepath.ToSlash(filepath.Dir(file)))
		allowed, known := mayImport[from]
		if !known {
			t.Errorf("%s: package %s is not in the list of this test: say what it may import", file, from)
			continue
		}
		seen[from] = true
		for _, path := range imports {
			if path != module && !strings.HasPrefix(path, module+"/") {
				continue
			}
			to := place(strings.TrimPrefix(path, module+"/"))
			test := strings.HasSuffix(file, "_test.go")
			if to != from && !slices.Contains(allowed, to) && !test {
				t.Errorf("%s imports %s, which %s must not", file, path, from)
			}
		}
	}
	for from := range mayImport {
		if !seen[from] {
			t.Errorf("package %s is in the list of this test but not in the project", from)
		}
	}
}

func TestConsensusIsPure(t *testing.T) {
	for file, imports := range sources(t) {
		if place(filepath.ToSlash(filepath.Dir(file))) != "consensus" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, path := range imports {
			if slices.Contains(consensusAvoids, path) {
				t.Errorf("%s imports %s", file, path)
			}
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", file)
			case *ast.SelectorExpr:
				if of, ok := n.X.(*ast.Ident); ok && of.Name == "time" && (n.Sel.Name == "Now" || n.Sel.Name == "Since") {
					t.Errorf("%s reads the clock with time.%s", file, n.Sel.Name)
				}
			}
			return true
		})
	}
}

// place returns the entry of the list that a directory of the project falls under.
func place(dir string) string {
	if dir == "internal" || strings.HasPrefix(dir, "internal/") {
		return "internal"
	}
	return dir
}

// sources returns the imports of every Go file of the project, by the file's path from the project's root.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	files := map[string][]string{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[name] = []string{}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			files[name] = append(files[name], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
