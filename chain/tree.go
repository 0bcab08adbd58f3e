package chain

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
)

// id is the place of a header in the tree. A parent's id is below its children's; the first block's is 0.
type id int32

const none id = -1

// What is known of a block beyond its header. The first two are kept on disk.
const (
	connected uint8 = 1 << iota // it was part of the best chain once, so its scripts are valid
	failed                      // it broke a rule, or an operator marked it
	linked                      // it and all its ancestors are here
	invalid                     // it or an ancestor failed
	unsaved                     // the disk does not know this node as it is
	pruned                      // its block and undo record were here and have been removed; kept on disk
)

// node is a header and what is known of its block. It holds no pointer, and its parent's hash is the parent's to know.
type node struct {
	hash    chainhash.Hash
	merkle  chainhash.Hash
	work    [16]byte           // the lower half; tree.work returns it whole
	block   blockfile.Location // zero while the block is not here
	undo    blockfile.Location // zero while it was never connected
	version int32
	time    uint32
	bits    uint32
	nonce   uint32
	parent  id
	skip    id // an ancestor far down
	height  int32
	order   int32 // among the linked: at equal work the lowest wins, which is the first seen unless an operator chose
	txs     uint32
	flags   uint8
}

func (n *node) has(flag uint8) bool { return n.flags&flag != 0 }

// here says whether the block came, even if it has been removed since.
func (n *node) here() bool { return n.block.Length != 0 || n.has(pruned) }

// chunk is how many nodes are allocated at a time. Nodes never move.
const chunk = 4096

// tree is all headers that are known to follow the first block. It is guarded by Chain.mu.
type tree struct {
	params  *consensus.Params
	chunks  []*[chunk]node
	len     id
	index   headerIndex
	huge    map[id]consensus.Work // work that a node has no room for, which is far more than anybody can hash
	waiting map[id][]id           // blocks that are here, by the parent that is not linked
	unsaved []id
	early   int32 // the lowest order given, to what an operator chose
	late    int32 // the highest order given

	best    id   // of the linked and not invalid, the one to follow
	headers []id // the header with the most work that is not invalid, and its ancestors, by height
	active  []id // the tip and its ancestors, by height
}

// newTree returns the tree that has only the first block of p.
func newTree(p *consensus.Params) *tree {
	t := &tree{params: p, index: newHeaderIndex(), huge: make(map[id]consensus.Work), waiting: make(map[id][]id)}
	genesis := consensus.Genesis(p)
	t.add(none, &p.Genesis.Header, genesis.Hash, genesis.Work)
	t.headers, t.active = []id{0}, []id{0}
	return t
}

func (t *tree) at(i id) *node { return &t.chunks[i/chunk][i%chunk] }

// work returns the work of i and all its ancestors.
func (t *tree) work(i id) (w consensus.Work) {
	if w, ok := t.huge[i]; ok {
		return w
	}
	lower := &t.at(i).work
	copy(w[len(w)-len(lower):], lower[:])
	return w
}

func (t *tree) setWork(i id, w consensus.Work) {
	lower := &t.at(i).work
	copy(lower[:], w[len(w)-len(lower):])
	if t.work(i) != w {
		t.huge[i] = w
	}
}

// add adds a header behind parent, which was checked, and returns its id.
func (t *tree) add(parent id, h *wire.BlockHeader, hash chainhash.Hash, work consensus.Work) id {
	i := t.len
	if int(i/chunk) == len(t.chunks) {
		t.chunks = append(t.chunks, new([chunk]node))
	}
	t.len++
	n := t.at(i)
	*n = node{
		hash: hash, merkle: h.MerkleRoot, version: h.Version, time: uint32(h.Timestamp.Unix()),
		bits: h.Bits, nonce: h.Nonce, parent: parent, skip: none,
	}
	t.setWork(i, work)
	t.enter(i)
	if parent != none {
		up := t.at(parent)
		n.height = up.height + 1
		n.skip = t.ancestor(parent, skipHeight(n.height))
		n.flags = up.flags & invalid
	}
	t.touch(i)
	if parent != none && !n.has(invalid) && work.Cmp(t.work(t.bestHeader())) > 0 {
		t.headers = t.follow(t.headers, i)
	}
	return i
}

// touch remembers that the disk does not know i as it is.
func (t *tree) touch(i id) {
	if n := t.at(i); !n.has(unsaved) {
		n.flags |= unsaved
		t.unsaved = append(t.unsaved, i)
	}
}

func (t *tree) tip() id { return t.active[len(t.active)-1] }

func (t *tree) bestHeader() id { return t.headers[len(t.headers)-1] }

func (t *tree) isActive(i id) bool {
	h := int(t.at(i).height)
	return h < len(t.active) && t.active[h] == i
}

// follow returns path changed so that it leads from the first block to i.
func (t *tree) follow(path []id, i id) []id {
	top := t.at(i).height
	kept := min(int32(len(path)), top+1)
	path = slices.Grow(path[:kept], int(top+1-kept))[:top+1]
	for ; i != none; i = t.at(i).parent {
		h := t.at(i).height
		if h < kept && path[h] == i {
			break
		}
		path[h] = i
	}
	return path
}

// setBlock records that the block of i is at loc and links what can be linked now.
func (t *tree) setBlock(i id, loc blockfile.Location, txs int) {
	n := t.at(i)
	n.block, n.txs = loc, uint32(txs)
	t.touch(i)
	t.link(i)
}

// link links i, which is here, and all that waited for it, or lets it wait for its parent.
func (t *tree) link(i id) {
	if up := t.at(i).parent; up != none && !t.at(up).has(linked) {
		t.waiting[up] = append(t.waiting[up], i)
		return
	}
	for queue := []id{i}; len(queue) > 0; queue = queue[1:] {
		n := t.at(queue[0])
		n.flags |= linked
		if n.order == 0 {
			t.late++
			n.order = t.late
			t.touch(queue[0])
		}
		if !n.has(invalid) && t.better(queue[0], t.best) {
			t.best = queue[0]
		}
		queue = append(queue, t.waiting[queue[0]]...)
		delete(t.waiting, queue[0])
	}
}

// better says whether a is to be followed rather than b: it has more work, or as much and was there first.
func (t *tree) better(a, b id) bool {
	if c := t.work(a).Cmp(t.work(b)); c != 0 {
		return c > 0
	}
	return t.at(a).order < t.at(b).order
}

// judge works out again which nodes are invalid and which are best, after a mark was set or removed.
func (t *tree) judge() {
	t.best = 0
	header := id(0)
	for i := id(1); i < t.len; i++ {
		n := t.at(i)
		n.flags &^= invalid
		if n.has(failed) || t.at(n.parent).has(invalid) {
			n.flags |= invalid
			continue
		}
		if n.has(linked) && t.better(i, t.best) {
			t.best = i
		}
		if t.work(i).Cmp(t.work(header)) > 0 {
			header = i
		}
	}
	t.headers = t.follow(t.headers, header)
}

// fail marks i.
func (t *tree) fail(i id) {
	t.at(i).flags |= failed
	t.touch(i)
	t.judge()
}

// forgive removes the marks of i, its ancestors and its descendants, and returns whose they were.
func (t *tree) forgive(i id) (marked []id) {
	height := t.at(i).height
	for j := id(1); j < t.len; j++ {
		n := t.at(j)
		if !n.has(failed) {
			continue
		}
		if low := min(height, n.height); t.ancestor(j, low) == t.ancestor(i, low) {
			n.flags &^= failed
			t.touch(j)
			marked = append(marked, j)
		}
	}
	t.judge()
	return marked
}

// prefer makes i the first seen of those with its work. What is not here has not been seen: it gets its place when it comes.
func (t *tree) prefer(i id) {
	if !t.at(i).has(linked) {
		return
	}
	t.early--
	t.at(i).order = t.early
	t.touch(i)
	if !t.at(i).has(invalid) && t.better(i, t.best) {
		t.best = i
	}
}

// header returns the header of i.
func (t *tree) header(i id) wire.BlockHeader {
	n := t.at(i)
	h := wire.BlockHeader{
		Version: n.version, MerkleRoot: n.merkle, Timestamp: time.Unix(int64(n.time), 0), Bits: n.bits, Nonce: n.nonce,
	}
	if n.parent != none {
		h.PrevBlock = t.at(n.parent).hash
	}
	return h
}

// state returns the place after i.
func (t *tree) state(i id) consensus.State {
	const needed = 11 // for the median time
	height := t.at(i).height
	headers := make([]wire.BlockHeader, min(needed, height+1))
	for j, k := i, len(headers)-1; k >= 0; j, k = t.at(j).parent, k-1 {
		headers[k] = t.header(j)
	}
	start := t.at(t.ancestor(i, height-height%2016))
	return consensus.Rebuild(t.params, height, t.work(i), headers, start.time)
}
