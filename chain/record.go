package chain

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/blockfile"
)

// Keys in the store begin with one of these.
const (
	coinPrefix  = 'c' // then a coinKey
	indexPrefix = 'i' // then the height in big endian and the hash, so that parents are read before their children
)

// recordOverhead is about what a coin takes in the store besides its key and value.
const recordOverhead = 50

// Single records. Each holds a place.
const (
	placeKey = "place" // where the coins on disk belong to
	goalKey  = "goal"  // where they are on the way to, while a flush of many transactions is under way
)

// formatVersion is that of all records here. A newer one is not read.
const formatVersion = 2

// place says what is on the disk: the coins of a tip, and files up to their ends.
type place struct {
	tip    chainhash.Hash
	tally  tally // of the coins
	blocks blockfile.Pos
	undos  blockfile.Pos
}

const placeSize = 1 + 2*chainhash.HashSize + 2*8 + 4*4

// encode returns the record of p on the network with the given first block.
func (p *place) encode(genesis chainhash.Hash) []byte {
	b := make([]byte, 0, placeSize)
	b = append(b, formatVersion)
	b = append(b, genesis[:]...)
	b = append(b, p.tip[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.tally.coins))
	b = binary.LittleEndian.AppendUint64(b, p.tally.sum)
	for _, n := range []uint32{p.blocks.File, p.blocks.Offset, p.undos.File, p.undos.Offset} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

// decodePlace is the inverse of encode. It refuses what a newer groat wrote, and another network's data.
func decodePlace(b []byte, genesis chainhash.Hash) (*place, error) {
	if len(b) > 0 && b[0] > formatVersion {
		return nil, fmt.Errorf("the data directory has version %d of the ledger and this groat knows %d: use a newer groat", b[0], formatVersion)
	}
	if len(b) > 0 && b[0] < formatVersion {
		return nil, fmt.Errorf("the data directory has version %d of the ledger, which this groat does not read: run 'groat chain rebuild'", b[0])
	}
	if len(b) != placeSize {
		return nil, fmt.Errorf("place: %w", errCoding)
	}
	b = b[1:]
	if !bytes.Equal(b[:chainhash.HashSize], genesis[:]) {
		return nil, fmt.Errorf("the data directory belongs to the network that begins with %v: choose another one", chainhash.Hash(b[:chainhash.HashSize]))
	}
	b = b[chainhash.HashSize:]
	p := &place{tip: chainhash.Hash(b[:chainhash.HashSize])}
	b = b[chainhash.HashSize:]
	p.tally = tally{int64(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:])}
	for i, n := range []*uint32{&p.blocks.File, &p.blocks.Offset, &p.undos.File, &p.undos.Offset} {
		*n = binary.LittleEndian.Uint32(b[16+4*i:])
	}
	return p, nil
}

func indexKey(height int32, hash chainhash.Hash) []byte {
	k := make([]byte, 0, 1+4+chainhash.HashSize)
	k = append(k, indexPrefix)
	k = binary.BigEndian.AppendUint32(k, uint32(height))
	return append(k, hash[:]...)
}

// encodeNode returns the index record of i: its header and what is known of its block.
func (t *tree) encodeNode(i id) (key, value []byte) {
	n := t.at(i)
	h := t.header(i)
	var w bytes.Buffer
	w.WriteByte(n.flags & (connected | failed))
	_ = h.Serialize(&w) // a bytes.Buffer takes every write
	b := binary.AppendVarint(w.Bytes(), int64(n.order))
	b = binary.AppendUvarint(b, uint64(n.txs))
	for _, loc := range []blockfile.Location{n.block, n.undo} {
		for _, v := range []uint32{loc.File, loc.Offset, loc.Length} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	return indexKey(n.height, n.hash), b
}

// savedNode is a decoded index record.
type savedNode struct {
	height int32
	hash   chainhash.Hash
	header wire.BlockHeader
	flags  uint8
	order  int32
	txs    uint32
	block  blockfile.Location
	undo   blockfile.Location
}

// decodeNode is the inverse of encodeNode.
func decodeNode(key, value []byte) (*savedNode, error) {
	damaged := fmt.Errorf("index record %x: %w", key, errCoding)
	if len(key) != 1+4+chainhash.HashSize || len(value) < 1+wire.MaxBlockHeaderPayload {
		return nil, damaged
	}
	s := &savedNode{height: int32(binary.BigEndian.Uint32(key[1:])), hash: chainhash.Hash(key[5:]), flags: value[0] & (connected | failed)}
	var err error
	if s.header, err = consensus.ParseHeader(value[1 : 1+wire.MaxBlockHeaderPayload]); err != nil {
		return nil, damaged
	}
	b := value[1+wire.MaxBlockHeaderPayload:]
	order, n := binary.Varint(b)
	if n <= 0 {
		return nil, damaged
	}
	s.order = int32(order)
	b = b[n:]
	numbers := []*uint32{
		&s.txs, &s.block.File, &s.block.Offset, &s.block.Length, &s.undo.File, &s.undo.Offset, &s.undo.Length,
	}
	for _, p := range numbers {
		v, n := uvarint(b)
		if n <= 0 || v > 0xffffffff {
			return nil, damaged
		}
		*p = uint32(v)
		b = b[n:]
	}
	if len(b) > 0 || s.height < 0 {
		return nil, damaged
	}
	return s, nil
}

// restore adds a node that was read from the disk. Its parent must be there already.
func (t *tree) restore(s *savedNode) error {
	i := id(0)
	if s.height > 0 {
		parent, ok := t.find(s.header.PrevBlock)
		if !ok || t.at(parent).height != s.height-1 {
			return fmt.Errorf("block %v at height %d has no parent in the index", s.hash, s.height)
		}
		i = t.add(parent, &s.header, s.hash, t.at(parent).work.Add(consensus.WorkOf(s.header.Bits)))
	} else if s.hash != t.at(0).hash {
		return fmt.Errorf("block %v is at height 0", s.hash)
	}
	n := t.at(i)
	n.flags = n.flags&invalid | s.flags
	n.block, n.undo, n.txs, n.order = s.block, s.undo, s.txs, s.order
	t.early, t.late = min(t.early, s.order), max(t.late, s.order)
	return nil
}

// restored ends the restoring: it links what is here and finds what is best.
func (t *tree) restored() {
	t.unsaved = slices.DeleteFunc(t.unsaved, func(i id) bool { return !t.at(i).has(unsaved) })
	for i := id(0); i < t.len; i++ {
		if t.at(i).here() {
			t.link(i)
		}
	}
	t.judge()
}
