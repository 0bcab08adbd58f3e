//go:build !race

package consensus

// UnderRace is explained where it is true.
const UnderRace = false
