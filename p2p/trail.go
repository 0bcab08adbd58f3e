package p2p

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
)

// trail is how far we have followed the headers of one peer. Headers cost memory and storage for ever, so a chain is stored only when its
// work is known to be worth it. A chain of less work is followed in two passes, as in Bitcoin Core: the first keeps nothing but the place that
// was reached and the hash of the last header of each answer; when the work suffices, the second fetches the same answers again and stores
// them. A hash commits to all headers before it, so the second pass cannot lead elsewhere. A trail belongs to the request in flight.
type trail struct {
	after chainhash.Hash // the last header of a full answer that was stored: the next one begins there; zero if none

	start  consensus.State  // the known place where the chain that is being followed begins
	at     consensus.State  // how far the first pass has come
	marks  []chainhash.Hash // the last header of each answer of the first pass; empty if none is being followed
	claim  consensus.Work   // what the peer said at the start that the chain would have
	again  bool             // the second pass
	stored int              // answers that the second pass has stored
}

// errStrayed says that an answer does not continue what the peer has sent before. It may have changed its best chain meanwhile.
var errStrayed = errors.New("headers do not continue the chain that is being followed")

// request returns what to ask for next. base tells where our own best header is.
func (t *trail) request(base []chainhash.Hash) headersRequest {
	switch {
	case t.again && t.stored == 0:
		return headersRequest{Locator: []chainhash.Hash{t.start.Hash}, Stop: t.marks[0]}
	case t.again:
		return headersRequest{Locator: []chainhash.Hash{t.marks[t.stored-1]}, Stop: t.marks[t.stored]}
	case len(t.marks) > 0:
		return headersRequest{Locator: []chainhash.Hash{t.at.Hash}}
	case t.after != chainhash.Hash{}:
		return headersRequest{Locator: append([]chainhash.Hash{t.after}, base[:min(len(base), maxLocator-1)]...)}
	}
	return headersRequest{Locator: base}
}

// headersAnswer is what became of an answer with headers.
type headersAnswer struct {
	Work consensus.Work // of the chain up to the last header that is stored now
	More bool           // the peer has more headers than these
	Low  bool           // nothing of them was stored: the chain has too little work so far
}

// neededWork is the work that a chain must have for its headers to be stored: that of our tip less what lowWorkBlocks blocks have, so that a
// fork can be told from spam, or what the network is known to have.
func (n *Network) neededWork() consensus.Work {
	tip := n.chain.Tip()
	least, step := tip.Work, consensus.WorkOf(tip.Header.Bits)
	for range lowWorkBlocks {
		if least.Cmp(step) <= 0 {
			least = consensus.Work{}
			break
		}
		least = least.Sub(step)
	}
	if low := n.opts.Params.MinWork; low.Cmp(least) > 0 {
		return low
	}
	return least
}

// takeHeaders judges an answer with headers, each of which follows the one before, and stores what is worth it.
func (n *Network) takeHeaders(ctx context.Context, r *remote, headers []wire.BlockHeader) (headersAnswer, error) {
	t := &r.trail
	answer, err := n.takeAnswer(ctx, t, r.claims(), headers)
	if err != nil {
		*t = trail{}
	}
	return answer, err
}

func (n *Network) takeAnswer(ctx context.Context, t *trail, claim status, headers []wire.BlockHeader) (headersAnswer, error) {
	switch {
	case t.again:
		return n.storeAgain(ctx, t, headers)
	case len(t.marks) > 0:
		return n.followOn(ctx, t, claim, headers)
	case len(headers) == 0: // it has nothing that we lack, whatever it claimed
		t.after = chainhash.Hash{}
		if info, err := n.chain.Info(claim.Tip); err == nil {
			return headersAnswer{Work: info.State.Work}, nil
		}
		return headersAnswer{}, nil
	}
	worth, err := n.worthStoring(headers)
	if err != nil {
		return headersAnswer{}, err
	}
	if worth {
		return n.store(ctx, t, headers)
	}
	parent, err := n.chain.Info(headers[0].PrevBlock)
	if err != nil {
		return headersAnswer{}, err
	}
	if claim.Work.Cmp(n.chain.BestHeader().Work) <= 0 {
		return headersAnswer{Work: parent.State.Work, Low: true}, nil // it is not to blame: we only wondered
	}
	t.start, t.at, t.claim = parent.State, parent.State, claim.Work
	return n.followOn(ctx, t, claim, headers)
}

// worthStoring says whether headers that follow a known one have enough work, which they must have shown for it to count, or are known.
func (n *Network) worthStoring(headers []wire.BlockHeader) (bool, error) {
	if _, err := n.chain.Info(headers[len(headers)-1].BlockHash()); err == nil {
		return true, nil
	}
	parent, err := n.chain.Info(headers[0].PrevBlock)
	if err != nil {
		return false, consensus.RuleError{Kind: consensus.ErrPrevUnknown, Detail: "headers"}
	}
	work, need := parent.State.Work, n.neededWork()
	bits, step := uint32(0), consensus.Work{}
	for i := range headers {
		if err := consensus.CheckWork(n.opts.Params, &headers[i]); err != nil {
			return false, err
		}
		if b := headers[i].Bits; b != bits {
			bits, step = b, consensus.WorkOf(b)
		}
		work = work.Add(step)
	}
	return n.affordable(work, need, len(headers)), nil
}

// affordable says whether count headers of a chain with so much work may be stored. Those of a chain that has the work which is needed but no more
// than our tip are rationed: on a network whose work costs nothing, such as regtest, there would be no end of them.
func (n *Network) affordable(work, need consensus.Work, count int) bool {
	switch {
	case work.Cmp(need) < 0:
		return false
	case work.Cmp(n.chain.Tip().Work) > 0:
		return true
	}
	return n.lesser.AllowN(time.Now(), count)
}

func (n *Network) store(ctx context.Context, t *trail, headers []wire.BlockHeader) (headersAnswer, error) {
	state, err := n.chain.AddHeaders(ctx, headers)
	if err != nil {
		return headersAnswer{}, err
	}
	t.after = chainhash.Hash{}
	if len(headers) == maxHeaders {
		t.after = state.Hash
	}
	return headersAnswer{Work: state.Work, More: len(headers) == maxHeaders}, nil
}

// followOn is the first pass. A peer that has led us along a chain which in the end has less work than it claimed is to blame.
func (n *Network) followOn(ctx context.Context, t *trail, claim status, headers []wire.BlockHeader) (headersAnswer, error) {
	if len(headers) > 0 && headers[0].PrevBlock != t.at.Hash {
		return headersAnswer{}, errStrayed
	}
	at, err := n.chain.FollowHeaders(ctx, t.at, headers)
	if err != nil {
		return headersAnswer{}, err
	}
	t.at = at
	if len(headers) > 0 {
		t.marks = append(t.marks, at.Hash)
	}
	switch {
	case n.affordable(at.Work, n.neededWork(), int(at.Height-t.start.Height)):
		t.again = true
	case len(headers) < maxHeaders && at.Work.Cmp(t.claim) < 0, len(t.marks) > maxTrail, at.Height > claim.Height+maxHeaders:
		return headersAnswer{}, breachf(offLowWork, "%d headers have work %v of %v", at.Height-t.start.Height, at.Work, t.claim)
	case len(headers) < maxHeaders: // it has kept its word, and our tip has moved since
		answer := headersAnswer{Work: t.start.Work, Low: true}
		*t = trail{}
		return answer, nil
	}
	return headersAnswer{Work: t.start.Work, More: true, Low: true}, nil
}

// storeAgain is the second pass. It stores nothing but what the first one has followed.
func (n *Network) storeAgain(ctx context.Context, t *trail, headers []wire.BlockHeader) (headersAnswer, error) {
	end := slices.IndexFunc(headers, func(h wire.BlockHeader) bool { return h.BlockHash() == t.marks[t.stored] })
	if end < 0 {
		return headersAnswer{}, errStrayed
	}
	state, err := n.chain.AddHeaders(ctx, headers[:end+1])
	if err != nil {
		return headersAnswer{}, err
	}
	if t.stored++; t.stored == len(t.marks) {
		*t = trail{after: state.Hash}
	}
	return headersAnswer{Work: state.Work, More: true}, nil
}
