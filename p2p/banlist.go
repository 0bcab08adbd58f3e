package p2p

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"groat/internal/ledger"
	"groat/internal/store"
)

// Errors of the calls that change bans.
var (
	ErrBanned    = errors.New("address or subnet already banned")
	ErrNotBanned = errors.New("address or subnet is not banned")
	ErrManyBans  = errors.New("too many bans")
)

// banList says which addresses are refused, and until when. It does no I/O.
type banList map[netip.Prefix]ban

type ban struct{ created, until time.Time }

// covers says whether a ban in force covers ip.
func (l banList) covers(ip netip.Addr, now time.Time) bool {
	ip = ip.WithZone("")
	for bits := range ip.BitLen() + 1 {
		p, err := ip.Prefix(bits)
		if err != nil {
			return false
		}
		if b, ok := l[p]; ok && now.Before(b.until) {
			return true
		}
	}
	return false
}

// add takes a ban; false if the list is full of others in force. A longer ban stays.
func (l banList) add(p netip.Prefix, b ban, now time.Time) bool {
	if len(l) >= maxBans {
		maps.DeleteFunc(l, func(_ netip.Prefix, other ban) bool { return !now.Before(other.until) })
	}
	old, here := l[p]
	if !here && len(l) >= maxBans {
		return false
	}
	if old.until.Before(b.until) {
		l[p] = b
	}
	return true
}

// hostPrefix is the subnet that is ip alone.
func hostPrefix(ip netip.Addr) netip.Prefix {
	p, _ := ip.WithZone("").Prefix(ip.BitLen()) // no error with an address's own length
	return p
}

// Bans lists the bans in force, by subnet.
func (n *Network) Bans() []ledger.Ban {
	g, now := n.gate, time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	list := []ledger.Ban{}
	for p, b := range g.bans {
		if now.Before(b.until) {
			list = append(list, ledger.Ban{Subnet: p, Created: b.created, Until: b.until})
		}
	}
	slices.SortFunc(list, func(a, b ledger.Ban) int {
		return cmp.Or(a.Subnet.Addr().Compare(b.Subnet.Addr()), cmp.Compare(a.Subnet.Bits(), b.Subnet.Bits()))
	})
	return list
}

// Ban refuses a subnet until then, across restarts, and disconnects who is in it. It returns ErrBanned if there is a ban of it, or, for a
// single address, one that covers it.
func (n *Network) Ban(subnet netip.Prefix, until time.Time) error {
	now := time.Now()
	if err := n.gate.banSubnet(subnet, until, now); err != nil {
		return err
	}
	n.log.Info("banned", "subnet", subnet, "until", until)
	for _, r := range n.peers.all() {
		if subnet.Contains(r.ip) {
			n.drop(r)
		}
	}
	return n.keepBan(subnet, ban{now, until})
}

// Unban lets a subnet in again; ErrNotBanned if there is no ban of just it.
func (n *Network) Unban(subnet netip.Prefix) error {
	if !n.gate.unban(subnet, time.Now()) {
		return ErrNotBanned
	}
	return n.forgetBans(subnet)
}

// ClearBans lets everybody in again.
func (n *Network) ClearBans() error { return n.forgetBans(n.gate.unbanAll()...) }

func banKey(p netip.Prefix) []byte { return append([]byte(shelfBan), p.String()...) }

// keepBan stores a ban.
func (n *Network) keepBan(p netip.Prefix, b ban) error {
	if n.opts.Shelf == nil {
		return nil
	}
	value := binary.LittleEndian.AppendUint64(nil, uint64(b.created.Unix()))
	value = binary.LittleEndian.AppendUint64(value, uint64(b.until.Unix()))
	if err := saveAll(n.opts.Shelf, []change{{banKey(p), value}}); err != nil {
		return fmt.Errorf("store a ban: %w", err)
	}
	return nil
}

func (n *Network) forgetBans(subnets ...netip.Prefix) error {
	if n.opts.Shelf == nil {
		return nil
	}
	list := make([]change, len(subnets))
	for i, p := range subnets {
		list[i].key = banKey(p)
	}
	if err := saveAll(n.opts.Shelf, list); err != nil {
		return fmt.Errorf("forget bans: %w", err)
	}
	return nil
}

// load fills an empty list from the shelf and drops from it what is over.
func (l banList) load(s Shelf, now time.Time) error {
	var over store.Batch
	err := s.Iterate([]byte(shelfBan), func(key, value []byte) error {
		d := decoder{rest: value}
		b := ban{time.Unix(int64(d.uint64()), 0), time.Unix(int64(d.uint64()), 0)}
		p, err := netip.ParsePrefix(string(key[len(shelfBan):]))
		if err == nil && d.end() == nil && now.Before(b.until) {
			l.add(p, b, now)
		} else if s.Fits(&over) {
			over.Delete(slices.Clone(key))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the bans: %w", err)
	}
	if !s.Fits(&over) {
		over.Drop()
	}
	if over.Len() == 0 {
		return nil
	}
	return s.Update(&over)
}
