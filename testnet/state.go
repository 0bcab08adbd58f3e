package testnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// stateFile is the name of the file in a network's directory that tells of its processes.
const stateFile = "testnet.json"

// state is what a later program needs to drive a network that an earlier one started.
type state struct {
	Keep  bool        `json:"keep"` // Close leaves the files
	Nodes []nodeState `json:"nodes"`
}

// nodeState is one node of a state file.
type nodeState struct {
	Name    string `json:"name"`
	Dir     string `json:"dir"`
	Started string `json:"started"` // of the process, as startedAt gives it
	Endpoint
}

// ErrNoNetwork says that a directory tells of no network.
var ErrNoNetwork = errors.New("no test network was started here")

// Save writes the state file, by which Open finds the network again.
func (w *Network) Save() error {
	s := state{Keep: w.keep}
	for _, n := range w.Nodes {
		started, _ := startedAt(n.Endpoint().PID)
		s.Nodes = append(s.Nodes, nodeState{Name: n.Name, Dir: n.Dir, Started: started, Endpoint: n.Endpoint()})
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(w.Dir, stateFile)
	if err := os.WriteFile(path+".tmp", append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the state of the network: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("write the state of the network: %w", err)
	}
	return nil
}

// Open returns the network whose state file is in dir. Its nodes may run or not; they can be asked and stopped, not started again.
func Open(dir string) (*Network, error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoNetwork)
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of the network: %w", err)
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", filepath.Join(dir, stateFile), err)
	}
	w := &Network{Dir: dir, keep: s.Keep}
	for _, have := range s.Nodes {
		n := &Node{Name: have.Name, Dir: have.Dir, run: foreign{id: have.PID, started: have.Started, rpc: have.RPC}}
		n.attach(have.Endpoint)
		w.Nodes = append(w.Nodes, n)
	}
	return w, nil
}
