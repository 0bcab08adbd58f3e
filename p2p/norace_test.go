//go:build !race

package p2p

// underRace is explained where it is true.
const underRace = false
