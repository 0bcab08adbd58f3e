package p2p

import (
	"net/netip"
	"testing"
	"time"
)

func TestPeersOfOneAddressShareABudget(t *testing.T) {
	b := newBudgets()
	get := func(s string, free bool) budget { return b.get(netip.MustParseAddr(s), free) }
	for _, c := range []struct {
		x, y string
		free bool
		same bool
	}{
		{"1.2.3.4", "1.2.3.4", false, true},
		{"1.2.3.4", "1.2.3.5", false, false},
		{"1.2.3.4", "::ffff:1.2.3.4", false, true},
		{"2001:db8::1", "2001:db8::2", false, true},
		{"2001:db8::1", "2001:db8:0:1::1", false, false},
		{"127.0.0.1", "127.0.0.1", false, false},
		{"10.0.0.1", "10.0.0.1", true, false},
		{"10.0.0.1", "10.0.0.1", false, true},
	} {
		if got := get(c.x, c.free).serving == get(c.y, c.free).serving; got != c.same {
			t.Errorf("%s and %s share: %v", c.x, c.y, got)
		}
	}
	for i := range 2 * maxBudgets {
		ip := netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)})
		b.get(ip, false).serving.AllowN(time.Now(), 1<<20)
	}
	if len(b.of) > maxBudgets {
		t.Errorf("%d budgets", len(b.of))
	}
}
