package testnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// View is what one node holds for the ledger.
type View struct {
	Node   string
	Height int32
	Tip    string // hash of the best block
	Peers  int
	Coins  int64
	UTXO   string // hash_serialized_3 of the coin set
}

// ErrDisagree says that nodes hold different ledgers.
var ErrDisagree = errors.New("the nodes hold different ledgers")

// View asks a node for its ledger.
func (n *Node) View(ctx context.Context) (View, error) {
	v := View{Node: n.Name}
	var set struct {
		Height int32  `json:"height"`
		Best   string `json:"bestblock"`
		Coins  int64  `json:"txouts"`
		Hash   string `json:"hash_serialized_3"`
	}
	if err := n.Call(ctx, &set, "gettxoutsetinfo"); err != nil {
		return v, err
	}
	v.Height, v.Tip, v.Coins, v.UTXO = set.Height, set.Best, set.Coins, set.Hash
	err := n.Call(ctx, &v.Peers, "getconnectioncount")
	return v, err
}

// Views asks all running nodes for their ledgers, at the same time.
func (w *Network) Views(ctx context.Context) ([]View, error) {
	nodes := w.running()
	views := make([]View, len(nodes))
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		group.Go(func() (err error) {
			views[i], err = n.View(ctx)
			return err
		})
	}
	err := group.Wait()
	return views, err
}

// Agreed returns the ledger that all views hold, or ErrDisagree with the first difference.
func Agreed(views []View) (View, error) {
	if len(views) == 0 {
		return View{}, errors.New("no node runs")
	}
	first := views[0]
	for _, v := range views[1:] {
		switch {
		case v.Tip != first.Tip:
			return View{}, fmt.Errorf("%w: %s is at block %d %s, %s at %d %s", ErrDisagree, first.Node, first.Height, first.Tip, v.Node, v.Height, v.Tip)
		case v.UTXO != first.UTXO:
			return View{}, fmt.Errorf("%w: at block %s %s has the coins %s, %s has %s", ErrDisagree, v.Tip, first.Node, first.UTXO, v.Node, v.UTXO)
		}
	}
	return first, nil
}

// Converged waits until all running nodes have the same tip, compares their coins, and returns the ledger that all hold.
func (w *Network) Converged(ctx context.Context) (View, error) {
	nodes := w.running()
	tips := make([]string, len(nodes))
	err := poll(ctx, func() (bool, error) {
		same := true
		for i, n := range nodes {
			if err := n.Call(ctx, &tips[i], "getbestblockhash"); err != nil {
				return false, err
			}
			same = same && tips[i] == tips[0]
		}
		return same, nil
	})
	if err != nil {
		return View{}, fmt.Errorf("wait for one tip: %w (tips are %v)", err, tips)
	}
	views, err := w.Views(ctx)
	if err != nil {
		return View{}, err
	}
	return Agreed(views)
}

// watch asks every running node until it has said yes and returns how long after begin the last of them did.
func (w *Network) watch(ctx context.Context, begin time.Time, ask func(*Node) (bool, error)) (time.Duration, error) {
	nodes := w.running()
	took := make([]time.Duration, len(nodes))
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		group.Go(func() error {
			if err := poll(ctx, func() (bool, error) { return ask(n) }); err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
			took[i] = time.Since(begin)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return slices.Max(took), nil
}

// AwaitTip waits until the node's best block is tip.
func (n *Node) AwaitTip(ctx context.Context, tip string) error {
	var have string
	err := poll(ctx, func() (bool, error) {
		err := n.Call(ctx, &have, "getbestblockhash")
		return have == tip, err
	})
	if err != nil {
		return fmt.Errorf("%s is at %s, not at %s: %w", n.Name, have, tip, err)
	}
	return nil
}
