package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"golang.org/x/term"

	"groat/node"
)

// progress shows how far a long piece of work has come: as a bar that is drawn over and over on a terminal, as a line now and then
// elsewhere.
type progress struct {
	w        io.Writer
	now      func() time.Time
	terminal bool
	begin    time.Time // when the work proper began
	last     time.Time // when something was shown
	drawn    int       // width of the bar that stands on the terminal
}

// How often a terminal is drawn on, and anything else is written to.
const (
	drawEvery = 100 * time.Millisecond
	lineEvery = 10 * time.Second
)

// newProgress returns a progress that is shown on w.
func newProgress(w io.Writer, now func() time.Time) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, now: now, terminal: ok && term.IsTerminal(int(f.Fd())), begin: now(), last: now()}
}

// show shows p, unless something was shown just before.
func (g *progress) show(p node.Progress) {
	every := lineEvery
	if g.terminal {
		every = drawEvery
	}
	now := g.now()
	if p.Headers > 0 {
		g.begin = now
	}
	if now.Sub(g.last) < every {
		return
	}
	g.last = now
	line := line(p, now.Sub(g.begin))
	if !g.terminal {
		fmt.Fprintln(g.w, line)
		return
	}
	line = bar(p.Done()) + " " + line
	fmt.Fprintf(g.w, "\r%-*s", g.drawn, line)
	g.drawn = len(line)
}

// line tells in words how far p has come after a time.
func line(p node.Progress, after time.Duration) string {
	if p.Headers > 0 {
		return fmt.Sprintf("%d headers read", p.Headers)
	}
	done := p.Done()
	line := fmt.Sprintf("%3.0f %%  height %d  %.0f blocks/s", done*100, p.Height, float64(p.Blocks)/after.Seconds())
	if done > 0 && done < 1 {
		left := time.Duration(float64(after) * (1 - done) / done)
		line += fmt.Sprintf("  %v left", left.Round(time.Second))
	}
	return line
}

// end takes the bar away.
func (g *progress) end() {
	if g.drawn > 0 {
		fmt.Fprintf(g.w, "\r%*s\r", g.drawn, "")
	}
}

// barWidth is the width of a bar in characters.
const barWidth = 30

// bar draws how much of the work is done, from 0 to 1.
func bar(done float64) string {
	full := min(max(int(done*barWidth), 0), barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]"
}

// coins writes an amount with its eight decimals.
func coins(a btcutil.Amount) string {
	sign := ""
	if a < 0 {
		sign, a = "-", -a
	}
	return fmt.Sprintf("%s%d.%08d", sign, a/btcutil.SatoshiPerBitcoin, a%btcutil.SatoshiPerBitcoin)
}
