package miner

import (
	"context"
	"fmt"

	"groat/consensus"
)

// anyWork is a target that every second hash meets.
const anyWork = 0x207fffff

// notBest says that a block follows another one than the tip.
type notBest struct{}

func (notBest) Error() string { return "inconclusive-not-best-prevblk" }

// RejectReason returns Core's word for it.
func (notBest) RejectReason() string { return "inconclusive-not-best-prevblk" }

// Check says whether b would be valid on the tip of the chain if it had its work. The error has a RejectReason if it is about b; anything else is a failure of
// this node or the end of ctx.
func (m *Miner) Check(ctx context.Context, b *consensus.Block) error {
	tip := m.chain.Tip()
	if b.Header.PrevBlock != tip.Hash {
		return notBest{}
	}
	if err := consensus.CheckHeaderPlace(tip, &b.Header, m.now()); err != nil {
		return err
	}
	if err := checkWithoutWork(tip.Params(), b); err != nil {
		return err
	}
	if err := consensus.CheckBlockPlace(tip, b); err != nil {
		return err
	}
	coins, at, err := m.chain.Coins(consensus.Needs(tip, b))
	switch {
	case err != nil:
		return fmt.Errorf("load coins: %w", err)
	case at.Hash != tip.Hash:
		return notBest{}
	}
	if _, err := consensus.Connect(tip, b, coins); err != nil {
		return m.explain(tip, b, err)
	}
	return m.scripts.Verify(ctx, consensus.ScriptChecks(tip, b, coins))
}

// explain returns why b, which consensus.Connect has refused with err, may not follow tip.
func (m *Miner) explain(tip consensus.State, b *consensus.Block, err error) error {
	coins, at, fault := m.chain.Coins(consensus.Repeats(tip, b))
	switch {
	case fault != nil:
		return fmt.Errorf("load coins: %w", fault)
	case at.Hash != tip.Hash:
		return notBest{}
	}
	return consensus.Explain(b, coins, err)
}

// checkWithoutWork runs consensus.CheckBlock on a copy of b whose header has as little work as a header can have.
func checkWithoutWork(p *consensus.Params, b *consensus.Block) error {
	easy := p.Clone()
	easy.PowLimitBits = anyWork
	h := b.Header
	h.Bits = anyWork
	for consensus.CheckWork(easy, &h) != nil {
		h.Nonce++
	}
	return consensus.CheckBlock(easy, consensus.AssembleBlock(h, b.Txs))
}
