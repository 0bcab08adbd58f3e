//go:build race

package consensus

// UnderRace says that the race detector slows everything down by ten and more: tests that run one goroutine's arithmetic again and again do the
// first part of it only, and say so.
const UnderRace = true
