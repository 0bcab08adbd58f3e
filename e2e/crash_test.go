package e2e

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/chain"
	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/chaintest"
	"groat/testnet"
)

// crashStory is blocks whose import has flushes of one and of several transactions, and a reorganisation.
//
//	w(wide) - … - base101 - a1(wide) - a2 - a3
//	                     \ - b1(wide) - b2(spends all of w) - b3(wide) - b4 - b5
type crashStory struct {
	files   []string       // the chain to a+2, and what b adds: together they would be imported without a reorganisation
	heights map[string]int // of all blocks, by hash
	tip     string
	hash    string        // of the coins at the end
	whole   time.Duration // of an undisturbed import
}

func newCrashStory(t *testing.T) *crashStory {
	t.Helper()
	g := chaintest.New(t, consensus.Regtest())
	const outputs = 14_000 // more than one transaction of the store takes, with the smallest memory
	wide := chaintest.Coinbase(func(tx *wire.MsgTx) {
		tx.TxOut[0].Value -= outputs
		for range outputs {
			tx.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
		}
	})
	g.Block("genesis", "w", wide)
	g.Grow("w", "base", 101)
	g.Block("base101", "a1", wide)
	g.Grow("a1", "a+", 2)
	g.Block("base101", "b1", wide)
	spend := wire.NewMsgTx(2)
	hash := g.At("w").Block.Txs[0].TxID()
	for n := range outputs {
		spend.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&hash, uint32(n+1)), nil, nil))
	}
	spend.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	g.Block("b1", "b2", chaintest.Txs(spend))
	g.Block("b2", "b3", wide)
	g.Grow("b3", "b+", 2)

	s := &crashStory{heights: map[string]int{}, tip: g.At("b+2").State.Hash.String()}
	for name, blocks := range map[string][]*consensus.Block{"a.dat": g.Path("a+2"), "b.dat": g.Path("b+2")[102:]} {
		var out bytes.Buffer
		for _, b := range blocks {
			if err := blockfile.Write(&out, g.Params, b.Raw()); err != nil {
				t.Fatal(err)
			}
		}
		s.files = append(s.files, write(t, name, out.Bytes()))
	}
	slices.SortFunc(s.files, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	for _, end := range []string{"a+2", "b+2"} {
		for n := g.At(end); n != nil; n = n.Parent {
			s.heights[n.State.Hash.String()] = int(n.State.Height)
		}
	}
	begin := time.Now()
	dir := t.TempDir()
	if code, _ := s.run(t, dir, 0, "--flush-every", "4"); code != 0 {
		t.Fatalf("an undisturbed import: exit code %d", code)
	}
	s.whole = time.Since(begin)
	s.hash = s.verified(t, dir, 0)
	return s
}

var flushed = regexp.MustCompile(`msg=flushed height=([0-9]+)`)

// run imports the story, a file after the other, until it is killed, by itself or after some time, and returns its exit code, -1 if it was killed, and the
// height of the last flush that it reported as done.
func (s *crashStory) run(t *testing.T, dir string, after time.Duration, flags ...string) (code, acked int) {
	t.Helper()
	begin := time.Now()
	for _, file := range s.files {
		left := time.Duration(0)
		if after > 0 {
			left = max(after-time.Since(begin), 1)
		}
		var done int
		if code, done = s.runFile(t, dir, file, left, flags); done > 0 {
			acked = done
		}
		if code != 0 {
			break
		}
	}
	return code, acked
}

func (s *crashStory) runFile(t *testing.T, dir, file string, after time.Duration, flags []string) (code, acked int) {
	t.Helper()
	args := []string{"chain", "import", "--network", "regtest", "--datadir", dir, "--dbcache", "4", "--log-level", "debug"}
	cmd := exec.CommandContext(within(t, time.Minute), binary, append(append(args, flags...), file)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	_ = cmd.Wait()
	for _, m := range flushed.FindAllStringSubmatch(stderr.String(), -1) {
		acked, _ = strconv.Atoi(m[1])
	}
	if code = cmd.ProcessState.ExitCode(); code > 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	return code, acked
}

var tipLine = regexp.MustCompile(`tip ([0-9a-f]{64}) at height ([0-9]+)`)

// verified checks what is in dir, deeply: its tip is one of the story and not behind the last flush that was done. It returns the hash of the coins, "" if
// they are between two tips.
func (s *crashStory) verified(t *testing.T, dir string, acked int) string {
	t.Helper()
	r := groat(t, "chain", "verify", "--deep", "--network", "regtest", "--datadir", dir)
	if r.code == 1 && strings.Contains(r.stderr, "holds no data") && acked == 0 {
		return "" // killed before it had begun
	}
	if r.code != 0 {
		t.Fatalf("verify: exit code %d: %s%s", r.code, r.out, r.stderr)
	}
	tip, hash := tipLine.FindStringSubmatch(r.out), setHash.FindStringSubmatch(r.out)
	if tip == nil || hash == nil {
		return ""
	}
	if height, known := s.heights[tip[1]]; !known || strconv.Itoa(height) != tip[2] {
		t.Fatalf("the tip was never one: %s", r.out)
	} else if height < acked {
		t.Fatalf("the tip is behind the flush at height %d: %s", acked, r.out)
	}
	return hash[1]
}

// finish imports the rest and checks what it led to.
func (s *crashStory) finish(t *testing.T, dir string) {
	t.Helper()
	var r result
	for _, file := range s.files {
		r = importFile(t, dir, file)
	}
	if r.code != 0 || !strings.Contains(r.out, s.tip) || !strings.Contains(r.out, s.hash) {
		t.Fatalf("want tip %s and coins %s, exit code %d: %s%s", s.tip, s.hash, r.code, r.out, r.stderr)
	}
}

// TestKilledAtNamedPoints kills the import at every named place of the commit path. What is left must be whole, and the import goes on.
func TestKilledAtNamedPoints(t *testing.T) {
	s := newCrashStory(t)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for _, point := range chain.Points() {
		if strings.HasPrefix(point, "prune") {
			continue // TestPrune comes by
		}
		t.Run(point, func(t *testing.T) {
			times := 1
			if strings.HasSuffix(point, "-append") {
				times += random.IntN(100)
			}
			dir := t.TempDir()
			if strings.HasPrefix(point, "replay") {
				if code, _ := s.run(t, dir, 0, "--flush-every", "4", "--crash-at", "flush-middle"); code != -1 {
					t.Fatalf("not killed: exit code %d", code)
				}
			}
			code, acked := s.run(t, dir, 0, "--flush-every", "4", "--crash-at", point+":"+strconv.Itoa(times))
			if code != -1 {
				t.Fatalf("not killed the %d. time: exit code %d", times, code)
			}
			s.verified(t, dir, acked)
			s.finish(t, dir)
		})
	}
	groat(t, "chain", "import", "--network", "bitcoin", "--datadir", t.TempDir(), "--crash-at", "flush-goal", s.files[0]).
		wantError(t, 2, "--crash-at", "regtest only")
}

// TestKilledInFlushAndReorg kills the import at random moments and, every other time, at a random one of the named places.
func TestKilledInFlushAndReorg(t *testing.T) {
	s := newCrashStory(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	points := slices.DeleteFunc(chain.Points(), func(point string) bool { return strings.HasPrefix(point, "prune") })
	dir, killed, finished := t.TempDir(), 0, 0
	for n := range soak(t, 12) {
		after, flags := 1+time.Duration(random.Int64N(int64(s.whole))), []string{"--flush-every", strconv.Itoa(1 + random.IntN(8))}
		if n%2 == 1 {
			point, times := points[random.IntN(len(points))], 1+random.IntN(4)
			after, flags = 0, append(flags, "--crash-at", point+":"+strconv.Itoa(times))
		}
		code, acked := s.run(t, dir, after, flags...)
		hash := s.verified(t, dir, acked)
		if code != 0 {
			killed++
			continue
		}
		if hash != s.hash {
			t.Fatalf("coins %s, want %s", hash, s.hash)
		}
		dir, finished = t.TempDir(), finished+1
	}
	s.finish(t, dir)
	t.Logf("%d kills; %d imports finished meanwhile", killed, finished)
}

// TestKilledWhileSyncing kills a node at random moments while it fetches a chain from another one.
func TestKilledWhileSyncing(t *testing.T) {
	file, tip := longStory(t)
	w := start(t, testnet.Config{Nodes: 2, Flags: []string{"--dbcache", "4"}})
	source, node := w.Nodes[0], w.Nodes[1]
	for _, n := range w.Nodes {
		if err := n.Stop(within(t, stopTime)); err != nil {
			t.Fatal(err)
		}
	}
	if r := importFile(t, source.Dir, file); r.code != 0 {
		t.Fatalf("import: %+v", r)
	}
	if err := source.Start(within(t, stopTime)); err != nil {
		t.Fatal(err)
	}
	for range soak(t, 4) {
		if err := node.Start(within(t, stopTime)); err != nil {
			t.Fatal(err)
		}
		call(t, node, nil, "addnode", source.Endpoint().Listen[0], "add") // it dials until it is let in
		time.Sleep(rand.N(400 * time.Millisecond))                        // the moment of the kill, not something to wait for
		if err := node.Kill(); err != nil {
			t.Fatal(err)
		}
		if r := groat(t, "chain", "verify", "--deep", "--network", "regtest", "--datadir", node.Dir); r.code != 0 {
			t.Fatalf("verify: %+v", r)
		}
	}
	if err := node.Start(within(t, stopTime)); err != nil {
		t.Fatal(err)
	}
	call(t, node, nil, "addnode", source.Endpoint().Listen[0], "add") // it dials until it is let in
	if err := node.AwaitTip(within(t, time.Minute), tip); err != nil {
		t.Fatal(err)
	}
}
