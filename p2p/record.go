package p2p

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// peerRecord says that a peer may be found at addresses, which are all of one IP. Nobody has proved it: a dial does, because libp2p
// connects to the id or not at all.
type peerRecord struct {
	ID    peer.ID
	Addrs []ma.Multiaddr // 1 to maxRecordAddrs, without /p2p
	Seen  time.Time      // when it was last known to be there, in seconds
}

// ip returns the address that all of the record's have in common.
func (r peerRecord) ip() netip.Addr { return ipOf(r.Addrs[0]) }

// newRecords makes records of what a peer says of itself, one per IP address. What cannot be dialled by its IP is left out.
func newRecords(id peer.ID, addrs []ma.Multiaddr, seen time.Time) []peerRecord {
	var list []peerRecord
	for _, addr := range addrs {
		if len(addr.Bytes()) > maxRecordAddr || !dialable(addr) {
			continue
		}
		i := slices.IndexFunc(list, func(r peerRecord) bool { return r.ip() == ipOf(addr) })
		if i < 0 {
			if len(list) == maxRecordsPeer || checkID(id) != nil {
				continue
			}
			list = append(list, peerRecord{ID: id, Seen: seen.Truncate(time.Second)})
			i = len(list) - 1
		}
		if len(list[i].Addrs) < maxRecordAddrs && !slices.ContainsFunc(list[i].Addrs, addr.Equal) {
			list[i].Addrs = append(list[i].Addrs, addr)
		}
	}
	return list
}

// dialable says whether addr is an IP address with a transport that we speak, and nothing behind it.
func dialable(addr ma.Multiaddr) bool {
	codes := make([]int, 0, len(addr))
	for _, c := range addr {
		codes = append(codes, c.Protocol().Code)
	}
	if len(codes) < 2 || (codes[0] != ma.P_IP4 && codes[0] != ma.P_IP6) {
		return false
	}
	ip := ipOf(addr)
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() {
		return false
	}
	return slices.Equal(codes[1:], []int{ma.P_TCP}) || slices.Equal(codes[1:], []int{ma.P_UDP, ma.P_QUIC_V1})
}

// checkID refuses ids of other keys than Ed25519.
func checkID(id peer.ID) error {
	key, err := id.ExtractPublicKey()
	if err != nil || key.Type() != crypto.Ed25519 {
		return errors.New("not the id of an Ed25519 key")
	}
	return nil
}

// appendRecord appends id, time and addresses.
func appendRecord(b []byte, r peerRecord) []byte {
	b = appendText(b, string(r.ID))
	b = binary.LittleEndian.AppendUint32(b, uint32(max(0, r.Seen.Unix())))
	b = binary.AppendUvarint(b, uint64(len(r.Addrs)))
	for _, a := range r.Addrs {
		b = appendText(b, string(a.Bytes()))
	}
	return b
}

// record takes a record off the payload. Addresses of several IPs, unknown transports and foreign keys are refused: nobody sends them by accident.
func (d *decoder) record() peerRecord {
	var r peerRecord
	r.ID = peer.ID(d.text(maxPeerID))
	r.Seen = time.Unix(int64(d.uint32()), 0)
	n := d.count(maxRecordAddrs, 2)
	if d.err == nil && (n == 0 || checkID(r.ID) != nil) {
		d.fail("a record without an address or with a bad id")
	}
	for range n {
		raw := d.take(int(d.uvarint(maxRecordAddr)))
		if d.err != nil {
			return peerRecord{}
		}
		addr, err := ma.NewMultiaddrBytes(raw)
		if err != nil || !dialable(addr) || len(r.Addrs) > 0 && ipOf(addr) != r.ip() {
			d.fail("a record with an address that cannot be dialled or of another IP")
			return peerRecord{}
		}
		r.Addrs = append(r.Addrs, addr)
	}
	return r
}

// encodeRecords makes the payload of a peers frame.
func encodeRecords(list []peerRecord) []byte {
	b := binary.AppendUvarint(nil, uint64(len(list)))
	for _, r := range list {
		b = appendRecord(b, r)
	}
	return b
}

func decodeRecords(payload []byte, limit int) ([]peerRecord, error) {
	d := decoder{rest: payload}
	n := d.count(limit, 8)
	list := make([]peerRecord, 0, n)
	for range n {
		list = append(list, d.record())
	}
	return list, d.end()
}

// netGroup is the network that an address belongs to for whoever hands out addresses: a /16 of IPv4, a /32 of IPv6.
func netGroup(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is4() {
		bits = 16
	}
	p, _ := ip.WithZone("").Prefix(bits) // no prefix of an invalid address, which is a group too
	return p
}
