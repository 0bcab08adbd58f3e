package testnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"groat/rpc/client"
)

// Party is a wallet on one of the nodes.
type Party struct {
	Node   *Node
	Wallet string
}

// codeWalletExists and codeWalletLoaded are what createwallet answers when the wallet is there from an earlier run.
const (
	codeWalletError  = -4
	codeWalletLoaded = -35
	codeWalletExists = -36
)

// Open creates the party's wallet, or loads the one that is there.
func (p Party) Open(ctx context.Context) error {
	err := p.Node.Call(ctx, nil, "createwallet", p.Wallet)
	var rpc *client.Error
	if !errors.As(err, &rpc) || (rpc.Code != codeWalletError && rpc.Code != codeWalletExists) {
		return err
	}
	err = p.Node.Call(ctx, nil, "loadwallet", p.Wallet)
	if errors.As(err, &rpc) && (rpc.Code == codeWalletLoaded || rpc.Code == codeWalletError) {
		return nil
	}
	return err
}

// Address returns a new address of the party.
func (p Party) Address(ctx context.Context) (string, error) {
	var address string
	err := p.Node.WalletCall(ctx, p.Wallet, &address, "getnewaddress")
	return address, err
}

// Payment is what was seen of one payment.
type Payment struct {
	TxID      string
	Amount    string        // in coins
	Seen      time.Duration // until the last node had it in its pool
	Block     string        // hash of the block that confirmed it; "" until then
	Height    int32
	Confirmed time.Duration // until the last node had that block
}

// Mine makes blocks on a node that pay to address and returns their hashes.
func (n *Node) Mine(ctx context.Context, blocks int, address string) ([]string, error) {
	var hashes []string
	err := n.Call(ctx, &hashes, "generatetoaddress", blocks, address)
	return hashes, err
}

// Pay lets one party pay another and waits until every running node has the transaction.
func (w *Network) Pay(ctx context.Context, from, to Party, amount string) (Payment, error) {
	p := Payment{Amount: amount}
	address, err := to.Address(ctx)
	if err != nil {
		return p, err
	}
	begin := time.Now()
	if err := from.Node.WalletCall(ctx, from.Wallet, &p.TxID, "sendtoaddress", address, amount); err != nil {
		return p, err
	}
	if p.Seen, err = w.watch(ctx, begin, func(n *Node) (bool, error) { return n.hasTx(ctx, p.TxID) }); err != nil {
		return p, fmt.Errorf("payment %s did not reach every node: %w", p.TxID, err)
	}
	return p, nil
}

// hasTx reports whether a transaction is in the node's pool.
func (n *Node) hasTx(ctx context.Context, txid string) (bool, error) {
	err := n.Call(ctx, nil, "getmempoolentry", txid)
	var rpc *client.Error
	if errors.As(err, &rpc) {
		return false, nil // not yet
	}
	return err == nil, err
}

// Confirm makes a block on a node and waits until every running node has it as its tip. Then it checks that the block holds the payment.
func (w *Network) Confirm(ctx context.Context, miner *Node, address string, p *Payment) error {
	begin := time.Now()
	hashes, err := miner.Mine(ctx, 1, address)
	if err != nil {
		return err
	}
	if len(hashes) != 1 {
		return fmt.Errorf("%s made %d blocks, not 1", miner.Name, len(hashes))
	}
	p.Block = hashes[0]
	p.Confirmed, err = w.watch(ctx, begin, func(n *Node) (bool, error) {
		var tip string
		err := n.Call(ctx, &tip, "getbestblockhash")
		return tip == p.Block, err
	})
	if err != nil {
		return fmt.Errorf("block %s did not reach every node: %w", p.Block, err)
	}
	return w.checkConfirmed(ctx, p)
}

// ErrUnconfirmed says that a payment is not in the block that should hold it.
var ErrUnconfirmed = errors.New("the payment is not in the block")

// checkConfirmed asks every running node for the block and looks for the payment in it.
func (w *Network) checkConfirmed(ctx context.Context, p *Payment) error {
	for _, n := range w.running() {
		var block struct {
			Height int32    `json:"height"`
			Txs    []string `json:"tx"`
		}
		if err := n.Call(ctx, &block, "getblock", p.Block); err != nil {
			return err
		}
		if !slices.Contains(block.Txs, p.TxID) {
			return fmt.Errorf("%w: %s finds %s not in block %d", ErrUnconfirmed, n.Name, p.TxID, block.Height)
		}
		p.Height = block.Height
	}
	return nil
}
