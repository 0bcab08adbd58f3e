package chain

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
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
		return nil, fmt.Errorf("%w: the data directory has %d, and this groat reads %d", ErrOutdated, b[0], formatVersion)
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

// savedNode is an index record: a header and what is known of its block.
type savedNode struct {
	height int32
	hash   chainhash.Hash
	header wire.BlockHeader
	flags  uint8 // of savedFlags
	order  int32
	txs    uint32
	block  blockfile.Location
	undo   blockfile.Location
}

const savedFlags = connected | failed | pruned

// encodeNode returns the index record of i without its block if that lies behind synced: such a block came after the files were synced, so a
// crash may take it.
func (t *tree) encodeNode(i id, synced blockfile.Pos) (key, value []byte) {
	n := t.at(i)
	s := savedNode{n.height, n.hash, t.header(i), n.flags & savedFlags, n.order, n.txs, n.block, n.undo}
	if !n.block.Before(synced) {
		s.block, s.txs = blockfile.Location{}, 0
	}
	return s.encode()
}

func (s *savedNode) encode() (key, value []byte) {
	var w bytes.Buffer
	w.WriteByte(s.flags)
	_ = s.header.Serialize(&w) // a bytes.Buffer takes every write
	b := binary.AppendVarint(w.Bytes(), int64(s.order))
	for _, v := range s.numbers() {
		b = binary.AppendUvarint(b, uint64(*v))
	}
	return indexKey(s.height, s.hash), b
}

// numbers returns the numbers that end a record.
func (s *savedNode) numbers() []*uint32 {
	return []*uint32{&s.txs, &s.block.File, &s.block.Offset, &s.block.Length, &s.undo.File, &s.undo.Offset, &s.undo.Length}
}

// decodeNode is the inverse of encode. A record has one form only.
func decodeNode(key, value []byte) (*savedNode, error) {
	damaged := fmt.Errorf("index record %x: %w", key, errCoding)
	if len(key) != 1+4+chainhash.HashSize || key[0] != indexPrefix || len(value) < 1+wire.MaxBlockHeaderPayload || value[0]&^savedFlags != 0 {
		return nil, damaged
	}
	s := &savedNode{height: int32(binary.BigEndian.Uint32(key[1:])), hash: chainhash.Hash(key[5:]), flags: value[0]}
	var err error
	if s.header, err = consensus.ParseHeader(value[1 : 1+wire.MaxBlockHeaderPayload]); err != nil {
		return nil, damaged
	}
	b := value[1+wire.MaxBlockHeaderPayload:]
	folded, n := uvarint(b) // as AppendVarint writes it: the sign in the lowest bit
	if n <= 0 || folded > math.MaxUint32 {
		return nil, damaged
	}
	s.order = int32(uint32(folded>>1) ^ -uint32(folded&1))
	b = b[n:]
	for _, p := range s.numbers() {
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
		i = t.add(parent, &s.header, s.hash, t.work(parent).Add(consensus.WorkOf(s.header.Bits)))
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
	t.relink()
}

// relink works out again what is linked, and what is best.
func (t *tree) relink() {
	clear(t.waiting)
	for i := range t.len {
		t.at(i).flags &^= linked
	}
	for i := range t.len {
		if t.at(i).here() {
			t.link(i)
		}
	}
	t.judge()
}
