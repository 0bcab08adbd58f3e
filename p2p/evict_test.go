package p2p

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// 100 connections from one network do not push out peers that are useful, whatever else they do.
func TestEvictKeepsTheUseful(t *testing.T) {
	var list []tenant
	for i := range 30 { // honest: networks of their own, there for hours
		n := tenant{num: int64(i), group: groupOf(fmt.Sprintf("%d.1.1.1", 10+i)), ready: true, connected: t0.Add(time.Duration(i) * time.Minute), turn: uint64(i) * 100, ping: 50 * time.Millisecond}
		if i < 4 {
			n.lastBlock, n.lastTx = t0.Add(time.Duration(i)), t0.Add(time.Duration(i))
		}
		list = append(list, n)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 1000 { // each in turn takes the place of the one that goes
		list = append(list, tenant{
			num: int64(1000 + i), group: groupOf(fmt.Sprintf("66.6.6.%d", i%250)), connected: t0.Add(time.Hour * 24),
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

// Who connects again and again and says nothing takes the place of its own kind only.
func TestEvictSilentFlood(t *testing.T) {
	var list []tenant
	for i := range 60 {
		list = append(list, tenant{num: int64(i), group: groupOf(fmt.Sprintf("%d.1.1.1", 10+i)), ready: true, connected: t0, turn: uint64(i)})
	}
	guest := tenant{num: 60, group: groupOf("99.1.1.1"), connected: t0.Add(time.Hour)} // an honest one, just before its handshake
	list = append(list, guest)
	for i := range 1000 {
		now := t0.Add(time.Hour).Add(time.Duration(i) * time.Millisecond)
		list = append(list, tenant{num: int64(1000 + i), group: groupOf(fmt.Sprintf("66.%d.6.6", i%4)), connected: now})
		if num, ok := chooseEvicted(list, now); ok {
			list = slices.DeleteFunc(list, func(t tenant) bool { return t.num == num })
		}
	}
	honest := 0
	for _, n := range list {
		if n.num < 1000 {
			honest++
		}
	}
	t.Logf("%d of 61 honest peers are left, with %d that said nothing", honest, len(list)-honest)
	if honest < 55 || list[honest-1].num != guest.num {
		t.Errorf("%d of 61 honest peers are left", honest)
	}
}

func TestEvictNobody(t *testing.T) {
	if _, ok := chooseEvicted(nil, t0); ok {
		t.Error("one of none goes")
	}
	var few []tenant
	for i := range 20 {
		few = append(few, tenant{num: int64(i), group: groupOf(fmt.Sprintf("%d.1.1.1", 1+i)), connected: t0, ready: true})
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

func groupOf(ip string) netip.Prefix { return netGroup(netip.MustParseAddr(ip)) }

// A crowd from few networks gives way to newcomers from others, however long it has been there and however near it is.
func TestEvictCrowdFirst(t *testing.T) {
	var list []tenant
	for i := range 20 { // the crowd was there first
		list = append(list, tenant{num: int64(i), group: groupOf(fmt.Sprintf("66.%d.1.1", i%4)), connected: t0, ready: true, ping: time.Millisecond})
	}
	for i := range 10 {
		list = append(list, tenant{num: int64(100 + i), group: groupOf(fmt.Sprintf("%d.1.1.1", 10+i)), connected: t0.Add(time.Hour), ready: true, ping: time.Second})
	}
	for i := range 8 { // newcomers from anywhere, until the crowd holds its share of 3 in each network
		num, ok := chooseEvicted(list, t0.Add(2*time.Hour))
		if !ok || num >= 100 {
			t.Fatalf("newcomer %d: %d goes, %v", i, num, ok)
		}
		list = slices.DeleteFunc(list, func(t tenant) bool { return t.num == num })
		list = append(list, tenant{num: int64(200 + i), group: groupOf(fmt.Sprintf("%d.1.1.1", 30+i)), connected: t0.Add(2 * time.Hour), ready: true})
	}

	// One of a crowd that brings blocks is worth keeping.
	list = nil
	for i := range 10 {
		list = append(list, tenant{num: int64(i), group: groupOf("66.1.1.1"), connected: t0.Add(time.Duration(i)), ready: true})
	}
	list[9].lastBlock = t0.Add(time.Hour)
	if num, ok := chooseEvicted(list, t0.Add(2*time.Hour)); !ok || num != 8 {
		t.Errorf("%d goes, %v; 9 has brought a block, 8 is the youngest of the rest", num, ok)
	}
}

// Where all are at private addresses, networks tell nothing.
func TestEvictOnATestNetwork(t *testing.T) {
	local := newTable(40, true)
	if g := local.crowdGroup(netip.MustParseAddr("127.0.0.1")); g.IsValid() {
		t.Error("loopback is a crowd on a test network:", g)
	}
	if g := newTable(40, false).crowdGroup(netip.MustParseAddr("127.0.0.1")); !g.IsValid() {
		t.Error("loopback is no crowd on a public network")
	}
	var few []tenant
	for i := range 20 {
		few = append(few, tenant{num: int64(i), connected: t0, ready: true})
	}
	if _, ok := chooseEvicted(few, t0); ok {
		t.Error("one goes of twenty that are worth keeping")
	}
}
