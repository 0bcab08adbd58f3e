package p2p

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// book remembers where peers may be found. It does no I/O and is not safe for concurrent use.
//
// It is built as Bitcoin Core's addrman, after "Eclipse Attacks on Bitcoin's Peer-to-Peer Network" (Heilman et al., 2015): a record has one
// place in the table of new ones, which depends on its network group and that of who told us, or in the table of tried ones, which depends on its
// own group. So whoever speaks from few networks fills few buckets, however many identities it has, and a secret keeps it from choosing which.
type book struct {
	secret  [16]byte
	private bool // take loopback and private addresses as well

	entries map[bookKey]*bookEntry
	fresh   [newBuckets][bucketSize]*bookEntry
	tried   [triedBuckets][bucketSize]*bookEntry
	perIP   map[netip.Addr]int
	contest []bookKey // records that worked but whose place among the tried is taken; who is there is tested first
	next    uint64    // number of the next entry; 64 bits, because a peer can make us count
	changed map[bookKey]bool
}

// bookKey names an entry: a peer at an IP address.
type bookKey struct {
	ip netip.Addr
	id peer.ID
}

type bookEntry struct {
	peerRecord
	num      uint64
	source   netip.Prefix // network group of who told us first
	attempts int          // dials in vain since the last success
	tryAt    time.Time    // of the last dial
	success  time.Time    // of the last handshake
	tried    bool
	place    place
}

type place struct{ bucket, slot int }

func (e *bookEntry) key() bookKey { return bookKey{e.ip(), e.ID} }

func newBook(secret [16]byte, private bool) *book {
	return &book{secret: secret, private: private, entries: map[bookKey]*bookEntry{}, perIP: map[netip.Addr]int{}, changed: map[bookKey]bool{}}
}

// hash is a number that nobody can foretell who does not know the secret.
func (b *book) hash(parts ...[]byte) uint64 {
	h := sha256.New()
	h.Write(b.secret[:])
	for _, p := range parts {
		h.Write([]byte{byte(len(p))})
		h.Write(p)
	}
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

func groupBytes(p netip.Prefix) []byte { return p.Addr().AsSlice() }

func number(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func (k bookKey) bytes() []byte { return append(k.ip.AsSlice(), k.id...) }

// newPlace: a source group reaches sourceShare of the new buckets, and of these one for each of some hash of the record's own group.
func (b *book) newPlace(k bookKey, source netip.Prefix) place {
	spread := b.hash([]byte("spread"), groupBytes(netGroup(k.ip)), groupBytes(source)) % sourceShare
	bucket := b.hash([]byte("new"), groupBytes(source), number(spread)) % newBuckets
	return place{int(bucket), int(b.hash([]byte("new slot"), number(bucket), k.bytes()) % bucketSize)}
}

// triedPlace: a group reaches groupShare of the tried buckets.
func (b *book) triedPlace(k bookKey) place {
	spread := b.hash([]byte("share"), k.bytes()) % groupShare
	bucket := b.hash([]byte("tried"), groupBytes(netGroup(k.ip)), number(spread)) % triedBuckets
	return place{int(bucket), int(b.hash([]byte("tried slot"), number(bucket), k.bytes()) % bucketSize)}
}

// add takes a record that somebody at source told us. It says whether the record is new to the book.
func (b *book) add(r peerRecord, source netip.Addr, now time.Time) bool {
	if len(r.Addrs) == 0 || !r.ip().IsValid() || isLocal(r.ip()) && !b.private {
		return false
	}
	if r.Seen.After(now) {
		r.Seen = now
	}
	k := bookKey{r.ip(), r.ID}
	if e := b.entries[k]; e != nil {
		b.renew(e, r)
		return false
	}
	if now.Sub(r.Seen) > recordLife || b.perIP[k.ip] >= b.mostPerIP(k.ip) {
		return false
	}
	e := &bookEntry{peerRecord: r, num: b.next, source: netGroup(source)}
	if !b.shelve(e, now) {
		return false
	}
	b.next++
	return true
}

// renew takes what is newer in a record that is here. Its addresses were proved if it was tried; then hearsay does not change them.
func (b *book) renew(e *bookEntry, r peerRecord) {
	if !r.Seen.After(e.Seen.Add(recordRenew)) {
		return
	}
	e.Seen = r.Seen
	if !e.tried {
		e.Addrs = r.Addrs
	}
	b.changed[e.key()] = true
}

// mostPerIP keeps one address from filling its buckets with ids that cost nothing.
func (b *book) mostPerIP(ip netip.Addr) int {
	if isLocal(ip) {
		return maxRecordsLocal
	}
	return maxRecordsIP
}

// shelve puts an entry among the new ones; false if somebody better is in its place.
func (b *book) shelve(e *bookEntry, now time.Time) bool {
	at := b.newPlace(e.key(), e.source)
	if old := b.fresh[at.bucket][at.slot]; old != nil {
		if !old.hopeless(now) {
			return false
		}
		b.remove(old)
	}
	e.tried, e.place = false, at
	b.fresh[at.bucket][at.slot] = e
	b.enter(e)
	return true
}

func (b *book) enter(e *bookEntry) {
	k := e.key()
	if b.entries[k] == nil {
		b.entries[k] = e
		b.perIP[k.ip]++
	}
	b.changed[k] = true
}

// lift takes an entry off its place, not out of the book.
func (b *book) lift(e *bookEntry) {
	if e.tried {
		b.tried[e.place.bucket][e.place.slot] = nil
		return
	}
	b.fresh[e.place.bucket][e.place.slot] = nil
}

func (b *book) remove(e *bookEntry) {
	k := e.key()
	b.lift(e)
	delete(b.entries, k)
	if b.perIP[k.ip]--; b.perIP[k.ip] == 0 {
		delete(b.perIP, k.ip)
	}
	b.contest = slices.DeleteFunc(b.contest, func(c bookKey) bool { return c == k })
	b.changed[k] = true
}

// hopeless says whether an entry may be forgotten: not seen for a month, or never reached, or not for long.
func (e *bookEntry) hopeless(now time.Time) bool {
	switch {
	case now.Sub(e.tryAt) < retryPause:
		return false // the dial may be going on
	case now.Sub(e.Seen) > recordLife:
		return true
	case e.success.IsZero():
		return e.attempts >= maxVainFirst
	}
	return e.attempts >= maxVain && now.Sub(e.success) > recordVain
}

// chance is the probability with which an entry that came up is taken: less after each dial in vain.
func (e *bookEntry) chance(now time.Time) float64 {
	c := 1.0
	if now.Sub(e.tryAt) < 10*time.Minute {
		c = 0.01
	}
	for range min(e.attempts, 8) {
		c *= 0.66
	}
	return c
}

// dialling notes that an entry is dialled now. It counts as in vain until it proves good, but only if online: a node without a network would
// forget all it knows.
func (b *book) dialling(k bookKey, online bool, now time.Time) {
	e := b.entries[k]
	if e == nil {
		return
	}
	e.tryAt = now
	if online {
		e.attempts++
	}
	b.changed[k] = true
}

// good notes that a peer that we dialled at r did the handshake: the record is proved. source counts only if the book did not know it.
func (b *book) good(r peerRecord, now time.Time) {
	if !b.add(r, r.ip(), now) && b.entries[bookKey{r.ip(), r.ID}] == nil {
		return // no room
	}
	e := b.entries[bookKey{r.ip(), r.ID}]
	e.Addrs, e.Seen = r.Addrs, now
	e.success, e.tryAt, e.attempts = now, now, 0
	b.changed[e.key()] = true
	if e.tried {
		return
	}
	at := b.triedPlace(e.key())
	if old := b.tried[at.bucket][at.slot]; old != nil {
		if len(b.contest) < maxContest && !slices.Contains(b.contest, e.key()) {
			b.contest = append(b.contest, e.key())
		}
		return
	}
	b.promote(e, at)
}

func (b *book) promote(e *bookEntry, at place) {
	b.lift(e)
	e.tried, e.place = true, at
	b.tried[at.bucket][at.slot] = e
	b.changed[e.key()] = true
}

// toTest returns the tried entry whose place another wants, so that it is dialled once more before it has to go.
// fit says whom we can dial: who cannot be dialled is connected, so it is there.
func (b *book) toTest(now time.Time, fit func(*bookEntry) bool) (peerRecord, bool) {
	for _, k := range slices.Clone(b.contest) {
		e, at := b.entries[k], b.triedPlace(k)
		old := b.tried[at.bucket][at.slot]
		switch {
		case e == nil || e.tried || old != nil && (!fit(old) || now.Sub(old.success) < contestWin): // it answered lately: it stays
			b.settle(k)
		case old == nil:
			b.promote(e, at)
			b.settle(k)
		case old.attempts > 0 && now.Sub(old.tryAt) > retryPause && now.Sub(old.success) > contestWin: // it had its chance
			b.demote(old, now)
			b.promote(e, at)
			b.settle(k)
		case now.Sub(old.tryAt) > retryPause:
			return old.peerRecord, true
		}
	}
	return peerRecord{}, false
}

func (b *book) settle(k bookKey) {
	b.contest = slices.DeleteFunc(b.contest, func(c bookKey) bool { return c == k })
}

// demote puts a tried entry back among the new ones, or out.
func (b *book) demote(e *bookEntry, now time.Time) {
	b.lift(e)
	at := b.newPlace(e.key(), e.source)
	e.tried, e.place = false, at
	if old := b.fresh[at.bucket][at.slot]; old != nil {
		b.remove(old)
	}
	b.fresh[at.bucket][at.slot] = e
	b.changed[e.key()] = true
}

// wrongID notes that another peer answers at the addresses of a record: the record is false or out of date.
func (b *book) wrongID(k bookKey) {
	if e := b.entries[k]; e != nil {
		b.remove(e)
	}
}

// expire forgets what is hopeless.
func (b *book) expire(now time.Time) {
	for _, e := range b.entries {
		if e.hopeless(now) {
			b.remove(e)
		}
	}
}

// pick chooses a record to dial: from the new or the tried ones with equal odds, by bucket and not by entry, so that a crowded bucket weighs
// no more than another. fit says which may be taken.
func (b *book) pick(rng *rand.Rand, onlyNew bool, now time.Time, fit func(*bookEntry) bool) (peerRecord, bool) {
	tables := []bool{true, false} // tried?
	if onlyNew {
		tables = []bool{false}
	} else if rng.IntN(2) == 0 {
		slices.Reverse(tables)
	}
	for _, tried := range tables {
		if e := b.pickFrom(tried, rng, now, fit); e != nil {
			return e.peerRecord, true
		}
	}
	return peerRecord{}, false
}

func (b *book) pickFrom(tried bool, rng *rand.Rand, now time.Time, fit func(*bookEntry) bool) *bookEntry {
	buckets := b.fresh[:]
	if tried {
		buckets = b.tried[:]
	}
	var last *bookEntry
	boost := 1.0
	for _, i := range rng.Perm(len(buckets)) {
		from := rng.IntN(bucketSize)
		for j := range bucketSize {
			e := buckets[i][(from+j)%bucketSize]
			if e == nil || e.hopeless(now) || now.Sub(e.tryAt) < e.pause() || !fit(e) {
				continue
			}
			last = e
			if rng.Float64() < boost*e.chance(now) {
				return e
			}
			boost *= 1.2 // the more were passed over, the less choosy
		}
	}
	return last
}

// pause is how long an entry rests after a dial: a minute, and twice as long after each in vain, up to an hour.
func (e *bookEntry) pause() time.Duration {
	return min(retryPause<<min(max(e.attempts-1, 0), 10), retryMost)
}

// sample returns up to limit records for a peer that asks, proved ones for up to half of them, none hopeless.
func (b *book) sample(rng *rand.Rand, limit int, now time.Time) []peerRecord {
	var proved, rest []*bookEntry
	for _, e := range b.entries {
		switch {
		case e.hopeless(now):
		case e.tried:
			proved = append(proved, e)
		default:
			rest = append(rest, e)
		}
	}
	byNum := func(x, y *bookEntry) int { return int(int64(x.num) - int64(y.num)) } // so that a seed gives one answer
	for _, part := range [][]*bookEntry{proved, rest} {
		slices.SortFunc(part, byNum)
		rng.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	}
	half := min(len(proved), max(limit/2, limit-len(rest)))
	chosen := append(proved[:half:half], rest...)
	list := make([]peerRecord, 0, min(limit, len(chosen)))
	for _, e := range chosen[:min(limit, len(chosen))] {
		list = append(list, e.peerRecord)
	}
	return list
}
