package p2p

import (
	"slices"
	"time"
)

// dialPlan decides which of the peers that the operator asked for are dialled, and when. It does no I/O.
type dialPlan struct {
	targets []*dialTarget
}

// dialTarget is an address that is to be connected for as long as it is in the plan.
type dialTarget struct {
	addr     string // as the operator wrote it
	failures int
	at       time.Time // not before
	dialling bool
	problem  string // why the last dial failed, "" if none has or it is connected
}

// add takes an address into the plan; false if it is there already or the plan is full.
func (p *dialPlan) add(addr string) bool {
	if p.find(addr) != nil || len(p.targets) >= maxAddedNodes {
		return false
	}
	p.targets = append(p.targets, &dialTarget{addr: addr})
	return true
}

// remove takes an address out of the plan; false if it is not there.
func (p *dialPlan) remove(addr string) bool {
	n := len(p.targets)
	p.targets = slices.DeleteFunc(p.targets, func(t *dialTarget) bool { return t.addr == addr })
	return len(p.targets) < n
}

func (p *dialPlan) find(addr string) *dialTarget {
	for _, t := range p.targets {
		if t.addr == addr {
			return t
		}
	}
	return nil
}

// addrs lists the addresses in the order in which they were added.
func (p *dialPlan) addrs() []string {
	var addrs []string
	for _, t := range p.targets {
		addrs = append(addrs, t.addr)
	}
	return addrs
}

// plan returns the addresses to dial now and notes that they are being dialled. connected says which need no dial.
func (p *dialPlan) plan(now time.Time, connected func(addr string) bool) []string {
	var dial []string
	for _, t := range p.targets {
		switch {
		case t.dialling || now.Before(t.at):
		case connected(t.addr):
			t.failures, t.at, t.problem = 0, now.Add(redialFirst), ""
		default:
			t.dialling = true
			dial = append(dial, t.addr)
		}
	}
	return dial
}

// done notes how a dial ended. After a failure the next one waits, twice as long each time up to redialMost. A success also
// waits a little, so that a peer that hangs up at once is not dialled in a loop.
func (p *dialPlan) done(addr string, err error, now time.Time) {
	t := p.find(addr)
	if t == nil {
		return
	}
	t.dialling = false
	if err == nil {
		t.at, t.problem = now.Add(redialFirst), ""
		return
	}
	t.problem = err.Error()
	t.at = now.Add(min(redialFirst<<min(t.failures, 10), redialMost))
	t.failures++
}

// soon lets every waiting target be dialled at once.
func (p *dialPlan) soon() {
	for _, t := range p.targets {
		t.failures, t.at = 0, time.Time{}
	}
}
