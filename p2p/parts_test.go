package p2p

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	ma "github.com/multiformats/go-multiaddr"

	"groat/consensus"
)

// Vectors of the reference implementation of SipHash-2-4: key 00 to 0f, messages 00, 00 01, and so on.
func TestSipHash(t *testing.T) {
	key := sipKey{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	msg := make([]byte, 64)
	for i := range msg {
		msg[i] = byte(i)
	}
	for n, want := range map[int]uint64{
		0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137, 8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5, 63: 0x958a324ceb064572,
	} {
		if got := sipHash(key, msg[:n]); got != want {
			t.Errorf("%d bytes: %016x, not %016x", n, got, want)
		}
	}
}

func TestRolling(t *testing.T) {
	r := newRolling[int, string](100)
	for i := range 1000 {
		r.put(i, "x")
		if len(r.young)+len(r.previous) > 100 {
			t.Fatal("grew beyond its capacity")
		}
		if i >= 49 && !r.has(i-49) {
			t.Fatalf("forgot the last half at %d", i)
		}
	}
	r.put(999, "y")
	if v, ok := r.get(999); v != "y" || !ok || r.has(0) {
		t.Error("remembers wrongly")
	}
	r.clear()
	if r.has(999) {
		t.Error("remembers after clear")
	}
}

func TestCompactBlock(t *testing.T) {
	var txs []*consensus.Tx
	for i := range uint32(10) {
		txs = append(txs, payment(i, nil))
	}
	b := mineOn(consensus.Genesis(consensus.Regtest()), nil, txs...)
	made := compactOf(b)
	c, err := decodeCompact(made.encode())
	if err != nil {
		t.Fatal(err)
	}
	r := c.fill(slices.Concat(txs[:4], txs[6:], []*consensus.Tx{payment(99, nil)}))
	if !slices.Equal(r.missing, []int{5, 6}) {
		t.Errorf("missing %v", r.missing)
	}
	r.add(txs[4:6])
	if got := r.block(); got.Hash() != b.Hash() || !bytes.Equal(got.Raw(), b.Raw()) {
		t.Error("rebuilt another block")
	}
}

// Two candidates with one short id: neither is taken.
func TestCompactBlockCollision(t *testing.T) {
	a, b := payment(1, nil), payment(2, nil)
	block := mineOn(consensus.Genesis(consensus.Regtest()), nil, a)
	c := compactOf(block)
	if got := c.fill([]*consensus.Tx{a, a, b}); len(got.missing) != 0 {
		t.Error("the same transaction twice is no collision")
	}
	c.IDs[0] = shortID(c.key(), b.WTxID()) // as if the maker had ground a pair
	r := c.fill([]*consensus.Tx{a, b})
	if len(r.missing) != 0 || r.block().Hash() != block.Hash() {
		t.Fatal("b stands for a")
	}
	if err := consensus.CheckBlock(consensus.Regtest(), r.block()); !errors.Is(err, consensus.ErrMerkleRoot) {
		t.Errorf("the merkle root must tell: %v", err)
	}
}

func TestOrphansAreBounded(t *testing.T) {
	o := newOrphans()
	for peer := range int64(10) {
		r := &remote{num: peer}
		for i := range uint32(2 * maxOrphansPeer) {
			o.add(payment(uint32(peer)*1000+i, payment(i, nil)), r, t0)
		}
		if o.perPeer[peer] > maxOrphansPeer {
			t.Errorf("%d of one peer", o.perPeer[peer])
		}
	}
	if len(o.txs) > maxOrphans {
		t.Errorf("%d orphans", len(o.txs))
	}
	o.leave(9)
	if o.perPeer[9] != 0 {
		t.Error("left behind")
	}
	o.expire(t0.Add(orphanLife))
	if len(o.txs)+len(o.byParent)+len(o.perPeer) != 0 {
		t.Errorf("left after their life: %d, %d, %d", len(o.txs), len(o.byParent), len(o.perPeer))
	}
	parent := payment(1, nil)
	child, sibling := payment(2, parent), payment(3, parent)
	for _, tx := range []*consensus.Tx{child, sibling, child} {
		o.add(tx, &remote{num: 1}, t0)
	}
	if got := o.childrenOf(parent.TxID()); len(got) != 2 || len(o.txs)+len(o.byParent)+len(o.perPeer) != 0 {
		t.Errorf("%d children", len(got))
	}
}

func TestOutboxBatches(t *testing.T) {
	o := newOutbox(nil)
	o.announce([]invItem{{ID: txid(1)}, {ID: txid(2)}}, t0)
	o.announce([]invItem{{ID: txid(3)}}, t0.Add(announceEvery/2))
	o.knows(txid(2)) // the peer announces it before we do
	if l, due := o.take(t0.Add(announceEvery - 1)); !l.empty() || !due.Equal(t0.Add(announceEvery)) {
		t.Errorf("sent early, due %v", due)
	}
	l, _ := o.take(t0.Add(announceEvery))
	if len(l.inv) != 2 || l.inv[0].ID != txid(1) || l.inv[1].ID != txid(3) {
		t.Errorf("announced %v", l.inv)
	}
	o.announce([]invItem{{ID: txid(1)}, {ID: txid(3)}}, t0)
	if _, due := o.take(t0); !due.IsZero() {
		t.Error("announced again")
	}
	for i := range 3 * maxOutInv {
		o.announce([]invItem{{ID: txid(1000 + i)}}, t0)
		o.answer([]wtxPrefix{txid(i)})
		o.lendParents([]chainhash.Hash{{}})
	}
	if len(o.inv) > maxOutInv || len(o.serve) > maxOutServe || len(o.lend) > maxOutServe {
		t.Errorf("grew to %d, %d, %d", len(o.inv), len(o.serve), len(o.lend))
	}
}

// All who dialled us hear of transactions at the same times, whose distance is random.
func TestPaceOfInboundPeers(t *testing.T) {
	var p pace
	var sum time.Duration
	now := t0
	const rounds = 10_000
	for range rounds {
		at := p.after(now)
		if at != p.after(now) || at != p.after(at.Add(-1)) {
			t.Fatal("another time for another peer")
		}
		if !at.After(now) || at.Sub(now) > announceMax {
			t.Fatalf("a pause of %v", at.Sub(now))
		}
		sum += at.Sub(now)
		now = at
	}
	if mean := sum / rounds; mean < announceMean*8/10 || mean > announceMean {
		t.Errorf("%v on average", mean)
	}
}

func TestFrames(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		var m meter
		r := newFrameReader(b, &m, 16)
		w := frameWriter{dst: a, meter: &meter{}}
		big := bytes.Repeat([]byte{7}, 100_000)
		go func() {
			_ = w.write(nil)
			_ = w.writeTyped(3, big)
			_ = w.write(big)
			_, _ = a.Write([]byte{5, 1, 2}) // and no more
		}()
		if got, err := r.next(0, time.Second); err != nil || len(got) != 0 {
			t.Errorf("empty frame: %v, %v", got, err)
		}
		limit := func(kind byte) (int, bool) { return len(big), kind == 3 }
		if kind, got, err := r.nextTyped(limit, time.Second); kind != 3 || err != nil || !bytes.Equal(got, big) {
			t.Errorf("typed frame: %d, %d bytes, %v", kind, len(got), err)
		}
		var wrong breach
		if _, err := r.next(len(big)-1, time.Second); !errors.As(err, &wrong) || wrong.offence != offFrame {
			t.Errorf("too long: %v", err)
		}
		if at(m.lastReceived.Load()) != time.Now() {
			t.Errorf("last received at %v", at(m.lastReceived.Load()))
		}
	})
}

// The first byte may take its time, the rest may not.
func TestFrameDeadlines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		r := newFrameReader(b, &meter{}, 16)
		began := time.Now()
		if _, err := r.next(10, time.Minute); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("silence: %v after %v", err, time.Since(began))
		}
		began = time.Now()
		go func() { _, _ = a.Write([]byte{9, 1}) }()
		if _, err := r.next(10, time.Minute); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > 2*frameTimeout {
			t.Errorf("half a frame: %v after %v", err, time.Since(began))
		}
		go a.Close()
		if _, err := r.next(10, time.Minute); !errors.Is(err, io.EOF) {
			t.Errorf("end: %v", err)
		}
	})
}

func TestIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	made, err := loadIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	read, err := loadIdentity(path)
	if err != nil || !made.Equals(read) {
		t.Errorf("another identity: %v", err)
	}
	if err := os.WriteFile(path, []byte("noise"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadIdentity(path); err == nil {
		t.Error("noise is no identity")
	}
	if _, err := loadIdentity(filepath.Join(path, "x")); err == nil {
		t.Error("a file is no folder")
	}
}

func TestTargets(t *testing.T) {
	const id = "12D3KooWEyopopk7LVzqzUNHQ9VqXM4sj3PrcVJwRDmvMtoHoBkF"
	for s, want := range map[string]string{
		"/ip4/1.2.3.4/tcp/5/p2p/" + id: "/ip4/1.2.3.4/tcp/5",
		"/ip4/1.2.3.4/udp/5/quic-v1":   "/ip4/1.2.3.4/udp/5/quic-v1",
		"1.2.3.4:5":                    "/ip4/1.2.3.4/tcp/5",
		"[::1]:5":                      "/ip6/::1/tcp/5",
		"node.example:5":               "/dns/node.example/tcp/5",
	} {
		info, err := parseTarget(s)
		if err != nil || info.Addrs[0].String() != want || (info.ID != "") != (len(s) > 50) {
			t.Errorf("%s: %v, %v", s, info, err)
		}
	}
	for _, s := range []string{"", "/", "/ip4/1.2.3/tcp/5", "/p2p/" + id, "1.2.3.4", "1.2.3.4:0", "1.2.3.4:70000", "a/b:5", ":5"} {
		if info, err := parseTarget(s); err == nil {
			t.Errorf("%q means %v", s, info)
		}
	}
}

func TestBans(t *testing.T) {
	g := newGater(true, false)
	ip := netip.MustParseAddr("1.2.3.4")
	if !g.ban(ip, t0.Add(time.Hour), t0) || !g.banned(ip, t0.Add(time.Hour-1)) || g.banned(ip, t0.Add(time.Hour)) {
		t.Error("banned wrongly")
	}
	for _, s := range []string{"127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fe80::1"} {
		if g.ban(netip.MustParseAddr(s), t0.Add(time.Hour), t0) {
			t.Errorf("%s was banned: a test network would ban itself", s)
		}
		if !newGater(true, true).ban(netip.MustParseAddr(s), t0.Add(time.Hour), t0) {
			t.Errorf("%s was not banned although it was asked for", s)
		}
	}
	for i := range maxBans + 10 {
		g.ban(netip.AddrFrom4([4]byte{8, byte(i >> 16), byte(i >> 8), byte(i)}), t0.Add(time.Hour), t0)
	}
	if len(g.bans) > maxBans {
		t.Errorf("%d bans", len(g.bans))
	}
	if !g.ban(ip, t0.Add(3*time.Hour), t0.Add(2*time.Hour)) {
		t.Error("bans that are over must make room")
	}
}

// Private addresses are dialled on test networks, and elsewhere when an operator names the peer.
func TestPrivateAddresses(t *testing.T) {
	private, public := ma.StringCast("/ip4/192.168.1.2/tcp/5"), ma.StringCast("/ip4/8.8.8.8/tcp/5")
	g := newGater(false, false)
	if g.InterceptAddrDial("x", private) || !g.InterceptAddrDial("x", public) {
		t.Error("dials wrongly")
	}
	done := g.permit("x")
	if !g.InterceptAddrDial("x", private) || g.InterceptAddrDial("y", private) {
		t.Error("permits wrongly")
	}
	done()
	if g.InterceptAddrDial("x", private) || len(g.static) != 0 {
		t.Error("permitted for ever")
	}
	if !newGater(true, false).InterceptAddrDial("x", private) {
		t.Error("a test network is private")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := DefaultOptions(consensus.Regtest())
	good.Chain, good.Pool, good.Log, good.KeyFile = newFakeChain(good.Params), newFakePool(), testLog("x"), "key"
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Options){
		"no chain":        func(o *Options) { o.Chain = nil },
		"no network":      func(o *Options) { o.Params = consensus.Bitcoin() },
		"no key":          func(o *Options) { o.KeyFile = "" },
		"no peers":        func(o *Options) { o.MaxPeers = 0 },
		"bad peer":        func(o *Options) { o.Peers = []string{"nonsense"} },
		"no time to ban":  func(o *Options) { o.BanTime = 0 },
		"long user agent": func(o *Options) { o.UserAgent = string(make([]byte, maxUserAgent+1)) },
	} {
		o := good
		spoil(&o)
		if o.Check() == nil {
			t.Error(name, "is accepted")
		}
	}
}
