package testnet

import (
	"bytes"
	"fmt"
	"os"
)

// startedAt returns when a process was started, in the kernel's ticks since boot: with the pid it names one process for as long as
// the machine runs, which the pid alone does not.
func startedAt(pid int) (ticks string, ok bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// The name of the program stands in parentheses and may hold anything, so fields are counted from the last of them.
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return "", false
	}
	fields := bytes.Fields(data[end+1:])
	const state, started = 0, 19 // fields 3 and 22 of proc(5)
	if len(fields) <= started || string(fields[state]) == "Z" {
		return "", false
	}
	return string(fields[started]), true
}
