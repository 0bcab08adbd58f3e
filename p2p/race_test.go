//go:build race

package p2p

// underRace says that the race detector is on.
const underRace = true
