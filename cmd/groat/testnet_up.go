package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"groat/testnet"
)

// maturity is how many blocks make the first coins of a chain ready to be spent.
const maturity = 101

// paymentAmount is what each payment of a test network moves.
const paymentAmount = "1.50000000"

// testnetUp is one "groat testnet up".
type testnetUp struct {
	nodes, payments    int
	interval           time.Duration
	dir                string
	keep, detach, demo bool
	patience           time.Duration
}

// network is a started network with those who pay each other on it.
type network struct {
	*testnet.Network
	app       *app
	up        *testnetUp
	payer     testnet.Party
	payee     testnet.Party
	mineTo    string // an address of the payer
	lastPaid  testnet.Payment
	lastMiner int
}

// run does what "groat testnet up" says it does.
func (u *testnetUp) run(ctx context.Context, a *app) error {
	switch {
	case u.demo && u.detach:
		return usagef("--demo and --detach exclude each other")
	case u.payments < 0 || (u.demo && u.payments == 0):
		return usagef("--payments %d: a demo needs at least one payment", u.payments)
	case u.interval <= 0:
		return usagef("--block-interval must be above zero")
	}
	config, err := u.config(a)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "starting %d nodes of groat %s on regtest …\n", u.nodes, version)
	started, cancel := context.WithTimeout(ctx, u.patience)
	w, err := testnet.Start(started, config)
	cancel()
	if err != nil {
		return interrupted(ctx, err)
	}
	n := &network{Network: w, app: a, up: u, payer: testnet.Party{Node: w.Nodes[0], Wallet: "payer"}, payee: testnet.Party{Node: w.Nodes[len(w.Nodes)-1], Wallet: "payee"}}
	err = n.live(ctx)
	if u.detach && err == nil {
		return nil
	}
	return errors.Join(interrupted(ctx, err), n.Close())
}

// config returns the network to start.
func (u *testnetUp) config(a *app) (testnet.Config, error) {
	binary, err := thisBinary()
	if err != nil {
		return testnet.Config{}, err
	}
	c := testnet.Config{Binary: binary, Nodes: u.nodes, Dir: u.dir, Keep: u.keep || u.dir != "", Discovery: true, Detach: u.detach}
	if u.detach || u.dir != "" {
		if c.Dir, err = a.detachedDir(u.dir); err != nil {
			return c, err
		}
		if old, err := testnet.Open(c.Dir); err == nil {
			for _, n := range old.Nodes {
				if n.Running() {
					return c, fmt.Errorf("a network runs in %s already; stop it with 'groat testnet down --dir %s', or choose another --dir", c.Dir, c.Dir)
				}
			}
		}
	}
	if err := c.Check(); err != nil {
		return c, withCode(exitUsage, fmt.Errorf("--nodes: %w", err))
	}
	return c, nil
}

// interrupted returns nil instead of an error that only says that the user pressed Ctrl-C.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// live is the network's life from the moment it is linked until it may be stopped, or left alone.
func (n *network) live(ctx context.Context) error {
	if err := n.Save(); err != nil {
		return err
	}
	n.introduce()
	if err := n.step(ctx, n.prepare); err != nil {
		return err
	}
	for i := range n.up.payments {
		if err := n.step(ctx, func(ctx context.Context) error { return n.pay(ctx, i+1) }); err != nil {
			return n.verdict(err)
		}
	}
	var agreed testnet.View
	err := n.step(ctx, func(ctx context.Context) (err error) {
		agreed, err = n.summary(ctx)
		return err
	})
	switch {
	case err != nil:
		return n.verdict(err)
	case n.up.demo:
		n.say("\nproved: %d real nodes found each other over libp2p; a payment signed by the wallet on %s was seen by all %d in %d ms,", len(n.Nodes), n.payer.Node.Name, len(n.Nodes), n.lastPaid.Seen.Milliseconds())
		n.say("confirmed in block %d, and all %d agree on one ledger: tip %s, coin set %s.", n.lastPaid.Height, len(n.Nodes), agreed.Tip, agreed.UTXO)
		return nil
	case n.up.detach:
		n.say("\nthe nodes go on running; 'groat testnet status' and 'groat testnet down' with --dir %s act on them", n.Dir)
		return nil
	}
	n.say("\na block every %v from here on; Ctrl-C stops all nodes", n.up.interval)
	return n.mineOn(ctx)
}

// verdict marks an error as a failed assertion: nodes that do not agree, or something that did not reach them in time.
func (n *network) verdict(err error) error {
	if errors.Is(err, testnet.ErrDisagree) || errors.Is(err, testnet.ErrUnconfirmed) || errors.Is(err, context.DeadlineExceeded) {
		return withCode(exitAssertion, err)
	}
	return err
}

// step runs one step of the network's life with the patience that is left for it.
func (n *network) step(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, n.up.patience)
	defer cancel()
	return do(ctx)
}

// say prints a line for whoever watches.
func (n *network) say(format string, args ...any) { fmt.Fprintf(n.app.out, format+"\n", args...) }

// introduce shows the nodes and how to reach them.
func (n *network) introduce() {
	for _, node := range n.Nodes {
		n.say("  %-3s ready in %4d ms   %s", node.Name, node.ReadyIn().Milliseconds(), node.Endpoint().RPC)
	}
	n.say("all nodes are linked. Ask any of them:\n  groat rpc --network regtest --datadir %s getblockchaininfo", n.Nodes[0].Dir)
}

// prepare opens the wallets and mines until the first coins can be spent.
func (n *network) prepare(ctx context.Context) error {
	for _, p := range []testnet.Party{n.payer, n.payee} {
		if err := p.Open(ctx); err != nil {
			return err
		}
	}
	var err error
	if n.mineTo, err = n.payer.Address(ctx); err != nil {
		return err
	}
	begin := time.Now()
	if _, err := n.payer.Node.Mine(ctx, maturity, n.mineTo); err != nil {
		return err
	}
	v, err := n.Converged(ctx)
	if err != nil {
		return err
	}
	n.say("mined %d blocks: coins can be spent, all nodes are at height %d (%d ms)", maturity, v.Height, time.Since(begin).Milliseconds())
	return nil
}

// pay makes one payment and, a block interval later, the block that confirms it.
func (n *network) pay(ctx context.Context, number int) error {
	p, err := n.Pay(ctx, n.payer, n.payee, paymentAmount)
	if err != nil {
		return err
	}
	n.say("payment %d: %s pays %s %s, %s: seen by all %d nodes in %d ms", number, n.payer.Node.Name, n.payee.Node.Name, p.Amount, short(p.TxID), len(n.Nodes), p.Seen.Milliseconds())
	select {
	case <-time.After(n.up.interval):
	case <-ctx.Done():
		return ctx.Err()
	}
	miner := n.nextMiner()
	if err := n.Confirm(ctx, miner, n.mineTo, &p); err != nil {
		return err
	}
	n.say("  confirmed in block %d %s, made by %s: on all %d nodes in %d ms", p.Height, short(p.Block), miner.Name, len(n.Nodes), p.Confirmed.Milliseconds())
	n.lastPaid = p
	return nil
}

// nextMiner lets the nodes make blocks in turn, those with a wallet that pays last.
func (n *network) nextMiner() *testnet.Node {
	n.lastMiner = (n.lastMiner + 1) % len(n.Nodes)
	return n.Nodes[n.lastMiner]
}

// summary prints what every node holds and returns the ledger on which all agree.
func (n *network) summary(ctx context.Context) (testnet.View, error) {
	if _, err := n.Converged(ctx); err != nil && !errors.Is(err, testnet.ErrDisagree) {
		return testnet.View{}, err
	}
	views, err := n.Views(ctx)
	if err != nil {
		return testnet.View{}, err
	}
	n.say("")
	n.app.printViews(views)
	return testnet.Agreed(views)
}

// mineOn makes a block every interval until ctx ends. A node that ends meanwhile is reported, and the rest goes on.
func (n *network) mineOn(ctx context.Context) error {
	tick := time.NewTicker(n.up.interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			n.say("stopping %d nodes …", len(n.Nodes))
			return nil
		}
		before := n.count()
		err := n.step(ctx, n.mineOne)
		if now := n.count(); now < before && now > 0 {
			n.say("%d of %d nodes run", now, len(n.Nodes))
			continue // whoever ended one may want to see how the rest goes on
		}
		if err != nil {
			return err
		}
	}
}

// count returns how many nodes run.
func (n *network) count() int {
	running := 0
	for _, node := range n.Nodes {
		if node.Running() {
			running++
		}
	}
	return running
}

// mineOne lets the next running node make a block and waits until the others have it.
func (n *network) mineOne(ctx context.Context) error {
	for range n.Nodes {
		miner := n.nextMiner()
		if !miner.Running() {
			continue
		}
		begin := time.Now()
		if _, err := miner.Mine(ctx, 1, n.mineTo); err != nil {
			return err
		}
		v, err := n.Converged(ctx)
		if err != nil {
			return err
		}
		n.say("block %d %s, made by %s: all nodes agree after %d ms", v.Height, short(v.Tip), miner.Name, time.Since(begin).Milliseconds())
		return nil
	}
	return errors.New("no node of the network runs any more")
}
