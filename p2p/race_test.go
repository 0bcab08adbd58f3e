//go:build race

package p2p

// underRace says that the race detector is on. It crashes now and then when it follows the timers of a synctest bubble (golang/go#78156), the more
// timers the likelier, so the one test with millions of them runs without it.
const underRace = true
