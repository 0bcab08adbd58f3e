package testnet

import "syscall"

// processAttributes keeps a node out of the terminal's process group, so that Ctrl-C reaches the launcher alone, which then stops the
// nodes in good order. If the launcher dies without doing so, the kernel ends those that are not detached.
func processAttributes(detached bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if !detached {
		attr.Pdeathsig = syscall.SIGTERM
	}
	return attr
}
