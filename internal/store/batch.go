package store

// perEntry is what Badger adds to a record, at most: a version, flags, lengths, a checksum.
const perEntry = 40

// maxValue is the longest value in bytes: a longer one would go to Badger's value log, which is not used.
const maxValue = 512 << 10

// Batch is a list of changes. The later change to a key counts. The zero value is empty and ready.
type Batch struct {
	ops   []op
	bytes int64
}

type op struct {
	key, value []byte // a nil value deletes
}

// Put sets key to value. The batch keeps both slices.
func (b *Batch) Put(key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	b.add(op{key, value})
}

// Delete removes key, which need not exist. The batch keeps the slice.
func (b *Batch) Delete(key []byte) { b.add(op{key: key}) }

// Set is Put, or Delete if value is nil, as Each tells it. The batch keeps both slices.
func (b *Batch) Set(key, value []byte) { b.add(op{key, value}) }

func (b *Batch) add(o op) {
	b.ops = append(b.ops, o)
	b.bytes += o.size()
}

func (o op) size() int64 { return int64(len(o.key)+len(o.value)) + perEntry }

// Drop takes the last change back. There must be one.
func (b *Batch) Drop() {
	last := b.ops[len(b.ops)-1]
	b.ops = b.ops[:len(b.ops)-1]
	b.bytes -= last.size()
}

// Len returns the number of changes.
func (b *Batch) Len() int { return len(b.ops) }

// Bytes returns what the changes take in the store, a little more than the sum of keys and values.
func (b *Batch) Bytes() int64 { return b.bytes }

// Reset empties the batch for another use.
func (b *Batch) Reset() { b.ops, b.bytes = b.ops[:0], 0 }

// Each calls fn for every change in order; a nil value deletes its key.
func (b *Batch) Each(fn func(key, value []byte)) {
	for _, o := range b.ops {
		fn(o.key, o.value)
	}
}
