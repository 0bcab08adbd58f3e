//go:build !unix

package testnet

import "syscall"

// processAttributes asks for nothing special where there are no process groups.
func processAttributes(bool) *syscall.SysProcAttr { return nil }
