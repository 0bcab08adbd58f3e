package chain

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/blockfile"
)

// Progress says how far an import or export is.
type Progress struct {
	Blocks  int   // added or written
	Known   int   // were here before the import
	Orphans int   // wait for a parent that has not come
	Height  int32 // of the tip, or of the last block written
	Offset  int64 // bytes of the file that are read or written
}

// Import adds the blocks of r, in whatever order they come, and reports after each. An import that was ended goes on where it was, because known
// blocks are passed over quickly. The error is a *blockfile.FormatError if the file cannot be read on and a consensus.RuleError if a block
// in it is invalid; what came before stays.
func Import(ctx context.Context, c *Chain, r *blockfile.Reader, report func(Progress)) (Progress, error) {
	m := importer{c: c, r: r, waiting: make(map[chainhash.Hash][]int64), report: report}
	for {
		raw, err := r.Next()
		if errors.Is(err, io.EOF) {
			return m.p, nil
		}
		if err == nil {
			err = m.take(ctx, raw)
		}
		if err != nil {
			return m.p, err
		}
	}
}

type importer struct {
	c       *Chain
	r       *blockfile.Reader
	waiting map[chainhash.Hash][]int64 // offsets of blocks by the parent that is not known
	report  func(Progress)
	p       Progress
}

// take adds a block and all that waited for it.
func (m *importer) take(ctx context.Context, first blockfile.RawBlock) error {
	for queue := []blockfile.RawBlock{first}; len(queue) > 0; queue = queue[1:] {
		next := queue[0]
		if next.Raw == nil {
			var err error
			if next.Raw, err = m.r.At(next.Offset); err != nil {
				return err
			}
		}
		hash, err := m.add(ctx, next)
		if err != nil {
			return fmt.Errorf("import the block at byte %d: %w", next.Offset, err)
		}
		for _, offset := range m.waiting[hash] {
			queue = append(queue, blockfile.RawBlock{Offset: offset})
			m.p.Orphans--
		}
		delete(m.waiting, hash)
		m.p.Offset = m.r.Offset()
		m.p.Height = m.c.Tip().Height
		if m.report != nil {
			m.report(m.p)
		}
	}
	return nil
}

// add adds one block and returns its hash, or the zero hash if it has to wait for its parent.
func (m *importer) add(ctx context.Context, raw blockfile.RawBlock) (chainhash.Hash, error) {
	hash := chainhash.DoubleHashH(raw.Raw[:80])
	if m.c.Has(hash) {
		m.p.Known++
		return hash, ctx.Err()
	}
	b, err := consensus.ParseBlock(raw.Raw)
	if err != nil {
		return hash, err
	}
	switch added, err := m.c.AddBlock(ctx, b); {
	case errors.Is(err, consensus.ErrPrevUnknown):
		m.waiting[b.Header.PrevBlock] = append(m.waiting[b.Header.PrevBlock], raw.Offset)
		m.p.Orphans++
		return chainhash.Hash{}, nil
	case err != nil:
		return hash, err
	case added.Known:
		m.p.Known++
	default:
		m.p.Blocks++
	}
	return hash, nil
}

// Export writes the blocks of the best chain from one height to another, both included, in Bitcoin's exchange format, and reports after each. It
// ends early where the chain does.
func Export(ctx context.Context, c *Chain, w io.Writer, from, to int32, report func(Progress)) (Progress, error) {
	var p Progress
	for h := from; h <= to; h++ {
		hash, ok := c.AtHeight(h)
		if !ok {
			break
		}
		if err := ctx.Err(); err != nil {
			return p, err
		}
		raw, err := c.RawBlock(hash)
		if err != nil {
			return p, fmt.Errorf("export block %v: %w", hash, err)
		}
		if err := blockfile.Write(w, c.o.Params, raw); err != nil {
			return p, fmt.Errorf("export block %v: %w", hash, err)
		}
		p.Blocks, p.Height, p.Offset = p.Blocks+1, h, p.Offset+8+int64(len(raw))
		if report != nil {
			report(p)
		}
	}
	return p, nil
}
