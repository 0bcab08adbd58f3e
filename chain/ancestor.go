package chain

import "slices"

// skipHeight returns the height of the ancestor that a node of the given height points at, besides its parent. Any lower height
// would do; with these, Bitcoin Core's, every ancestor is some tens of steps away.
func skipHeight(height int32) int32 {
	if height < 2 {
		return 0
	}
	if height&1 == 1 {
		return clearLowest(clearLowest(height-1)) + 1
	}
	return clearLowest(height)
}

func clearLowest(n int32) int32 { return n & (n - 1) }

// ancestor returns the ancestor of i at a height that is not above its own.
func (t *tree) ancestor(i id, height int32) id {
	if h := int(height); h < len(t.active) {
		if n := t.at(i); int(n.height) < len(t.active) && t.active[n.height] == i {
			return t.active[h]
		}
	}
	for n := t.at(i); n.height > height; n = t.at(i) {
		i = n.parent
		// The skip is worth it unless the parent's leads closer.
		if s := skipHeight(n.height); s == height || (s > height && !(skipHeight(n.height-1) < s-2 && skipHeight(n.height-1) >= height)) {
			i = n.skip
		}
	}
	return i
}

// fork returns the last common ancestor of a and b.
func (t *tree) fork(a, b id) id {
	low := min(t.at(a).height, t.at(b).height)
	a, b = t.ancestor(a, low), t.ancestor(b, low)
	for a != b {
		x, y := t.at(a), t.at(b)
		if x.skip != y.skip {
			a, b = x.skip, y.skip
		} else {
			a, b = x.parent, y.parent
		}
	}
	return a
}

// path returns the way from one node to another: which to undo, the last first, and which to connect, in order.
func (t *tree) path(from, to id) (undo, connect []id) {
	fork := t.fork(from, to)
	for i := from; i != fork; i = t.at(i).parent {
		undo = append(undo, i)
	}
	for i := to; i != fork; i = t.at(i).parent {
		connect = append(connect, i)
	}
	slices.Reverse(connect)
	return undo, connect
}
