package p2p

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestBanList(t *testing.T) {
	l := banList{}
	l.add(netip.MustParsePrefix("1.2.0.0/16"), ban{t0, t0.Add(time.Hour)}, t0)
	l.add(netip.MustParsePrefix("2001:db8::/32"), ban{t0, t0.Add(time.Hour)}, t0)
	l.add(hostPrefix(netip.MustParseAddr("9.9.9.9")), ban{t0, t0.Add(time.Hour)}, t0)
	for s, want := range map[string]bool{
		"1.2.255.255": true, "1.3.0.0": false, "9.9.9.9": true, "9.9.9.8": false, "2001:db8::1": true, "2001:db9::1": false, "fe80::1%eth0": false,
	} {
		if got := l.covers(netip.MustParseAddr(s), t0.Add(time.Hour-1)); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	if l.covers(netip.MustParseAddr("9.9.9.9"), t0.Add(time.Hour)) {
		t.Error("a ban does not end")
	}
	l.add(netip.MustParsePrefix("1.2.0.0/16"), ban{t0, t0.Add(time.Minute)}, t0)
	if !l.covers(netip.MustParseAddr("1.2.3.4"), t0.Add(2*time.Minute)) {
		t.Error("a shorter ban took the place of a longer one")
	}
}

// Bans of operators and of offenders outlast the process; lifted ones do not come back.
func TestBansLast(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		a := w.start(keeping, func(o *Options) { o.BanTime = time.Hour })
		b := w.start()
		b.dial(a)
		bad := w.stranger(a)
		bad.typed(bad.open(bad.ids.relay), 99, nil)
		w.until(time.Second, "the offender is banned", bad.banned)
		subnet := netip.MustParsePrefix(b.ip + "/24").Masked()
		if err := a.Ban(subnet, time.Now().Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := a.Ban(subnet, time.Now().Add(time.Hour)); !errors.Is(err, ErrBanned) {
			t.Error("banned twice:", err)
		}
		w.until(time.Second, "its peer is out", func() bool { return a.Count()+b.Count() == 0 })
		a.halt()
		a.again()
		if err := b.TryNode(t.Context(), a.addr()); err == nil {
			t.Error("a banned peer is let in after a restart")
		}
		if got := fmt.Sprint(len(a.Bans()), a.Bans()[0].Subnet); got != "2 1.2.0.0/24" {
			t.Errorf("bans %s", got)
		}
		if err := a.Unban(subnet); err != nil {
			t.Fatal(err)
		}
		if err := a.Unban(subnet); !errors.Is(err, ErrNotBanned) {
			t.Error("lifted twice:", err)
		}
		time.Sleep(time.Hour)
		a.halt()
		a.again() // the offender's ban is over
		if got := a.Bans(); len(got) != 0 {
			t.Errorf("bans %v", got)
		}
		b.dial(a)
		if err := a.Ban(subnet, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := a.ClearBans(); err != nil || len(a.Bans()) != 0 {
			t.Error(err, a.Bans())
		}
		for key := range a.opts.Shelf.(*shelf).kept {
			if len(key) > len(shelfBan) && key[:len(shelfBan)] == shelfBan {
				t.Error("kept:", key)
			}
		}
	})
}
