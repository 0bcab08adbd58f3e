package chain

import "groat/consensus"

// recentBytes bounds the blocks that are kept parsed between their arrival and their turn.
const recentBytes = 8 << 20

// recent holds blocks that arrived lately, so that they need not be read and parsed again to be connected.
type recent struct {
	blocks map[id]*consensus.Block
	bytes  int
}

func newRecent() *recent { return &recent{blocks: make(map[id]*consensus.Block)} }

// add keeps b and lets others go if there are too many.
func (r *recent) add(i id, b *consensus.Block) {
	for other := range r.blocks {
		if r.bytes+b.Size() <= recentBytes {
			break
		}
		r.remove(other)
	}
	r.blocks[i] = b
	r.bytes += b.Size()
}

func (r *recent) remove(i id) {
	if b, ok := r.blocks[i]; ok {
		r.bytes -= b.Size()
		delete(r.blocks, i)
	}
}
