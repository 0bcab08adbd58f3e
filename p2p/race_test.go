//go:build race

package p2p

// underRace says that the race detector is on. It crashes now and then when it follows the timers of synctest bubbles (golang/go#78156), the
// more timers the likelier, so the simulated networks run without it, unless GROAT_RACE_SIM is set. Tests over real sockets and the
// networks of real processes run with it.
const underRace = true
