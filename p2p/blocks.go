package p2p

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"groat/consensus"
	"groat/internal/ledger"
)

// blockFlow takes announced and downloaded blocks to the chain and announces new tips.
type blockFlow struct {
	n      *Network // set once
	gossip *gossip  // set once, by Run
	wake   chan struct{}

	mu       sync.Mutex
	arriving map[chainhash.Hash]*arrival         // compact blocks that are being rebuilt
	recent   []recentBlock                       // that passed the checks before relay, the oldest first
	foreign  *rolling[chainhash.Hash, struct{}]  // blocks that came from peers
	queue    []arrivedBlock                      // wait for the chain
	adding   []arrivedBlock                      // the chain has been given
	heard    *rolling[chainhash.Hash, time.Time] // when blocks were first announced
}

// arrival is a compact block that is being rebuilt.
type arrival struct {
	raw     []byte
	done    chan struct{}
	verdict pubsub.ValidationResult // after done
}

// recentBlock is a block that can be served before the chain has it, with its canonical announcement.
type recentBlock struct {
	block   *consensus.Block
	compact []byte
}

// arrivedBlock waits for the chain.
type arrivedBlock struct {
	block *consensus.Block
	from  *remote
}

func newBlockFlow(n *Network) *blockFlow {
	return &blockFlow{n: n, wake: make(chan struct{}, 1), arriving: map[chainhash.Hash]*arrival{},
		foreign: newRolling[chainhash.Hash, struct{}](2048), heard: newRolling[chainhash.Hash, time.Time](heardBlocks)}
}

// way says how an announcement came.
type way uint8

const (
	byGossip way = iota
	byPush       // on a relay stream, from who made the block or had it first
)

// announced takes a compact block from a peer and says whether gossip forwards it: after its work, place, merkle root and
// commitment are checked and before its scripts are (as BIP152 allows), if its parent is fully validated.
func (f *blockFlow) announced(ctx context.Context, r *remote, raw []byte, by way) pubsub.ValidationResult {
	c, err := decodeCompact(raw)
	if err != nil {
		f.n.blame(r, err)
		return pubsub.ValidationReject
	}
	hash := c.Header.BlockHash()
	r.hasBlock(hash)
	if known, same := f.known(hash, raw); known {
		if same {
			return pubsub.ValidationAccept
		}
		return pubsub.ValidationIgnore // nobody may make us forward one block in many forms
	}
	a, first := f.arrive(hash, raw)
	if !first {
		select {
		case <-a.done:
		case <-ctx.Done():
			return pubsub.ValidationIgnore
		}
		if !bytes.Equal(raw, a.raw) {
			return pubsub.ValidationIgnore
		}
		return a.verdict
	}
	a.verdict = f.take(ctx, r, c, hash)
	f.arrived(hash, a)
	if by == byPush && a.verdict == pubsub.ValidationAccept {
		f.publish(ctx, raw)
	}
	return a.verdict
}

// known reports whether the block is here, and whether raw is the announcement that we would make for it.
func (f *blockFlow) known(hash chainhash.Hash, raw []byte) (known, same bool) {
	if b := f.recentOf(hash); b.block != nil {
		return true, bytes.Equal(raw, b.compact)
	}
	info, err := f.n.chain.Info(hash)
	return err == nil && info.HaveData, false
}

func (f *blockFlow) arrive(hash chainhash.Hash, raw []byte) (a *arrival, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.arriving[hash]; a != nil {
		return a, false
	}
	a = &arrival{raw: raw, done: make(chan struct{})}
	f.arriving[hash] = a
	return a, true
}

func (f *blockFlow) arrived(hash chainhash.Hash, a *arrival) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.arriving, hash)
	close(a.done)
}

// take checks the header, rebuilds the block and gives it to the chain.
func (f *blockFlow) take(ctx context.Context, r *remote, c *compactBlock, hash chainhash.Hash) pubsub.ValidationResult {
	n := f.n
	if err := consensus.CheckWork(n.opts.Params, &c.Header); err != nil {
		n.blame(r, breachf(offHeader, "%v", err))
		return pubsub.ValidationReject
	}
	parent, err := n.chain.Info(c.Header.PrevBlock)
	if err != nil {
		n.sync.wonder(r)
		return pubsub.ValidationIgnore
	}
	work := parent.State.Work.Add(consensus.WorkOf(c.Header.Bits))
	if parent.Status == ledger.Invalid || !n.affordable(work, n.chain.Tip().Work, lesserBlock) {
		return pubsub.ValidationIgnore // of no use even if it is valid, or too many of no use yet
	}
	n.sync.hold(hash, time.Now().Add(validateTimeout))
	defer n.sync.release(hash)
	if verdict := n.addHeader(ctx, r, &c.Header); verdict != pubsub.ValidationAccept {
		return verdict
	}
	f.hear(hash)
	n.sync.raise(r, parent.State.Height+1, work)
	block := f.rebuild(ctx, r, c, hash)
	if block == nil {
		return pubsub.ValidationIgnore // sync will fetch it
	}
	verdict := f.check(ctx, r, parent.State, &block)
	if block == nil || verdict == pubsub.ValidationReject {
		return verdict
	}
	f.deliver(block, r)
	if parent.Status != ledger.Active && parent.Status != ledger.ValidFork {
		return pubsub.ValidationIgnore // we could not stand in for its history
	}
	return verdict
}

// check checks what must be right before a block is forwarded. A block that was rebuilt wrongly, as when two short ids collide, is replaced
// by the whole one from r; it becomes nil if that cannot be had.
func (f *blockFlow) check(ctx context.Context, r *remote, parent consensus.State, block **consensus.Block) pubsub.ValidationResult {
	err := checkBeforeRelay(parent, *block)
	var rule consensus.RuleError
	if errors.As(err, &rule) && rule.Kind.Mutation() {
		whole, fetchErr := f.n.fetchOne(ctx, r, (*block).Hash())
		if *block = whole; whole == nil {
			f.n.log.Debug("fetch a whole block", "peer", r.id, "err", fetchErr)
			return pubsub.ValidationIgnore
		}
		err = checkBeforeRelay(parent, whole)
	}
	switch {
	case err == nil:
		return pubsub.ValidationAccept
	case blockOffence(err):
		f.n.blame(r, breachf(offBlock, "%v", err))
		return pubsub.ValidationReject
	}
	return pubsub.ValidationIgnore // the chain will mark it; who forwards need not have checked that
}

func checkBeforeRelay(parent consensus.State, b *consensus.Block) error {
	if err := consensus.CheckBlock(parent.Params(), b); err != nil {
		return err
	}
	return consensus.CheckBlockPlace(parent, b)
}

// rebuild puts the block together from the pool and what r sends, or others that have the block; nil if that fails.
func (f *blockFlow) rebuild(ctx context.Context, r *remote, c *compactBlock, hash chainhash.Hash) *consensus.Block {
	b := c.fill(f.n.txs.candidates())
	if len(b.missing) == 0 {
		return b.block()
	}
	ask := blockTxnRequest{Block: hash, Indexes: b.missing}
	for try, other := range append([]*remote{r}, f.n.peers.holders(hash, r)...) {
		if try == blockTxnTries || ctx.Err() != nil {
			break
		}
		txs, err := f.n.fetchTxs(ctx, other, ask)
		if err == nil {
			b.add(txs)
			return b.block()
		}
		f.n.log.Debug("fetch transactions of a block", "peer", other.id, "hash", hash, "missing", len(ask.Indexes), "err", err)
		f.n.blame(other, err)
	}
	return nil
}

// hear notes that a block was announced.
func (f *blockFlow) hear(hash chainhash.Hash) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.heard.has(hash) {
		f.heard.put(hash, time.Now())
	}
}

// taken notes who gave a block that the chain took, and how long it was on its way.
func (f *blockFlow) taken(a arrivedBlock, added ledger.Added) {
	if added.Known {
		return
	}
	a.from.gaveBlock()
	f.mu.Lock()
	at, announced := f.heard.get(a.block.Hash())
	f.mu.Unlock()
	if announced && added.Active {
		f.n.blockDelays.observe(time.Since(at))
	}
}

// deliver queues a block for the chain and lets it be served.
func (f *blockFlow) deliver(b *consensus.Block, from *remote) {
	f.remember(b)
	f.n.sync.took(b)
	f.enqueue(b, from)
}

// enqueue queues a block for the chain. The queue is bounded by who fills it: a download by its budget, announcements by
// the work that each of them must show.
func (f *blockFlow) enqueue(b *consensus.Block, from *remote) {
	f.mu.Lock()
	f.foreign.put(b.Hash(), struct{}{})
	f.queue = append(f.queue, arrivedBlock{b, from})
	f.mu.Unlock()
	wakeUp(f.wake)
}

// next takes the first block of the queue for the chain, which judges them in this order.
func (f *blockFlow) next() (*consensus.Block, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		f.queue = nil
		return nil, false
	}
	a := f.queue[0]
	f.queue[0] = arrivedBlock{}
	f.queue = f.queue[1:]
	f.adding = append(f.adding, a)
	return a.block, true
}

// judged returns the first of the blocks that the chain was given.
func (f *blockFlow) judged() arrivedBlock {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.adding[0]
	f.adding[0] = arrivedBlock{}
	f.adding = f.adding[1:]
	return a
}

// run gives blocks to the chain, many at once while they come faster than it takes them, until ctx ends. An error is the chain's own failure.
func (f *blockFlow) run(ctx context.Context) error {
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return nil
		}
		err := f.n.chain.AddBlocks(ctx, f.next, func(b *consensus.Block, added ledger.Added, err error) {
			a := f.judged()
			f.n.sync.connected(b.Hash())
			switch {
			case err == nil:
				f.taken(a, added)
			case blockOffence(err):
				f.n.blame(a.from, breachf(offBlock, "%v", err))
			default:
				f.n.log.Info("block refused", "hash", b.Hash(), "peer", a.from.id, "err", err)
			}
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("add blocks: %w", err)
		}
	}
}
