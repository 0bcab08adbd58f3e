package rpc

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"groat/internal/disk"
)

const (
	cookieUser  = "__cookie__"
	cookieBytes = 32
)

// logins are the credentials that may call.
type logins struct {
	path   string     // of the cookie file; "" for none
	cookie string     // its content
	sums   [][32]byte // of each user:password, so that comparing takes the same time whatever is sent
}

// newLogins makes a new cookie, writes it to its file and adds the user of the options.
func newLogins(opts Options) (logins, error) {
	var l logins
	if opts.Cookie != "" {
		var secret [cookieBytes]byte
		rand.Read(secret[:])
		l.path, l.cookie = opts.Cookie, cookieUser+":"+hex.EncodeToString(secret[:])
		if err := disk.WriteFile(l.path, []byte(l.cookie)); err != nil {
			return logins{}, err
		}
		l.sums = append(l.sums, sha256.Sum256([]byte(l.cookie)))
	}
	if opts.Password != "" {
		l.sums = append(l.sums, sha256.Sum256([]byte(opts.User+":"+opts.Password)))
	}
	return l, nil
}

// removeCookie removes the cookie file, unless another node has put its own there.
func (l logins) removeCookie() error {
	if l.path == "" {
		return nil
	}
	content, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && string(content) != l.cookie) {
		return nil
	}
	if err := errors.Join(err, os.Remove(l.path)); err != nil {
		return fmt.Errorf("remove cookie file: %w", err)
	}
	return nil
}

// allow reports whether an Authorization header has one of the logins.
func (l logins) allow(header string) bool {
	encoded, ok := strings.CutPrefix(header, "Basic ")
	if !ok {
		return false
	}
	login, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return false
	}
	sum, allowed := sha256.Sum256(login), 0
	for _, want := range l.sums {
		allowed |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	return allowed == 1
}

// triesEvery is how often the log is told of refused logins at most: whoever tries passwords shall not fill a disk.
const triesEvery = time.Second

// refused notes a refused login.
func (s *Server) refused(peer string) {
	s.mu.Lock()
	s.tries++
	tries := s.tries
	tell := time.Since(s.triesAt) >= triesEvery
	if tell {
		s.tries, s.triesAt = 0, time.Now()
	}
	s.mu.Unlock()
	if tell {
		s.opts.Log.Info("RPC login refused", "peer", peer, "tries", tries)
	}
}
