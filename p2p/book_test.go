package p2p

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"groat/internal/store"
)

// shelf keeps records in memory. It refuses the calls that fail names.
type shelf struct {
	kept map[string][]byte
	fail bool
}

func newShelf() *shelf { return &shelf{kept: map[string][]byte{}} }

func (s *shelf) Iterate(prefix []byte, fn func(key, value []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(s.kept)) {
		if strings.HasPrefix(k, string(prefix)) {
			if err := fn([]byte(k), s.kept[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shelf) Fits(b *store.Batch) bool { return b.Len() <= 100 }

func (s *shelf) Update(b *store.Batch) error {
	if s.fail {
		return errors.New("the disk is full")
	}
	if b.Len() > 100 {
		return store.ErrTooBig
	}
	b.Each(func(key, value []byte) {
		if value == nil {
			delete(s.kept, string(key))
			return
		}
		s.kept[string(key)] = slices.Clone(value)
	})
	return nil
}

// idOf is the peer id of the n-th identity.
func idOf(n int) peer.ID {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(n))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		panic(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return id
}

// at is a record of the n-th identity at an IP address.
func recordAt(n int, ip string, seen time.Time) peerRecord {
	return peerRecord{ID: idOf(n), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/" + ip + "/tcp/9833")}, Seen: seen}
}

func anybody(*bookEntry) bool { return true }

// counts returns how many new and tried entries fulfil cond, and checks that the book is sound.
func (b *book) counts(t *testing.T, cond func(*bookEntry) bool) (fresh, tried int) {
	t.Helper()
	seen, perIP := 0, map[netip.Addr]int{}
	count := func(e *bookEntry, inTried bool, at place) int {
		if e == nil {
			return 0
		}
		seen++
		perIP[e.ip()]++
		if b.entries[e.key()] != e || e.tried != inTried || e.place != at {
			t.Fatalf("entry %d is not where it says", e.num)
		}
		if cond(e) {
			return 1
		}
		return 0
	}
	for i := range b.fresh {
		for j, e := range b.fresh[i] {
			fresh += count(e, false, place{i, j})
		}
	}
	for i := range b.tried {
		for j, e := range b.tried[i] {
			tried += count(e, true, place{i, j})
		}
	}
	if seen != len(b.entries) || !maps.Equal(perIP, b.perIP) {
		t.Fatalf("%d entries in the tables, %d in the book", seen, len(b.entries))
	}
	return fresh, tried
}

// An attacker with 1,000 identities in four networks, who tells us of all of them again and again and lets all be reached, fills no more than the
// buckets of these networks, and most of what we dial stays honest.
func TestBookEclipse(t *testing.T) {
	b := newBook([16]byte{1}, false)
	now := t0
	for i := range 300 { // honest: a network each, told by different peers, a third of them proved
		r := recordAt(i, fmt.Sprintf("%d.%d.3.4", 20+i/200, i%200), now)
		b.add(r, netip.MustParseAddr(fmt.Sprintf("%d.%d.9.9", 60+i%5, i%40)), now)
		if i%3 == 0 {
			b.good(r, now)
		}
	}
	honest := func(e *bookEntry) bool { return e.ip().As4()[0] < 100 }
	newBefore, triedBefore := b.counts(t, honest)
	groups := map[string]int{}
	for round := range 3 {
		now = now.Add(time.Hour)
		for i := range 1000 {
			ip := fmt.Sprintf("%d.7.%d.%d", 100+i%4, i/4, 1+round)
			r := recordAt(10_000+1000*round+i, ip, now)
			b.add(r, netip.MustParseAddr(fmt.Sprintf("%d.7.0.1", 100+i%2)), now)
			b.good(r, now)
			groups[netGroup(r.ip()).String()]++
		}
	}
	newHonest, triedHonest := b.counts(t, honest)
	all := func(*bookEntry) bool { return true }
	newAll, triedAll := b.counts(t, all)
	t.Logf("honest: %d of %d new, %d of %d tried", newHonest, newAll, triedHonest, triedAll)
	if newHonest != newBefore || triedHonest != triedBefore {
		t.Errorf("%d new and %d tried honest entries are left of %d and %d", newHonest, triedHonest, newBefore, triedBefore)
	}
	if most := len(groups) * groupShare * bucketSize; triedAll-triedHonest > most {
		t.Errorf("the attacker has %d tried entries, its share is %d", triedAll-triedHonest, most)
	}
	sources := 2 + 4 // it told us of its own, and good() takes what was not known as told by itself
	if most := sources * sourceShare * bucketSize; newAll-newHonest > most {
		t.Errorf("the attacker has %d new entries, its share is %d", newAll-newHonest, most)
	}

	rng, picked := rand.New(rand.NewPCG(1, 1)), 0
	const picks = 1000
	for range picks {
		r, ok := b.pick(rng, false, now.Add(time.Hour), anybody)
		if ok && r.ip().As4()[0] < 100 {
			picked++
		}
	}
	t.Logf("%d of %d picks are honest", picked, picks)
	if picked < picks/4 {
		t.Errorf("only %d of %d picks are honest", picked, picks)
	}
	// One outbound per network: the attacker gets four slots of ten at most.
	taken := map[netip.Prefix]bool{}
	evil := 0
	for range 10 {
		r, ok := b.pick(rng, false, now.Add(time.Hour), func(e *bookEntry) bool { return !taken[netGroup(e.ip())] })
		if !ok {
			t.Fatal("nobody to dial")
		}
		taken[netGroup(r.ip())] = true
		if r.ip().As4()[0] >= 100 {
			evil++
		}
	}
	if evil > 4 {
		t.Errorf("%d of 10 slots are the attacker's", evil)
	}
}

// One peer that tells us of 100,000 addresses in as many networks fills its own share of the new ones and no tried one.
func TestBookPoisoned(t *testing.T) {
	b := newBook([16]byte{2}, false)
	source := netip.MustParseAddr("9.9.9.9")
	id := idOf(1)
	for i := range 100_000 {
		ip := netip.AddrFrom4([4]byte{byte(11 + i%100), byte(i / 100), byte(i / 25600), 1})
		b.add(peerRecord{ID: id, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/" + ip.String() + "/tcp/1")}, Seen: t0}, source, t0)
	}
	fresh, tried := b.counts(t, anybody)
	if fresh == 0 || fresh > sourceShare*bucketSize || tried != 0 {
		t.Errorf("%d new and %d tried entries; the share of one source is %d", fresh, tried, sourceShare*bucketSize)
	}
	t.Logf("one source: %d entries of %d told", fresh, 100_000)
}

func TestBookRules(t *testing.T) {
	b := newBook([16]byte{3}, false)
	source := netip.MustParseAddr("9.9.9.9")
	r := recordAt(1, "1.2.3.4", t0)
	if !b.add(r, source, t0) || b.add(r, source, t0) {
		t.Error("a record is new once")
	}
	for _, ip := range []string{"127.0.0.1", "10.0.0.1", "192.168.1.1"} {
		if b.add(recordAt(2, ip, t0), source, t0) {
			t.Error("takes", ip)
		}
	}
	if b.add(recordAt(3, "1.2.3.5", t0.Add(-recordLife-time.Second)), source, t0) {
		t.Error("takes what is too old")
	}
	for i := range maxRecordsIP + 3 {
		b.add(recordAt(100+i, "1.9.9.9", t0), source, t0)
	}
	if n := b.perIP[netip.MustParseAddr("1.9.9.9")]; n > maxRecordsIP {
		t.Errorf("%d ids at one address", n)
	}
	k := bookKey{r.ip(), r.ID}
	b.good(r, t0)
	if !b.entries[k].tried {
		t.Fatal("proved, but not tried")
	}
	other := recordAt(1, "1.2.3.4", t0.Add(24*time.Hour))
	other.Addrs = []ma.Multiaddr{ma.StringCast("/ip4/1.2.3.4/tcp/666")}
	b.add(other, source, t0.Add(24*time.Hour))
	if !b.entries[k].Addrs[0].Equal(r.Addrs[0]) {
		t.Error("hearsay changed a proved address")
	}
	b.wrongID(k)
	if b.entries[k] != nil {
		t.Error("a false record stays")
	}
}

// What cannot be reached is forgotten, unless we are offline.
func TestBookExpires(t *testing.T) {
	b := newBook([16]byte{4}, false)
	r := recordAt(1, "1.2.3.4", t0)
	k := bookKey{r.ip(), r.ID}
	b.add(r, r.ip(), t0)
	now := t0
	for range 10 {
		now = now.Add(time.Hour)
		b.dialling(k, false, now)
	}
	b.expire(now.Add(time.Hour))
	if b.entries[k] == nil {
		t.Fatal("forgotten while offline")
	}
	for i := range maxVainFirst {
		if b.entries[k] == nil {
			t.Fatalf("forgotten after %d dials", i)
		}
		now = now.Add(time.Hour)
		b.dialling(k, true, now)
		b.expire(now) // the dial goes on
	}
	b.expire(now.Add(retryPause))
	if b.entries[k] != nil || len(b.perIP) != 0 {
		t.Error("not forgotten")
	}
	b.good(r, now)
	for range maxVain {
		now = now.Add(time.Hour)
		b.dialling(k, true, now)
	}
	b.expire(now.Add(time.Hour))
	if b.entries[k] == nil {
		t.Error("what was there this week is forgotten")
	}
	b.expire(now.Add(recordVain))
	if b.entries[k] != nil {
		t.Error("what was not there for a week is remembered")
	}
}

// A tried entry leaves its place to another only after it was dialled in vain.
func TestBookContest(t *testing.T) {
	for _, answers := range []bool{true, false} {
		b := newBook([16]byte{5}, false)
		byPlace := map[place]peerRecord{}
		var old, young peerRecord
		for i := 0; young.ID == ""; i++ {
			r := recordAt(1, fmt.Sprintf("1.2.%d.%d", i/250, i%250), t0)
			at := b.triedPlace(bookKey{r.ip(), r.ID})
			if other, ok := byPlace[at]; ok {
				old, young = other, r
			}
			byPlace[at] = r
		}
		b.good(old, t0)
		now := t0.Add(2 * contestWin)
		b.good(young, now)
		if b.entries[bookKey{young.ip(), young.ID}].tried {
			t.Fatal("two in one place")
		}
		r, ok := b.toTest(now, anybody)
		if !ok || r.ip() != old.ip() {
			t.Fatalf("tests %v, not who is in the place", r)
		}
		b.dialling(bookKey{old.ip(), old.ID}, true, now)
		if answers {
			b.good(old, now)
		}
		now = now.Add(2 * retryPause)
		if _, ok := b.toTest(now, anybody); ok {
			t.Error("tests twice")
		}
		if got := b.entries[bookKey{young.ip(), young.ID}].tried; got == answers {
			t.Errorf("the old one answers: %v; the young one is tried: %v", answers, got)
		}
		b.counts(t, anybody)
	}
}

// After a restart those who answered last time can be dialled at once; those who did not rest as long as they would have.
func TestBookRestsOverARestart(t *testing.T) {
	b, s := newBook([16]byte{9}, false), newShelf()
	there, gone := recordAt(1, "1.2.3.4", t0), recordAt(2, "5.6.7.8", t0)
	for _, r := range []peerRecord{there, gone} {
		b.good(r, t0)
		b.dialling(bookKey{r.ip(), r.ID}, true, t0)
	}
	b.good(there, t0)
	if _, ok := b.pick(rand.New(rand.NewPCG(1, 1)), false, t0, anybody); ok {
		t.Error("dialled twice in a moment")
	}
	if err := saveAll(s, b.changes()); err != nil {
		t.Fatal(err)
	}
	again := newBook(b.secret, false)
	if err := again.load(s, t0); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if r, ok := again.pick(rand.New(rand.NewPCG(1, 1)), false, t0, anybody); !ok || r.ID != there.ID {
			t.Fatalf("picked %v, %v", r, ok)
		}
	}
}

// Whatever happens, the book is sound, and it is the same after a restart.
func TestBookRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	b, s, now := newBook([16]byte{6}, false), newShelf(), t0
	ids := make([]peer.ID, 30)
	for i := range ids {
		ids[i] = idOf(i)
	}
	for step := range 20_000 {
		ip := netip.AddrFrom4([4]byte{byte(1 + rng.IntN(4)), byte(rng.IntN(20)), 0, byte(rng.IntN(4))})
		r := peerRecord{ID: ids[rng.IntN(len(ids))], Addrs: []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/%v/udp/%d/quic-v1", ip, 1+rng.IntN(3)))}, Seen: now.Truncate(time.Second)}
		k := bookKey{ip, r.ID}
		switch rng.IntN(9) {
		case 0, 1, 2:
			b.add(r, netip.AddrFrom4([4]byte{byte(rng.IntN(9)), byte(rng.IntN(9)), 0, 0}), now)
		case 3:
			b.good(r, now)
		case 4:
			b.dialling(k, true, now)
		case 5:
			b.expire(now)
		case 6:
			if rng.IntN(50) == 0 {
				b.wrongID(k)
			}
		case 7:
			b.toTest(now, func(*bookEntry) bool { return rng.IntN(2) == 0 })
		default:
			now = now.Add(time.Duration(rng.IntN(3600)) * time.Second)
		}
		if step%1000 == 0 {
			b.counts(t, anybody)
			if err := saveAll(s, b.changes()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := saveAll(s, b.changes()); err != nil {
		t.Fatal(err)
	}
	again := newBook(b.secret, false)
	if err := again.load(s, now); err != nil {
		t.Fatal(err)
	}
	again.counts(t, anybody)
	if len(again.entries) != len(b.entries) {
		t.Errorf("%d entries after a restart, %d before", len(again.entries), len(b.entries))
	}
	for k, e := range b.entries {
		got := again.entries[k]
		if got == nil || got.tried != e.tried || got.place != e.place || !got.success.Equal(e.success.Truncate(time.Second)) || got.attempts != e.attempts {
			t.Fatalf("%v: %+v became %+v", k, e, got)
		}
	}
}

func TestKnownSurvivesDamage(t *testing.T) {
	s := newShelf()
	open := func() *knownPeers {
		t.Helper()
		k, err := openKnown(s, false, testLog("known"))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := open()
	r := recordAt(1, "1.2.3.4", time.Now())
	k.proved(r.ID, r.Addrs[0], []ma.Multiaddr{ma.StringCast("/ip4/1.2.3.4/udp/9833/quic-v1"), ma.StringCast("/ip4/5.6.7.8/tcp/1")}, time.Now())
	s.fail = true
	k.save() // is logged, and nothing else
	s.fail = false
	k.proved(r.ID, r.Addrs[0], nil, time.Now())
	k.save()
	s.kept[shelfEntry+"damaged"] = []byte("xyz")
	if got := open().sample(time.Now()); len(got) != 1 || got[0].ID != r.ID {
		t.Errorf("after a restart it knows %v", got)
	}
	if err := k.putAnchors([]peerRecord{r}); err != nil {
		t.Fatal(err)
	}
	if list, err := open().takeAnchors(); err != nil || len(list) != 1 || list[0].ID != r.ID {
		t.Errorf("anchors %v, %v", list, err)
	}
	if list, err := open().takeAnchors(); err != nil || len(list) != 0 {
		t.Errorf("anchors are met once, not %v, %v", list, err)
	}
}

func TestRecords(t *testing.T) {
	id := idOf(1)
	var addrs []ma.Multiaddr
	for _, s := range []string{
		"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/1.2.3.4/tcp/1", "/ip4/5.6.7.8/tcp/1",
		"/dns4/x.org/tcp/1", "/ip4/0.0.0.0/tcp/1", "/ip4/1.2.3.4/udp/1", "/ip4/1.2.3.4/tcp/1/ws", "/ip6/2001:db8::1/tcp/1", "/ip4/224.0.0.1/tcp/1",
	} {
		addrs = append(addrs, ma.StringCast(s))
	}
	list := newRecords(id, addrs, t0)
	if len(list) != 3 || len(list[0].Addrs) != 2 || len(list[1].Addrs) != 1 {
		t.Fatalf("%v", list)
	}
	back, err := decodeRecords(encodeRecords(list), maxRecords)
	if err != nil || fmt.Sprint(back) != fmt.Sprint(list) {
		t.Errorf("%v became %v, %v", list, back, err)
	}
	if _, err := decodeRecords(encodeRecords(list), 2); err == nil {
		t.Error("takes three where two are allowed")
	}
	mixed := []peerRecord{{ID: id, Addrs: []ma.Multiaddr{addrs[0], addrs[3]}, Seen: t0}}
	if _, err := decodeRecords(encodeRecords(mixed), 10); err == nil {
		t.Error("takes a record of two IPs")
	}
	if _, err := decodeRecords(encodeRecords([]peerRecord{{ID: "x", Addrs: addrs[:1], Seen: t0}}), 10); err == nil {
		t.Error("takes an id that is none")
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(encodeRecords(nil))
	f.Add(encodeRecords([]peerRecord{recordAt(1, "1.2.3.4", t0), recordAt(2, "5.6.7.8", t0)}))
	f.Add([]byte{100, 38})
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := decodeRecords(raw, maxRecords)
		if err != nil {
			var b breach
			if !errors.As(err, &b) {
				t.Fatalf("%v is no breach", err)
			}
			return
		}
		if again, err := decodeRecords(encodeRecords(list), maxRecords); err != nil || fmt.Sprint(again) != fmt.Sprint(list) {
			t.Fatalf("%v became %v, %v", list, again, err)
		}
		b := newBook([16]byte{7}, true)
		for _, r := range list {
			b.add(r, r.ip(), t0)
		}
		b.counts(t, anybody)
	})
}

func FuzzBookEntry(f *testing.F) {
	e := &bookEntry{peerRecord: recordAt(1, "1.2.3.4", t0), source: netGroup(netip.MustParseAddr("9.9.9.9")), tried: true, success: t0}
	f.Add(e.encode())
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := decodeEntry(raw)
		if err == nil {
			newBook([16]byte{8}, true).restore(e, t0)
		}
	})
}
