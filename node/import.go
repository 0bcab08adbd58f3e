package node

import (
	"context"
	"fmt"

	"groat/chain"
	"groat/internal/ledger"
)

// Progress is how far a long piece of work has come.
type Progress = chain.Progress

// Imported is what an import has led to.
type Imported struct {
	chain.Imported
	Set ledger.SetInfo
}

// Import adds the blocks of files, in Bitcoin's format, to the chain in the data directory, without a network or RPC. It stops at the
// first bad place; all blocks before it are kept. report is called after every block.
func Import(ctx context.Context, o Options, files []string, report func(Progress)) (result Imported, err error) {
	err = withLedger(ctx, o, func(l *openedLedger) error {
		err := l.during(ctx, func(ctx context.Context) (err error) {
			result.Imported, err = chain.Import(ctx, l.chain, files, report)
			return err
		})
		set, setErr := l.chain.UTXOSet(context.WithoutCancel(ctx), ledger.HashSerialized) // an import that was stopped is shown too
		if setErr != nil && err == nil {
			err = fmt.Errorf("look at the coins: %w", setErr)
		}
		result.Set = set
		return err
	})
	return result, err
}
