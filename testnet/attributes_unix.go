//go:build unix && !linux

package testnet

import "syscall"

// processAttributes keeps a node out of the terminal's process group, so that Ctrl-C reaches the launcher alone, which then stops the
// nodes in good order.
func processAttributes(bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
