package blockfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Gap is a part of a file that holds no good record.
type Gap struct {
	Pos
	Length int64
	Last   bool // nothing good follows it in its file
}

// Walker reads a series of files as it lies on the disk, and leaves it so.
type Walker struct {
	files *Files
	sizes map[uint32]int64
}

// NewWalker looks at which files there are. Of o it uses what names the series.
func NewWalker(o Options) (*Walker, error) {
	w := &Walker{files: ReadOnly(o), sizes: make(map[uint32]int64)}
	return w, w.files.eachFile(func(n uint32, size int64) { w.sizes[n] = size })
}

// ReadOnly returns the series for Read, without opening it.
func ReadOnly(o Options) *Files {
	if o.FS == nil {
		o.FS = OS{}
	}
	return &Files{o: o}
}

// Numbers returns the numbers of the files, ascending.
func (w *Walker) Numbers() []uint32 {
	numbers := make([]uint32, 0, len(w.sizes))
	for n := range w.sizes {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers
}

// Size returns the bytes in all files.
func (w *Walker) Size() (sum int64) {
	for _, size := range w.sizes {
		sum += size
	}
	return sum
}

// End returns where the last good record ends.
func (w *Walker) End(ctx context.Context) (end Pos, err error) {
	numbers := w.Numbers()
	for len(numbers) > 0 && end == (Pos{}) {
		last := numbers[len(numbers)-1]
		err := w.walkFile(ctx, last, func(loc Location, _ []byte) error {
			end = Pos{last, loc.Offset + headerSize + loc.Length}
			return nil
		}, func(Gap) error { return nil })
		if err != nil {
			return end, err
		}
		numbers = numbers[:len(numbers)-1]
	}
	return end, nil
}

// Blank makes a gap a record of zeros, which Walk passes over, so that damage that was dealt with is not met again. A gap that is too short
// for a record stays.
func (w *Walker) Blank(g Gap) error {
	if g.Length <= headerSize || g.Length > MaxPayload {
		return nil
	}
	file, err := w.files.o.FS.Create(w.files.path(g.File))
	if err != nil {
		return fmt.Errorf("open a block file: %w", err)
	}
	_, err = file.WriteAt(w.files.encode(make([]byte, g.Length-headerSize)), int64(g.Offset))
	return errors.Join(err, file.Sync(), file.Close())
}

// Walk calls good for every good record, in order, and bad for what lies between them, and stops at the first error of either, which it returns. Its own
// errors are the disk's. The payload is good's to keep.
func (w *Walker) Walk(ctx context.Context, good func(Location, []byte) error, bad func(Gap) error) error {
	for _, n := range w.Numbers() {
		if err := w.walkFile(ctx, n, good, bad); err != nil {
			return err
		}
	}
	return nil
}

func (w *Walker) walkFile(ctx context.Context, n uint32, good func(Location, []byte) error, bad func(Gap) error) (err error) {
	file, err := w.files.o.FS.Open(w.files.path(n))
	if err != nil {
		return fmt.Errorf("read a block file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size := w.sizes[n]
	gap := Gap{Pos: Pos{File: n}}
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		payload, err := w.files.readRecord(file, uint32(at), size)
		if errors.Is(err, ErrDamaged) { // perhaps only on the way from the disk: what is called damaged may be written over
			payload, err = w.files.readRecord(file, uint32(at), size)
		}
		if errors.Is(err, ErrDamaged) {
			next, err := w.nextMagic(file, at+1, size)
			if err != nil {
				return fmt.Errorf("read %s at %d: %w", w.files.path(n), at, err)
			}
			gap.Length += next - at
			at = next
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s at %d: %w", w.files.path(n), at, err)
		}
		if gap.Length > 0 {
			gap.Offset = uint32(at - gap.Length)
			if err := bad(gap); err != nil {
				return err
			}
			gap.Length = 0
		}
		if !allZero(payload) { // otherwise Blank wrote it
			if err := good(Location{Pos: Pos{n, uint32(at)}, Length: uint32(len(payload))}, payload); err != nil {
				return err
			}
		}
		at += headerSize + int64(len(payload))
	}
	if gap.Length == 0 {
		return nil
	}
	gap.Offset, gap.Last = uint32(size-gap.Length), true
	return bad(gap)
}

// nextMagic returns the first place at or after from where a record may begin, or size.
func (w *Walker) nextMagic(file File, from, size int64) (int64, error) {
	const chunk = 1 << 20
	magic := w.files.o.Magic[:]
	for ; from+headerSize <= size; from += chunk {
		buf := make([]byte, min(chunk+int64(len(magic))-1, size-from))
		if _, err := file.ReadAt(buf, from); err != nil {
			return 0, err
		}
		if i := bytes.Index(buf, magic); i >= 0 {
			return from + int64(i), nil
		}
	}
	return size, nil
}
