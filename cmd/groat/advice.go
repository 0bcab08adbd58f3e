package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"groat/node"
)

// advise adds to err, where a rebuild would help, how to begin one.
func (a *app) advise(activations []string, err error) error {
	if !node.NeedsRebuild(err) {
		return err
	}
	return fmt.Errorf("%w; %s", err, a.rebuildHint(activations))
}

// rebuildHint names the command that makes the data directory anew, with all that leads there, to be pasted into a shell.
func (a *app) rebuildHint(activations []string) string {
	dir := a.shared.dataDir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	words := []string{"groat chain rebuild --network", quoted(a.shared.network), "--datadir", quoted(dir)}
	for _, move := range activations {
		words = append(words, "--test-activation-height", quoted(move))
	}
	return fmt.Sprintf("to make it anew from the block files, run: %s", strings.Join(words, " "))
}

// plainWord is a word that no shell changes.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./\-]+$`)

// quoted returns word as a shell has to be given it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
