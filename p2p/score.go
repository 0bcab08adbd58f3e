package p2p

import (
	"errors"
	"fmt"

	"groat/consensus"
)

// An offence is something that only a peer does that breaks the protocol or does not check what it must check.
type offence uint8

// The offences.
const (
	offFrame   offence = iota // a frame that is too long, malformed or out of place
	offLowWork                // many headers with less work than the peer has claimed
	offHeader                 // a header that breaks a rule which everybody can check
	offBlock                  // a block whose work, merkle root or commitment is wrong
	offTx                     // a transaction that is invalid for everybody
	offUnasked                // data that nobody asked for
	offFlood                  // more announcements than allowed
)

// penalties says what an offence costs; at scoreLimit the peer is disconnected and banned.
var penalties = [...]struct {
	name   string
	points int
}{
	offFrame:   {"malformed frame", 100},
	offLowWork: {"less work than claimed", 100},
	offHeader:  {"invalid header", 100},
	offBlock:   {"invalid block", 100},
	offTx:      {"invalid transaction", 25},
	offUnasked: {"unasked data", 5},
	offFlood:   {"too many announcements", 20},
}

func (o offence) String() string { return penalties[o].name }

// breach is the error of reading something that only an offender sends. Every other error of a stream blames nobody.
type breach struct {
	offence offence
	detail  string
}

func (b breach) Error() string { return b.offence.String() + ": " + b.detail }

func breachf(o offence, format string, args ...any) error {
	return breach{offence: o, detail: fmt.Sprintf(format, args...)}
}

// blockOffence says whether the error of a header or block is the fault of who sent it: only the rules count that must be
// checked before a block is forwarded or served.
func blockOffence(err error) bool {
	var rule consensus.RuleError
	return errors.As(err, &rule) && rule.Kind.BeforeRelay()
}

// txOffence says whether the error of a transaction is the fault of who sent it. What depends on the place in the chain may
// have looked valid to a peer at another tip.
func txOffence(err error) bool {
	var rule consensus.RuleError
	if !errors.As(err, &rule) {
		return false
	}
	switch rule.Kind {
	case consensus.ErrMissingInput, consensus.ErrImmature, consensus.ErrNotFinal, consensus.ErrSequenceLocks:
		return false
	}
	return true
}
