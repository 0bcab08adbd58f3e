package consensus

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryRuleIsWrittenDown holds docs/consensus.md against the code: every kind is in the table of rules, with its reject string and what it
// means for the block's hash and its sender, and the functions and tests that a row names exist.
func TestEveryRuleIsWrittenDown(t *testing.T) {
	kinds := kindsByName(t)
	funcs, tests := functions(t)
	seen := map[string]bool{}
	for _, row := range ruleRows(t) {
		name, kind := quoted(row.kind)[0], kinds[quoted(row.kind)[0]]
		if kind == 0 {
			t.Errorf("%s: there is no kind of this name", name)
			continue
		}
		seen[name] = true
		if want := "`" + kind.Error() + "`"; row.reject != want {
			t.Errorf("%s: the reject string is %s, not %s", name, want, row.reject)
		}
		marks := strings.Fields(row.marks)
		if slices.Contains(marks, "m") != kind.Mutation() || slices.Contains(marks, "r") != kind.BeforeRelay() {
			t.Errorf("%s: marked %v, but Mutation is %v and BeforeRelay %v", name, marks, kind.Mutation(), kind.BeforeRelay())
		}
		ours := false // or checked by the chain alone, whose tests see to it
		for _, f := range quoted(row.where) {
			dir, ok := funcs[f]
			if !ok {
				t.Errorf("%s: there is no function %s", name, f)
			}
			ours = ours || dir == "."
		}
		if row.border == "" && kind != ErrScript {
			t.Errorf("%s: nothing is said about the border", name)
		}
		if len(quoted(row.tests)) == 0 || len(quoted(row.where)) == 0 {
			t.Errorf("%s: not checked or not tested anywhere", name)
		}
		if ours && !slices.ContainsFunc(quoted(row.tests), func(test string) bool { return tests[test][name] }) {
			t.Errorf("%s: none of its tests asks for it", name)
		}
	}
	for name := range kinds {
		if !seen[name] {
			t.Errorf("%s is not in the table", name)
		}
	}
	if len(kinds) != int(numKinds)-1 {
		t.Errorf("%d kinds have a name, %d exist", len(kinds), numKinds-1)
	}
	for _, name := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z0-9]\\w*)`").FindAllStringSubmatch(rulesText(t), -1) {
		if tests[name[1]] == nil {
			t.Errorf("there is no test %s", name[1])
		}
	}
}

// ruleRow is a row of the table of rules.
type ruleRow struct{ kind, reject, marks, where, border, tests string }

func rulesText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "consensus.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func ruleRows(t *testing.T) (rows []ruleRow) {
	t.Helper()
	for line := range strings.Lines(rulesText(t)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 8 || !strings.Contains(cells[1], "`Err") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, ruleRow{kind: cells[1], reject: cells[2], marks: cells[3], where: cells[5], border: cells[6], tests: cells[7]})
	}
	if len(rows) < int(numKinds)-1 {
		t.Fatalf("%d rows for %d kinds", len(rows), numKinds-1)
	}
	return rows
}

// quoted returns the words of text that stand in backquotes.
func quoted(text string) (words []string) {
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			words = append(words, part)
		}
	}
	return words
}

// kindsByName reads the names of the kinds from their declaration; they count up from one.
func kindsByName(t *testing.T) map[string]Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]Kind{}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		for i, spec := range gen.Specs {
			if name := spec.(*ast.ValueSpec).Names[0].Name; strings.HasPrefix(name, "Err") {
				kinds[name] = Kind(i + 1)
			}
		}
	}
	return kinds
}

// functions returns the functions of this package and of chain with their folder, and the names that each test uses: theirs, and of what else stands between
// an attacker and the ledger.
func functions(t *testing.T) (funcs map[string]string, tests map[string]map[string]bool) {
	t.Helper()
	funcs, tests = map[string]string{}, map[string]map[string]bool{}
	for _, dir := range []string{"../p2p", "../internal/verify", "../mempool", "../chain", "."} { // of two tests with one name ours counts
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				switch {
				case !ok:
				case strings.HasSuffix(name, "_test.go"):
					tests[f.Name.Name] = namesIn(f)
				case dir == "." || dir == "../chain":
					funcs[f.Name.Name] = dir
				}
			}
		}
	}
	return funcs, tests
}

func namesIn(f *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names[id.Name] = true
		}
		return true
	})
	return names
}
