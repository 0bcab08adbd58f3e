package p2p

import (
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// budget is what the peers of one network address may ask of us together: new identities are free, addresses are not.
type budget struct {
	headers *rate.Limiter // requests for headers
	serving *rate.Limiter // bytes of blocks
}

func newBudget() budget {
	return budget{rate.NewLimiter(headersPerSec, headersBurst), rate.NewLimiter(serveBytesPerSec, serveBurst)}
}

// full says whether nothing would change if the budget were forgotten.
func (b budget) full() bool {
	return b.headers.Tokens() >= headersBurst && b.serving.Tokens() >= serveBurst
}

// budgets are those of the addresses that are connected or were lately.
type budgets struct {
	mu sync.Mutex
	of map[netip.Prefix]budget
}

func newBudgets() *budgets { return &budgets{of: map[netip.Prefix]budget{}} }

// get returns the budget of an address: an IPv4 address or an IPv6 /64. Loopback addresses have one for each peer, private ones if they are free.
func (b *budgets) get(ip netip.Addr, privateFree bool) budget {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.IsLoopback() || privateFree && (ip.IsPrivate() || ip.IsLinkLocalUnicast()) {
		return newBudget()
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	key, err := ip.Prefix(bits)
	if err != nil {
		return newBudget()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.of[key]; ok {
		return known
	}
	if len(b.of) >= maxBudgets {
		for k, old := range b.of {
			if old.full() {
				delete(b.of, k)
			}
		}
	}
	fresh := newBudget()
	if len(b.of) < maxBudgets { // more are busy at once than can be connected: they have one each
		b.of[key] = fresh
	}
	return fresh
}
