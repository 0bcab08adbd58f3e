package chain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
)

// Any order of arrival leads to a tip of the same work, and equal tips mean equal coins.
func TestAnyOrderOfArrival(t *testing.T) {
	for seed := range int64(6) {
		s := newStory(t).chain("genesis", "base", 101)
		rng := rand.New(rand.NewSource(seed))
		names := []string{"base101"}
		for k := range 25 {
			parent := names[max(0, len(names)-1-rng.Intn(4))]
			name := fmt.Sprintf("n%d", k)
			var mods []chaintest.Mod
			if coins := s.At(parent).Mature(chaintest.KeyFor(0)); rng.Intn(2) == 0 && len(coins) > 0 {
				mods = append(mods, chaintest.Txs(spend(s, parent, rng.Intn(len(coins)))))
			}
			s.Block(parent, name, mods...)
			names = append(names, name)
		}
		best := slices.MaxFunc(names, func(a, b string) int { return s.At(a).State.Work.Cmp(s.At(b).State.Work) })
		for _, name := range names[1:] {
			s.headers(name)
		}
		if err := s.c.Flush(context.Background()); err != nil { // or a kill takes the headers
			t.Fatal(err)
		}
		rng.Shuffle(len(names)-1, func(i, j int) { names[i+1], names[j+1] = names[j+1], names[i+1] })
		for k, name := range names[1:] {
			s.add(name)
			if k%5 == 0 {
				s.kill()
			}
		}
		if got, want := s.c.Tip(), s.At(best).State; got.Work != want.Work {
			t.Fatalf("seed %d: the tip is at %d, want %d", seed, got.Height, want.Height)
		}
		s.tip(s.nameOf(s.c.Tip()))
	}
}

func (s *story) nameOf(at consensus.State) string {
	s.t.Helper()
	for h := range 30 {
		if name := fmt.Sprintf("n%d", h); s.At(name).State.Hash == at.Hash {
			return name
		}
	}
	s.t.Fatalf("no name for height %d", at.Height)
	return ""
}

// Many goroutines bring blocks while others read; whoever reads coins gets those of one tip.
func TestManyAtOnce(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	s.o.FlushEvery = 5
	s.reopen()
	s.Block("base101", "a1", chaintest.Txs(spend(s, "base101", 0)))
	s.grow("a1", "a+", 20)
	s.Block("base101", "b1", chaintest.Txs(spend(s, "base101", 1)))
	s.grow("b1", "b+", 22)
	for _, end := range []string{"a+20", "b+22"} {
		for _, b := range s.Path(end)[101:] {
			if _, err := s.c.AddHeaders(context.Background(), []wire.BlockHeader{b.Header}); err != nil {
				t.Fatal(err)
			}
		}
	}
	byHash := make(map[[32]byte]consensus.Coins)
	byHash[s.At("base101").State.Hash] = s.At("base101").Coins
	for _, n := range []string{"a1", "b1"} {
		byHash[s.At(n).State.Hash] = s.At(n).Coins
	}
	for i := 1; i <= 22; i++ {
		for _, p := range []string{"a+", "b+"} {
			if n := fmt.Sprintf("%s%d", p, i); n != "a+21" && n != "a+22" {
				byHash[s.At(n).State.Hash] = s.At(n).Coins
			}
		}
	}
	all := slices.Collect(maps.Keys(s.At("a+20").Coins))
	all = append(all, slices.Collect(maps.Keys(s.At("b+22").Coins))...)

	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		writers.Go(func() {
			for _, end := range []string{"b+22", "a+20"} {
				path := s.Path(end)[101:]
				for k := range path {
					b := path[(k+w*5)%len(path)]
					if _, err := s.c.AddBlock(context.Background(), b); err != nil {
						t.Errorf("add: %v", err)
					}
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				coins, at, err := s.c.Coins(all)
				if err != nil {
					t.Errorf("coins: %v", err)
					return
				}
				want := byHash[at.Hash]
				for _, op := range all {
					if _, ok := coins[op]; ok != hasCoin(want, op) {
						t.Errorf("coin %v at height %d: %v", op, at.Height, ok)
						return
					}
				}
				s.c.Tips()
				s.c.Wanted(5)
				s.c.Locator()
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	s.tip("b+22")
}

func hasCoin(coins consensus.Coins, op wire.OutPoint) bool {
	_, ok := coins[op]
	return ok
}

// scripts counts the checks it is asked for and lets them pass.
type scripts struct {
	mu  sync.Mutex
	ran int
}

func (v *scripts) Verify(_ context.Context, checks []consensus.ScriptCheck) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ran += len(checks)
	return nil
}

func TestAssumeValid(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	s.Block("base101", "a1", chaintest.Txs(spend(s, "base101", 0)))
	s.Block("a1", "a2", chaintest.Txs(spend(s, "a1", 0)))
	s.Block("a2", "a3", chaintest.Txs(spend(s, "a2", 0)))
	s.Block("a1", "b2", chaintest.Txs(spend(s, "a1", 0)))
	v := &scripts{}
	s.o.Scripts, s.o.AssumeValid = v, s.At("a2").State.Hash
	s.reopen().headers("a1", "a2").add("a1", "a2").tip("a2")
	if v.ran != 0 {
		t.Errorf("%d checks below the trusted block", v.ran)
	}
	s.add("a3").tip("a3")
	if v.ran != 1 {
		t.Errorf("%d checks, want 1 above the trusted block", v.ran)
	}
	s.grow("b2", "b+", 2).add("b2", "b+1", "b+2").tip("b+2")
	if v.ran != 2 {
		t.Errorf("%d checks, want 1 more beside the trusted block", v.ran)
	}
}

// Scripts that were run once are not run again, not after a restart either.
func TestScriptsRunOnce(t *testing.T) {
	s := newStory(t).chain("genesis", "base", 101)
	s.Block("base101", "a1", chaintest.Txs(spend(s, "base101", 0)))
	s.grow("base101", "b", 2)
	v := &scripts{}
	s.o.Scripts = v
	s.reopen().add("a1").tip("a1").add("b1", "b2").tip("b2").reopen()
	s.do(s.c.Invalidate, "b1").tip("a1")
	if v.ran != 1 {
		t.Errorf("%d checks, want 1", v.ran)
	}
}

func TestInitialDownload(t *testing.T) {
	s := newStory(t)
	if !s.c.InitialDownload() {
		t.Fatal("regtest's first block is of 2011")
	}
	s.grow("genesis", "a", 1)
	b := s.Block("a1", "now", chaintest.Edit(func(b *wire.MsgBlock) { b.Header.Timestamp = s.Now.Add(-23 * time.Hour).Truncate(time.Second) }))
	s.add("a1")
	if !s.c.InitialDownload() {
		t.Fatal("an old block ended it")
	}
	s.addBlock(b.Block)
	if s.c.InitialDownload() {
		t.Fatal("a block of today did not end it")
	}
	s.Now = s.Now.Add(48 * time.Hour)
	if s.c.InitialDownload() {
		t.Fatal("it came back")
	}
}

// Run flushes after ten minutes, and ends with its context.
func TestRunFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		later := func() time.Time { return time.Now().AddDate(30, 0, 0) } // the bubble begins before regtest did
		s := newStory(t)
		s.Now, s.o.Now = later(), later
		s.reopen().chain("genesis", "a", 1)
		before := s.mem.made()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- s.c.Run(ctx) }()
		time.Sleep(flushInterval - time.Minute)
		synctest.Wait()
		if s.mem.made() != before {
			t.Errorf("flushed before its time")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s.mem.made() != before+1 {
			t.Errorf("%d flushes", s.mem.made()-before)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// A small budget makes the chain flush and forget, and changes nothing else.
func TestSmallBudget(t *testing.T) {
	s := newStory(t)
	s.o.CacheBytes = 3000
	s.reopen().chain("genesis", "base", 101)
	s.Block("base101", "a1", chaintest.Txs(spend(s, "base101", 0), spend(s, "base101", 1)))
	s.add("a1").tip("a1")
	if s.c.coins.bytes() > s.o.CacheBytes {
		t.Errorf("%d bytes of coins in memory", s.c.coins.bytes())
	}
	if s.mem.made() < 3 {
		t.Errorf("%d updates", s.mem.made())
	}
}

// What a closed chain is asked to do it refuses.
func TestClosed(t *testing.T) {
	s := newStory(t)
	s.grow("genesis", "a", 1)
	if err := errors.Join(s.c.Close(), s.c.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.c.Flush(context.Background()); !errors.Is(err, errClosed) {
		t.Errorf("flush: %v", err)
	}
}
