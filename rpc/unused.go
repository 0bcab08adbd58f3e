package rpc

import (
	"net"
	"net/http"
	"sync"
)

// unused holds the connections on which nothing has been asked yet. At its end net/http waits five seconds for each of them.
type unused struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// note is told by net/http of every change of a connection.
func (u *unused) note(c net.Conn, now http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case now != http.StateNew:
		delete(u.conns, c)
	case u.closed:
		_ = c.Close() // it came at the last moment
	default:
		u.conns[c] = struct{}{}
	}
}

func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	for c := range u.conns {
		_ = c.Close() // nobody waits for an answer
	}
}
