package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Ready is the content of the ready file: where to find a running node, written when it answers.
type Ready struct {
	PID     int      `json:"pid"`
	Network string   `json:"network"`
	RPC     string   `json:"rpc"`    // URL
	Cookie  string   `json:"cookie"` // path of the cookie file
	PeerID  string   `json:"peer_id"`
	Listen  []string `json:"listen"` // multiaddrs, each with the peer id
	Version string   `json:"version"`
}

// write puts the ready file in place, whole.
func (r Ready) write(path string) error {
	if err := writeJSON(path, r); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}

// removeReady removes the ready file of a node that is no longer ready.
func removeReady(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove ready file %s: %w", path, bare(err))
	}
	return nil
}
