package p2p

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"groat/consensus"
)

// follow announces every new tip until ctx ends, but not each step of a long way to it: below the best header a tip that came from others is
// announced once it has stayed for tipSettles, since the blocks of that header may never come.
func (f *blockFlow) follow(ctx context.Context) error {
	wake, stop := f.n.chain.Watch()
	defer stop()
	last := f.n.chain.Tip().Hash
	var settled <-chan time.Time
	for {
		tip := f.n.chain.Tip()
		if tip.Hash != last {
			last = tip.Hash
			f.n.sync.look()
			settled = nil
			behind := f.n.chain.BestHeader().Height - tip.Height
			if behind <= announceLag || !f.isForeign(tip.Hash) { // a chain of headers without blocks must not silence a miner
				f.newTip(ctx, tip)
			} else {
				settled = time.After(tipSettles)
			}
		}
		select {
		case <-wake:
		case <-settled:
			settled = nil
			f.newTip(ctx, tip)
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *blockFlow) newTip(ctx context.Context, tip consensus.State) {
	f.n.txs.newTip(ctx, tip.Hash)
	f.announce(ctx, tip)
}

// announce tells everybody of a new tip: by gossip, by a tip message on each relay stream, and if the block was made here by pushing it to
// some peers, because gossip does not reach peers that are not yet in the mesh.
func (f *blockFlow) announce(ctx context.Context, tip consensus.State) {
	peers := f.n.peers.ready()
	for _, r := range peers {
		r.out.sayTip(tipMessage{Header: tip.Header, Height: tip.Height, Work: tip.Work})
	}
	block, err := f.block(tip.Hash)
	if err != nil {
		f.n.log.Debug("announce a tip", "hash", tip.Hash, "err", err)
		return
	}
	compact := f.remember(block)
	if len(compact) > maxCompactBytes {
		return // peers fetch it whole
	}
	if !f.isForeign(tip.Hash) {
		pushed := 0
		for _, r := range preferDialled(peers) {
			if pushed < pushPeers && r.hasBlock(tip.Hash) {
				r.out.push(compact)
				pushed++
			}
		}
	}
	f.publish(ctx, compact)
}

// preferDialled puts the peers that we dialled first: an attacker has it harder to be all of them.
func preferDialled(peers []*remote) []*remote {
	list := make([]*remote, 0, len(peers))
	for _, out := range []bool{true, false} {
		for _, r := range peers {
			if r.outbound() == out {
				list = append(list, r)
			}
		}
	}
	return list
}

func (f *blockFlow) publish(ctx context.Context, compact []byte) {
	if err := f.gossip.publish(ctx, compact); err != nil && ctx.Err() == nil {
		f.n.log.Debug("publish a block", "err", err)
	}
}

func (f *blockFlow) isForeign(hash chainhash.Hash) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.foreign.has(hash)
}

// remember keeps a block for those who ask for it or its transactions, and returns its canonical announcement.
func (f *blockFlow) remember(b *consensus.Block) []byte {
	if known := f.recentOf(b.Hash()); known.block != nil {
		return known.compact
	}
	c := compactOf(b)
	compact := c.encode()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent = append(f.recent, recentBlock{b, compact})
	size := 0
	for i := len(f.recent) - 1; i >= 0; i-- {
		size += f.recent[i].block.Size()
		if i < len(f.recent)-1 && (len(f.recent)-i > recentBlocks || size > recentBlockBytes) {
			f.recent = append([]recentBlock(nil), f.recent[i+1:]...)
			break
		}
	}
	return compact
}

func (f *blockFlow) recentOf(hash chainhash.Hash) recentBlock {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.recent {
		if b.block.Hash() == hash {
			return b
		}
	}
	return recentBlock{}
}

// block returns a block that is here, whether the chain has it already or not.
func (f *blockFlow) block(hash chainhash.Hash) (*consensus.Block, error) {
	if b := f.recentOf(hash); b.block != nil {
		return b.block, nil
	}
	return f.n.chain.Block(hash)
}

// raw returns a serialized block that is here.
func (f *blockFlow) raw(hash chainhash.Hash) ([]byte, error) {
	if b := f.recentOf(hash); b.block != nil {
		return b.block.Raw(), nil
	}
	return f.n.chain.RawBlock(hash)
}

// addHeader gives a header of a peer to the chain and says what that means for its announcement.
func (n *Network) addHeader(ctx context.Context, r *remote, h *wire.BlockHeader) pubsub.ValidationResult {
	_, err := n.chain.AddHeaders(ctx, []wire.BlockHeader{*h})
	var rule consensus.RuleError
	switch {
	case err == nil:
		return pubsub.ValidationAccept
	case blockOffence(err):
		n.blame(r, breachf(offHeader, "%v", err))
		return pubsub.ValidationReject
	case !errors.As(err, &rule) && ctx.Err() == nil:
		n.log.Error("add a header", "hash", h.BlockHash(), "err", err)
	}
	return pubsub.ValidationIgnore
}

// heardTip takes a tip message: the peer has that block, and if we do not know it, it is probably on its way to us by gossip.
func (n *Network) heardTip(ctx context.Context, r *remote, m tipMessage) {
	hash := m.Header.BlockHash()
	r.hearTip(hash, m.Height, m.Work)
	n.sync.claim(r, hash, m.Height, m.Work)
	if _, err := n.chain.Info(hash); err == nil {
		return
	}
	parent, err := n.chain.Info(m.Header.PrevBlock)
	if err != nil || m.Work != parent.State.Work.Add(consensus.WorkOf(m.Header.Bits)) || m.Work.Cmp(n.chain.Tip().Work) <= 0 {
		return // if its work is more, its claim lets headers be asked for
	}
	n.sync.holdNew(hash)
	if n.addHeader(ctx, r, &m.Header) == pubsub.ValidationAccept {
		n.blocks.hear(hash)
	}
	n.sync.look()
}
