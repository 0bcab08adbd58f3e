package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"groat/consensus"
	"groat/internal/disk"
)

// layoutVersion grows when the files in a data directory change such that an older program must not touch them.
const layoutVersion = 1

// markerFile is the name of the file with the marker.
const markerFile = "groat.json"

// dataDir is the directory of one network, held by this process alone.
type dataDir struct {
	path string
	lock *flock.Flock
}

// marker says in a data directory what it holds.
type marker struct {
	Network string `json:"network"`
	Genesis string `json:"genesis"`
	Version int    `json:"version"`
}

// openDataDir creates the directory if need be, locks it, and refuses one of another network or of a newer groat.
func openDataDir(path string, p *consensus.Params) (*dataDir, error) {
	if err := disk.MakeDir(path); err != nil {
		return nil, fmt.Errorf("data directory %s cannot be created: %w; choose another with --datadir", path, disk.Bare(err))
	}
	d := &dataDir{path: path, lock: flock.New(filepath.Join(path, ".lock"), flock.SetFlag(os.O_CREATE|os.O_RDWR))}
	held, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("data directory %s cannot be locked: %w; check that it is writable or choose another with --datadir", path, disk.Bare(err))
	}
	if !held {
		return nil, fmt.Errorf("another groat%s uses %s; stop it, or choose another directory with --datadir", d.holder(), path)
	}
	if err := d.claim(p); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// openExistingDataDir is openDataDir for work that makes no sense on a directory that holds nothing yet.
func openExistingDataDir(path string, p *consensus.Params) (*dataDir, error) {
	if _, err := os.Stat(filepath.Join(path, markerFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, holdsNothing(path, p)
	}
	return openDataDir(path, p)
}

func holdsNothing(path string, p *consensus.Params) error {
	return fmt.Errorf("%s holds no data of network %s; choose the directory with --datadir and --network", path, p.Name)
}

// claim writes this process into the lock and checks, or writes, the marker.
func (d *dataDir) claim(p *consensus.Params) error {
	if err := os.WriteFile(d.lock.Path(), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return fmt.Errorf("data directory %s: write the lock: %w", d.path, disk.Explain(d.path, disk.Bare(err)))
	}
	want := marker{Network: p.Name, Genesis: p.GenesisHash.String(), Version: layoutVersion}
	path := filepath.Join(d.path, markerFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return writeJSON(path, want)
	}
	if err != nil {
		return fmt.Errorf("data directory %s: read groat.json: %w", d.path, disk.Bare(err))
	}
	var have marker
	switch err := json.Unmarshal(data, &have); {
	case err != nil:
		return fmt.Errorf("data directory %s: groat.json is damaged; if this is a groat directory of network %s, delete that file and start again", d.path, p.Name)
	case have.Version > layoutVersion:
		return fmt.Errorf("data directory %s was written by a newer groat (layout %d, this one knows %d); use that one, or another directory with --datadir", d.path, have.Version, layoutVersion)
	case have.Network != want.Network || have.Genesis != want.Genesis:
		return fmt.Errorf("data directory %s belongs to network %s (genesis %s), not to %s; choose another directory with --datadir", d.path, have.Network, have.Genesis, p.Name)
	}
	return nil
}

// blocks and store are where the block files and the database lie.
func (d *dataDir) blocks() string { return filepath.Join(d.path, "blocks") }
func (d *dataDir) store() string  { return filepath.Join(d.path, "db") }

// holder names the process that holds the lock, as far as it can be read.
func (d *dataDir) holder() string {
	data, err := os.ReadFile(d.lock.Path())
	pid := strings.TrimSpace(string(data))
	if err != nil || pid == "" {
		return ""
	}
	return fmt.Sprintf(" (pid %s)", pid)
}

// close gives the directory up. The lock file stays: removing it would let two processes hold different files of one name.
func (d *dataDir) close() error {
	return d.lock.Unlock()
}

// writeJSON writes v to path such that a reader sees all of it or nothing, after a power cut too.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return disk.WriteFile(path, append(data, '\n'))
}

// readJSON reads what writeJSON wrote.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}
