package p2p

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"groat/internal/ledger"
	"groat/internal/store"
)

// knownPeers is the address book with a lock and a shelf, from which it is read at the start and to which it is written from time to time.
type knownPeers struct {
	shelf Shelf // set once; nil keeps nothing
	log   *slog.Logger

	mu       sync.Mutex // guards all below; not held while the shelf writes
	book     *book
	rng      *rand.Rand
	answer   []peerRecord // what peers are told
	answerAt time.Time
}

func openKnown(shelf Shelf, private bool, log *slog.Logger) (*knownPeers, error) {
	var secret [16]byte
	found := false
	if shelf != nil {
		var err error
		if secret, found, err = loadSecret(shelf); err != nil {
			return nil, fmt.Errorf("read the address book: %w", err)
		}
	}
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // it never fails
	k := &knownPeers{shelf: shelf, log: log, rng: rand.New(rand.NewChaCha8(seed))}
	if !found {
		_, _ = crand.Read(secret[:])
	}
	k.book = newBook(secret, private)
	if shelf == nil {
		return k, nil
	}
	if !found {
		var batch store.Batch
		batch.Put([]byte(shelfSecret), secret[:])
		if err := shelf.Update(&batch); err != nil {
			return nil, fmt.Errorf("make the address book: %w", err)
		}
	}
	if err := k.book.load(shelf, time.Now()); err != nil {
		return nil, fmt.Errorf("read the address book: %w", err)
	}
	return k, nil
}

// run writes the book once a minute and at the end. A disk that refuses costs what was learnt since, not the node.
func (k *knownPeers) run(ctx context.Context) error {
	tick := time.NewTicker(bookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			k.save()
			return nil
		case <-tick.C:
			k.save()
		}
	}
}

func (k *knownPeers) save() {
	k.mu.Lock()
	k.book.expire(time.Now())
	list := k.book.changes()
	k.mu.Unlock()
	if k.shelf == nil {
		return
	}
	if err := saveAll(k.shelf, list); err != nil {
		k.log.Error("save the address book", "err", err)
	}
}

// tell takes records from source and returns those that are new.
func (k *knownPeers) tell(list []peerRecord, source netip.Addr, now time.Time) []peerRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	var news []peerRecord
	for _, r := range list {
		if k.book.add(r, source, now) {
			news = append(news, r)
		}
	}
	return news
}

// proved notes that a peer which we dialled at addr did the handshake. more are addresses that it says it has.
func (k *knownPeers) proved(id peer.ID, addr ma.Multiaddr, more []ma.Multiaddr, now time.Time) {
	list := newRecords(id, append([]ma.Multiaddr{addr}, more...), now)
	if len(list) == 0 || list[0].ip() != ipOf(addr) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.book.good(list[0], now)
}

// dialling notes that a record is dialled now.
func (k *knownPeers) dialling(r peerRecord, online bool, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.book.dialling(bookKey{r.ip(), r.ID}, online, now)
}

// wrongID notes that actual, not the peer of the record, is at its address. What is there was proved by its signature, not by a handshake of ours.
func (k *knownPeers) wrongID(r peerRecord, actual peer.ID, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.book.wrongID(bookKey{r.ip(), r.ID})
	k.book.add(peerRecord{ID: actual, Addrs: r.Addrs, Seen: now}, r.ip(), now)
}

// pick chooses a record to dial.
func (k *knownPeers) pick(onlyNew bool, now time.Time, fit func(*bookEntry) bool) (peerRecord, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.book.pick(k.rng, onlyNew, now, fit)
}

// feeler chooses a record to test: a tried one whose place another wants, or a new one.
func (k *knownPeers) feeler(now time.Time, fit func(*bookEntry) bool) (peerRecord, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r, ok := k.book.toTest(now, fit); ok {
		return r, true
	}
	return k.book.pick(k.rng, true, now, fit)
}

// sample returns the records for a peer that asks. A full answer stays the same for a day, so that asking again, from anywhere, shows no more of
// the book.
func (k *knownPeers) sample(now time.Time) []peerRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	life := answerYoung
	if len(k.answer) == maxRecords {
		life = answerLife
	}
	if k.answerAt.IsZero() || now.Sub(k.answerAt) > life {
		most := min(maxRecords, max(answerLeast, len(k.book.entries)*23/100))
		k.answer, k.answerAt = k.book.sample(k.rng, most, now), now
	}
	return k.answer
}

// some returns up to limit records, for the operator.
func (k *knownPeers) some(limit int, now time.Time) []peerRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.book.sample(k.rng, limit, now)
}

// turn is a number that says who is told of a record today; nobody outside can foretell it.
func (k *knownPeers) turn(r peerRecord, to peer.ID, now time.Time) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.book.hash([]byte("relay"), bookKey{r.ip(), r.ID}.bytes(), []byte(to), number(uint64(now.Unix()/86400)))
}

// Addresses returns up to limit addresses of peers from the address book, chosen at random.
func (n *Network) Addresses(limit int) []ledger.NodeAddress {
	list := []ledger.NodeAddress{}
	for _, r := range n.known.some(limit, time.Now()) {
		list = append(list, ledger.NodeAddress{Peer: r.ID.String(), Addr: r.Addrs[0].String(), Seen: r.Seen})
	}
	return list
}
