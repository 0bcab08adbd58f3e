package store

import (
	"fmt"
	"os"
	"path/filepath"
)

// removeEmptyLogs removes what a kill between the making and the sizing of a log leaves: Badger refuses to open with
// such a file, and it holds nothing.
func removeEmptyLogs(dir string) error {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return fmt.Errorf("list the store's logs: %w", err)
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				return fmt.Errorf("look at a log of the store: %w", err)
			}
			if info.Size() > 0 {
				continue
			}
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("remove an empty log of the store: %w", err)
			}
		}
	}
	return nil
}

// listLogs returns the names of the logs, of which there are none unless a kill left them.
func listLogs(dir string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return nil, fmt.Errorf("list the store's logs: %w", err)
	}
	return names, nil
}

// finishLogs deals with logs that a kill left. Badger reads them into memory tables as large as those of today and ends the process
// if they hold more: logs of another size are made tables on the disk first, with memory that suffices.
func finishLogs(o Options, names []string, memTable int64) error {
	ours, largest := true, int64(0)
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("look at a log of the store: %w", err)
		}
		ours = ours && info.Size() == 2*memTable // as Badger makes them; it cuts off what is empty when it has read them
		largest = max(largest, info.Size())
	}
	if ours {
		return nil
	}
	// Records take less than twice as much in a memory table as in a log.
	inner, err := openBadger(o.Dir, o.Log, badgerOptions(o, max(2*largest, memTable)))
	if err == nil {
		err = inner.Close()
	}
	if err != nil {
		return fmt.Errorf("take up the logs of the store in %s: %w", o.Dir, err)
	}
	return nil
}
