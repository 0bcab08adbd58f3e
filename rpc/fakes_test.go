package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/chaintest"
	"groat/internal/ledger"
)

// fakeChain shows a tree of blocks with one of them as its tip.
type fakeChain struct {
	pruning ledger.Pruning
	tree    *chaintest.Tree
	nodes   map[chainhash.Hash]*chaintest.Node
	best    atomic.Pointer[[]*chaintest.Node] // from the genesis to the tip
	wake    chan struct{}

	added   []*consensus.Block
	answer  ledger.Added // what AddBlock and AddHeaders answer
	refusal error
	invalid string // the name of a block that is known to be
}

func newFakeChain(tree *chaintest.Tree, tip string, branches ...string) *fakeChain {
	f := &fakeChain{tree: tree, nodes: make(map[chainhash.Hash]*chaintest.Node), wake: make(chan struct{}, 1)}
	for _, name := range branches {
		f.grow(tree.At(name))
	}
	f.setTip(tip)
	return f
}

func (f *fakeChain) grow(n *chaintest.Node) {
	for ; n != nil; n = n.Parent {
		f.nodes[n.State.Hash] = n
	}
}

// setTip makes the block with this name the tip and wakes who waits.
func (f *fakeChain) setTip(name string) {
	n := f.tree.At(name)
	f.grow(n)
	path := make([]*chaintest.Node, n.State.Height+1)
	for ; n != nil; n = n.Parent {
		path[n.State.Height] = n
	}
	f.best.Store(&path)
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *fakeChain) path() []*chaintest.Node { return *f.best.Load() }
func (f *fakeChain) tip() *chaintest.Node    { path := f.path(); return path[len(path)-1] }

func (f *fakeChain) Tip() consensus.State        { return f.tip().State }
func (f *fakeChain) BestHeader() consensus.State { return f.tip().State }
func (f *fakeChain) InitialDownload() bool       { return false }
func (f *fakeChain) DiskSize() int64             { return 1234 }
func (f *fakeChain) Storage() ledger.Storage {
	return ledger.Storage{CacheCoins: 1, CacheBytes: 2, CacheLimit: 3, BlockBytes: 4, StoreBytes: 5}
}
func (f *fakeChain) Pruning() ledger.Pruning { return f.pruning }

func (f *fakeChain) Tips() []ledger.Tip {
	return []ledger.Tip{
		{Ref: ledger.Ref{Hash: f.path()[0].State.Hash, Height: 0}, BranchLength: 1, Status: ledger.ValidFork},
		{Ref: ledger.Ref{Hash: f.tip().State.Hash, Height: f.tip().State.Height}, Status: ledger.Active},
	}
}

func (f *fakeChain) AtHeight(height int32) (chainhash.Hash, bool) {
	if height < 0 || int(height) >= len(f.path()) {
		return chainhash.Hash{}, false
	}
	return f.path()[height].State.Hash, true
}

func (f *fakeChain) Info(hash chainhash.Hash) (ledger.BlockInfo, error) {
	n, ok := f.nodes[hash]
	if !ok {
		return ledger.BlockInfo{}, ledger.ErrUnknownBlock
	}
	info := ledger.BlockInfo{State: n.State, Status: ledger.ValidFork, Txs: len(n.Block.Txs), HaveData: true}
	if at, ok := f.AtHeight(n.State.Height); ok && at == hash {
		info.Status = ledger.Active
		info.Next, _ = f.AtHeight(n.State.Height + 1)
	}
	if n.Name == f.invalid {
		info.Status = ledger.Invalid
	}
	return info, nil
}

func (f *fakeChain) Block(hash chainhash.Hash) (*consensus.Block, error) {
	n, ok := f.nodes[hash]
	if !ok {
		return nil, ledger.ErrUnknownBlock
	}
	return n.Block, nil
}

func (f *fakeChain) RawBlock(hash chainhash.Hash) ([]byte, error) {
	b, err := f.Block(hash)
	if err != nil {
		return nil, err
	}
	return b.Raw(), nil
}

func (f *fakeChain) UndoOf(hash chainhash.Hash) ([]consensus.Entry, error) {
	n := f.nodes[hash]
	var spent []consensus.Entry
	for _, tx := range n.Block.Txs {
		for _, in := range tx.Msg.TxIn {
			if n.Parent == nil {
				continue
			}
			if coin, ok := n.Parent.Coins[in.PreviousOutPoint]; ok {
				spent = append(spent, consensus.Entry{OutPoint: in.PreviousOutPoint, Coin: coin})
			}
		}
	}
	return spent, nil
}

func (f *fakeChain) Coins(ops []wire.OutPoint) (consensus.Coins, consensus.State, error) {
	found := make(consensus.Coins)
	for _, op := range ops {
		if coin, ok := f.tip().Coins[op]; ok {
			found[op] = coin
		}
	}
	return found, f.tip().State, nil
}

func (f *fakeChain) UTXOSet(_ context.Context, hash ledger.SetHash) (ledger.SetInfo, error) {
	hashes := map[ledger.SetHash]chainhash.Hash{ledger.HashSerialized: {31: 1}, ledger.MuHash: {31: 2}}
	return ledger.SetInfo{
		Tip: ledger.Ref{Hash: f.tip().State.Hash, Height: f.tip().State.Height}, Txs: 1, Coins: 2,
		BogoSize: 3, Hash: hashes[hash], Total: 4, DiskBytes: 5,
	}, nil
}

func (f *fakeChain) EachCoin(ctx context.Context, see func(wire.OutPoint, consensus.Coin)) (consensus.State, error) {
	for op, coin := range f.tip().Coins {
		see(op, coin)
	}
	return f.tip().State, ctx.Err()
}

func (f *fakeChain) AddHeaders(context.Context, []wire.BlockHeader) (consensus.State, error) {
	return f.tip().State, f.refusal
}

func (f *fakeChain) AddBlock(_ context.Context, b *consensus.Block) (ledger.Added, error) {
	f.added = append(f.added, b)
	return f.answer, f.refusal
}

func (f *fakeChain) Invalidate(context.Context, chainhash.Hash) error { return f.refusal }
func (f *fakeChain) Reconsider(context.Context, chainhash.Hash) error { return f.refusal }
func (f *fakeChain) Precious(context.Context, chainhash.Hash) error   { return f.refusal }

func (f *fakeChain) Watch() (wake <-chan struct{}, stop func()) { return f.wake, func() {} }

// fakePool holds what a test puts into it.
type fakePool struct {
	entries  []ledger.PoolEntry
	coins    consensus.Coins
	verdicts map[chainhash.Hash]ledger.PoolTest
	added    []chainhash.Hash
	caughtUp int
}

func (f *fakePool) Add(_ context.Context, tx *consensus.Tx) (ledger.PoolEntry, error) {
	if v := f.verdicts[tx.TxID()]; v.Err != nil {
		return ledger.PoolEntry{}, v.Err
	}
	f.added = append(f.added, tx.TxID())
	return ledger.PoolEntry{Tx: tx}, nil
}

func (f *fakePool) Test(_ context.Context, txs []*consensus.Tx) ([]ledger.PoolTest, error) {
	var list []ledger.PoolTest
	for _, tx := range txs {
		v := f.verdicts[tx.TxID()]
		v.TxID, v.WTxID, v.VSize = tx.TxID(), tx.WTxID(), tx.VSize()
		list = append(list, v)
	}
	return list, nil
}

func (f *fakePool) Entry(txid chainhash.Hash) (ledger.PoolEntry, bool) {
	for _, e := range f.entries {
		if e.Tx.TxID() == txid {
			return e, true
		}
	}
	return ledger.PoolEntry{}, false
}

func (f *fakePool) Get(txid chainhash.Hash) (*consensus.Tx, bool) {
	e, ok := f.Entry(txid)
	return e.Tx, ok
}

func (f *fakePool) Has(txid chainhash.Hash) bool {
	_, ok := f.Entry(txid)
	return ok
}

func (f *fakePool) Entries() []ledger.PoolEntry { return f.entries }
func (f *fakePool) Info() ledger.PoolInfo {
	return ledger.PoolInfo{Count: len(f.entries), Bytes: 200, Usage: 900, TotalFee: 1500, MaxBytes: 300e6, RelayFee: 1000, Sequence: 7}
}

func (f *fakePool) Coin(op wire.OutPoint) (consensus.Coin, bool) {
	coin, ok := f.coins[op]
	return coin, ok
}

func (f *fakePool) Spender(op wire.OutPoint) (chainhash.Hash, bool) {
	for _, e := range f.entries {
		for _, in := range e.Tx.Msg.TxIn {
			if in.PreviousOutPoint == op {
				return e.Tx.TxID(), true
			}
		}
	}
	return chainhash.Hash{}, false
}

func (f *fakePool) CatchUp(context.Context) error {
	f.caughtUp++
	return nil
}

// fakeMiner makes what a test tells it to.
type fakeMiner struct {
	template *ledger.Template
	block    *consensus.Block
	refusal  error
	script   []byte // of the last call
	txs      []*consensus.Tx
}

func (f *fakeMiner) Template(_ context.Context, script []byte) (*ledger.Template, error) {
	f.script = script
	return f.template, f.refusal
}

func (f *fakeMiner) Check(context.Context, *consensus.Block) error { return f.refusal }

func (f *fakeMiner) Generate(_ context.Context, n int, script []byte, _ uint64) ([]chainhash.Hash, error) {
	f.script = script
	return make([]chainhash.Hash, n), f.refusal
}

func (f *fakeMiner) GenerateBlock(_ context.Context, script []byte, txs []*consensus.Tx, _ bool) (*consensus.Block, error) {
	f.script, f.txs = script, txs
	return f.block, f.refusal
}

// fakeNetwork has the peers that a test gives it.
type fakeNetwork struct {
	peers        []ledger.PeerInfo
	nodes        []ledger.AddedNode
	disconnected []int64
	inactive     bool
	delays       ledger.Delays
	pings        int
	once         []string
	bans         []ledger.Ban
	addresses    []ledger.NodeAddress
}

func (f *fakeNetwork) Info() ledger.NetInfo {
	return ledger.NetInfo{
		Peer: "12D3Me", Listen: []string{"/ip4/127.0.0.1/tcp/9833/p2p/12D3Me", "/ip4/8.8.8.8/udp/9833/quic-v1/p2p/12D3Me"},
		Inbound: 1, Outbound: len(f.peers) - 1, Active: !f.inactive, BytesSent: 10, BytesRecv: 20, Traffic: map[string]ledger.Flow{"txrelay": {Sent: 10, Received: 20}}, TxDelays: f.delays,
	}
}
func (f *fakeNetwork) Peers() []ledger.PeerInfo       { return f.peers }
func (f *fakeNetwork) Count() int                     { return len(f.peers) }
func (f *fakeNetwork) AddedNodes() []ledger.AddedNode { return f.nodes }
func (f *fakeNetwork) SetActive(active bool)          { f.inactive = !active }
func (f *fakeNetwork) Ping()                          { f.pings++ }
func (f *fakeNetwork) Bans() []ledger.Ban             { return f.bans }
func (f *fakeNetwork) ClearBans() error               { f.bans = nil; return nil }
func (f *fakeNetwork) Addresses(limit int) []ledger.NodeAddress {
	return f.addresses[:min(limit, len(f.addresses))]
}

func (f *fakeNetwork) Ban(subnet netip.Prefix, until time.Time) error {
	f.bans = append(f.bans, ledger.Ban{Subnet: subnet, Created: until.Add(-time.Hour), Until: until})
	return nil
}

func (f *fakeNetwork) Unban(subnet netip.Prefix) error {
	f.bans = slices.DeleteFunc(f.bans, func(b ledger.Ban) bool { return b.Subnet == subnet })
	return nil
}

func (f *fakeNetwork) RemoveNode(string) error { f.nodes = nil; return nil }

func (f *fakeNetwork) AddNode(_ context.Context, addr string, once bool) error {
	if once {
		f.once = append(f.once, addr)
		return nil
	}
	f.nodes = append(f.nodes, ledger.AddedNode{Addr: addr})
	return nil
}

func (f *fakeNetwork) Disconnect(id int64) error {
	f.disconnected = append(f.disconnected, id)
	return nil
}

// fakeClock remembers what it was set to.
type fakeClock struct{ at time.Time }

func (f *fakeClock) SetMock(t time.Time) { f.at = t }

// rig is a server's table over fakes.
type rig struct {
	t     *testing.T
	tree  *chaintest.Tree
	chain *fakeChain
	pool  *fakePool
	miner *fakeMiner
	net   *fakeNetwork
	clock *fakeClock
	now   time.Time
	table table
}

// newRig returns a regtest node whose chain is a1 to a102, with a branch b1 beside a1.
func newRig(t *testing.T) *rig {
	tree := chaintest.New(t, consensus.Regtest())
	tree.Now = time.Unix(1_700_000_000, 0)
	tree.Block(chaintest.Root, "b1")
	tip := tree.Grow(chaintest.Root, "a", 102)
	r := &rig{
		t: t, tree: tree, chain: newFakeChain(tree, tip.Name, "b1"),
		pool:  &fakePool{coins: consensus.Coins{}, verdicts: map[chainhash.Hash]ledger.PoolTest{}},
		miner: &fakeMiner{}, net: &fakeNetwork{}, clock: &fakeClock{}, now: time.Unix(1_700_000_100, 0),
	}
	r.use(Parts{Params: tree.Params, Network: r.net, Clock: r.clock})
	return r
}

// newRigWithout returns a regtest node that has only its first block.
func newRigWithout(t *testing.T) *rig {
	tree := chaintest.New(t, consensus.Regtest())
	r := &rig{
		t: t, tree: tree, chain: newFakeChain(tree, chaintest.Root),
		pool:  &fakePool{coins: consensus.Coins{}, verdicts: map[chainhash.Hash]ledger.PoolTest{}},
		miner: &fakeMiner{refusal: errors.New("no miner")}, now: time.Unix(1_700_000_100, 0),
	}
	r.use(Parts{Params: tree.Params})
	return r
}

// discard is a log that nobody reads.
func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// textLog is a log that w reads.
func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// use makes a table with these parts and the rig's fakes.
func (r *rig) use(p Parts) {
	p.Chain, p.Pool, p.Miner = r.chain, r.pool, r.miner
	r.table = newTable(&Server{opts: Options{Version: "0.1.0", Now: func() time.Time { return r.now }, Log: discard()}}, p)
}

// call calls a method with parameters in JSON.
func (r *rig) call(method, params string) (any, error) {
	r.t.Helper()
	v, err := parseValue(params)
	if err != nil {
		r.t.Fatalf("parameters %s: %v", params, err)
	}
	m, ok := r.table[method]
	if !ok {
		r.t.Fatalf("no method %s", method)
	}
	return m.call(r.t.Context(), &Call{idle: func(wait func()) { wait() }}, v)
}

// wants holds the result of a method against JSON text.
func (r *rig) wants(method, params, want string) {
	r.t.Helper()
	result, err := r.call(method, params)
	if err != nil {
		r.t.Errorf("%s%s: %v", method, params, err)
		return
	}
	got, err := marshal(result)
	if err != nil {
		r.t.Fatal(err)
	}
	if string(got) != want {
		r.t.Errorf("%s%s\ngot  %s\nwant %s", method, params, got, want)
	}
}

// refuses holds the error of a method against a code and a message.
func (r *rig) refuses(method, params string, code int, message string) {
	r.t.Helper()
	result, err := r.call(method, params)
	if err == nil {
		r.t.Errorf("%s%s: no error but %v", method, params, result)
		return
	}
	if got := asError(err); got != (Error{code, message}) {
		r.t.Errorf("%s%s\ngot  %d %q\nwant %d %q", method, params, got.Code, got.Message, code, message)
	}
}

// fields returns a result as its JSON fields.
func (r *rig) fields(method, params string) map[string]any {
	r.t.Helper()
	result, err := r.call(method, params)
	if err != nil {
		r.t.Fatalf("%s%s: %v", method, params, err)
	}
	raw, err := marshal(result)
	if err != nil {
		r.t.Fatal(err)
	}
	fields := make(map[string]any)
	if err := json.Unmarshal(raw, &fields); err != nil {
		r.t.Fatalf("%s%s: %v in %s", method, params, err, raw)
	}
	return fields
}

// has holds some fields of a result against values, numbers as float64.
func (r *rig) has(method, params string, want map[string]any) {
	r.t.Helper()
	got := r.fields(method, params)
	maps.DeleteFunc(got, func(key string, _ any) bool { _, wanted := want[key]; return !wanted })
	a, _ := marshal(got)
	b, _ := marshal(want)
	if string(a) != string(b) {
		r.t.Errorf("%s%s\ngot  %s\nwant %s", method, params, a, b)
	}
}

// put puts a transaction into the pool, without relations.
func (f *fakePool) put(msg *wire.MsgTx, depends ...chainhash.Hash) {
	tx := consensus.NewTx(msg)
	for i := range f.entries {
		for _, parent := range depends {
			if f.entries[i].Tx.TxID() == parent {
				f.entries[i].SpentBy = append(f.entries[i].SpentBy, tx.TxID())
			}
		}
	}
	f.entries = append(f.entries, ledger.PoolEntry{
		Tx: tx, Fee: 1000, VSize: tx.VSize(), Time: time.Unix(1_700_000_050, 0), Height: 102, Sequence: uint64(len(f.entries)) + 1, Depends: depends,
		AncestorCount: 1, AncestorSize: tx.VSize(), AncestorFees: 1000, DescendantCount: 1, DescendantSize: tx.VSize(), DescendantFees: 1000,
	})
}
