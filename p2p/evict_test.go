package p2p

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// 100 connections from one network do not push out peers that are useful, whatever else they do.
func TestEvictKeepsTheUseful(t *testing.T) {
	var list []tenant
	for i := range 30 { // honest: networks of their own, there for hours
		n := tenant{num: int64(i), ip: netip.MustParseAddr(fmt.Sprintf("%d.1.1.1", 10+i)), ready: true, connected: t0.Add(time.Duration(i) * time.Minute), turn: uint64(i) * 100, ping: 50 * time.Millisecond}
		if i < 4 {
			n.lastBlock, n.lastTx = t0.Add(time.Duration(i)), t0.Add(time.Duration(i))
		}
		list = append(list, n)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 1000 { // each in turn takes the place of the one that goes
		list = append(list, tenant{
			num: int64(1000 + i), ip: netip.MustParseAddr(fmt.Sprintf("66.6.6.%d", i%250)), connected: t0.Add(time.Hour * 24),
			ready: true, ping: time.Millisecond, turn: rng.Uint64N(3000),
		})
		if len(list) <= 60 {
			continue
		}
		num, ok := chooseEvicted(list, t0)
		if !ok {
			t.Fatal("nobody goes")
		}
		for j := range list {
			if list[j].num == num {
				list = append(list[:j], list[j+1:]...)
				break
			}
		}
	}
	honest := 0
	for _, n := range list {
		if n.num < 1000 {
			honest++
		}
	}
	if honest != 30 {
		t.Errorf("%d of 30 honest peers are left", honest)
	}
}

func TestEvictNobody(t *testing.T) {
	if _, ok := chooseEvicted(nil, t0); ok {
		t.Error("one of none goes")
	}
	var few []tenant
	for i := range 20 {
		few = append(few, tenant{num: int64(i), ip: netip.MustParseAddr("1.1.1.1"), connected: t0, ready: true})
	}
	if _, ok := chooseEvicted(few, t0); ok {
		t.Error("one of those goes who are all worth keeping")
	}
	few[7].ready = false
	if _, ok := chooseEvicted(few, t0.Add(guestTime)); ok {
		t.Error("one goes before it had time for a handshake")
	}
	if num, ok := chooseEvicted(few, t0.Add(guestTime+1)); !ok || num != 7 {
		t.Errorf("not the one without handshake goes but %d, %v", num, ok)
	}
}
