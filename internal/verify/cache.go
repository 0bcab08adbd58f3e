package verify

import (
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
)

// cache remembers under which flags a transaction passed. The id with witness names everything that its scripts can
// see, the coins it spends included, and a flag only ever forbids more: what passed under some flags passes under fewer. So what
// the pool checked under the flags of policy needs no second check when it comes in a block.
//
// Two generations bound it: the young one becomes the old one when it is full, and the old one is forgotten. The
// maps hold no pointers, and Go's maps hash with a secret of their own, so that ids cannot be chosen to collide.
type cache struct {
	limit int // entries of a generation, set once

	mu         sync.RWMutex
	young, old map[chainhash.Hash]txscript.ScriptFlags
}

func newCache(entries int) *cache {
	return &cache{limit: entries / 2, young: make(map[chainhash.Hash]txscript.ScriptFlags), old: make(map[chainhash.Hash]txscript.ScriptFlags)}
}

// missing returns the checks that have not passed, in their order.
func (c *cache) missing(checks []consensus.ScriptCheck) []consensus.ScriptCheck {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var todo []consensus.ScriptCheck
	for i := range checks {
		if have, ok := c.find(checks[i].Tx.WTxID()); !ok || !covers(have, checks[i].Flags) {
			if todo == nil {
				todo = make([]consensus.ScriptCheck, 0, len(checks)-i)
			}
			todo = append(todo, checks[i])
		}
	}
	return todo
}

// passedTx is a transaction that passed, and the flags it did under.
type passedTx struct {
	wtxid chainhash.Hash
	flags txscript.ScriptFlags
}

// add remembers transactions. What one passed under before is replaced: it was not enough, or it would not have been run again.
func (c *cache) add(txs []passedTx) {
	if c.limit == 0 || len(txs) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tx := range txs {
		if len(c.young) >= c.limit {
			c.old, c.young = c.young, c.old
			clear(c.young)
		}
		c.young[tx.wtxid] = tx.flags
	}
}

func (c *cache) find(id chainhash.Hash) (txscript.ScriptFlags, bool) {
	if flags, ok := c.young[id]; ok {
		return flags, true
	}
	flags, ok := c.old[id]
	return flags, ok
}

func covers(have, want txscript.ScriptFlags) bool { return have&want == want }
