package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"groat/internal/disk"
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

// write puts the ready files in place, each whole.
func (r Ready) write(paths []string) error {
	for _, path := range paths {
		if err := writeJSON(path, r); err != nil {
			return fmt.Errorf("ready file: %w; choose another place with --ready-file", err)
		}
	}
	return nil
}

// removeReady removes the ready files of a node that is no longer ready.
func removeReady(paths []string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove ready file %s: %w; choose another place with --ready-file", path, disk.Bare(err))
		}
	}
	return nil
}
