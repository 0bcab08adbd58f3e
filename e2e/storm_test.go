package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"groat/rpc/client"
	"groat/testnet"
)

// storm is what many callers do to a node at the same time.
type storm struct {
	t    *testing.T
	n    *testnet.Node
	ctx  context.Context
	own  [2]string // an address of each wallet
	stop context.CancelFunc
}

// stormWallets returns the wallets of a storm.
func stormWallets() [2]string { return [2]string{"first", "second"} }

// try calls a method. Errors with one of the codes are part of the weather.
func (s *storm) try(wallet string, result any, method string, codes []int, params ...any) bool {
	err := s.n.WalletCall(s.ctx, wallet, result, method, params...)
	var told *client.Error
	if err != nil && s.ctx.Err() == nil && !(errors.As(err, &told) && slices.Contains(codes, told.Code)) {
		s.t.Errorf("%s: %v", method, err)
		s.stop()
	}
	return err == nil
}

// pay sends money from one wallet to the other. There may be no funds, the chain of unconfirmed payments may be too long, and a coin may vanish with
// its block.
func (s *storm) pay() {
	i := rand.IntN(2)
	s.try(stormWallets()[i], nil, "sendtoaddress", []int{-6, -25, -26}, s.own[1-i], json.Number("0.0"+string(rune('1'+rand.IntN(9)))))
}

// turn marks one of the last blocks invalid, mines beside it, and takes the mark back.
func (s *storm) turn() {
	var height int
	var hash string
	if !s.try("first", &height, "getblockcount", nil) || !s.try("first", &hash, "getblockhash", []int{-8}, height-rand.IntN(4)) {
		return
	}
	if s.try("first", nil, "invalidateblock", nil, hash) {
		s.try("first", nil, "generatetoaddress", nil, rand.IntN(4), demoAddress)
		s.try("first", nil, "reconsiderblock", nil, hash)
	}
}

// look asks this and that.
func (s *storm) look() {
	questions := []func(){
		func() { s.try("first", nil, "getblocktemplate", nil, map[string]any{"rules": []string{"segwit"}}) },
		func() { s.try("first", nil, "getrawmempool", nil, true) },
		func() { s.try("first", nil, "listtransactions", nil) },
		func() { s.try("second", nil, "listunspent", nil, 0) },
		func() { s.try("first", nil, "gettxoutsetinfo", nil) },
		func() { s.try("second", nil, "getwalletinfo", nil) },
		func() { s.try("first", nil, "getchaintxstats", nil) },
		func() { s.try("first", nil, "waitfornewblock", nil, 50) },
		func() { s.try("first", nil, "getchaintips", nil) },
	}
	questions[rand.IntN(len(questions))]()
}

// TestStorm lets many callers pay, mine, turn the chain and ask at the same time, and looks whether chain, pool and wallets agree afterwards.
func TestStorm(t *testing.T) {
	n := start(t, testnet.Config{Nodes: 1}).Nodes[0]
	s := &storm{t: t, n: n}
	s.ctx, s.stop = context.WithCancel(t.Context())
	defer s.stop()
	for i, name := range stormWallets() {
		call(t, n, nil, "createwallet", name)
		s.try(name, &s.own[i], "getnewaddress", nil)
		mine(t, n, 10, s.own[i])
	}
	mine(t, n, 100, demoAddress)
	var group sync.WaitGroup
	for _, who := range []func(){
		s.pay, s.pay, s.pay, s.turn, s.look, s.look, s.look,
		func() { s.try("first", nil, "generatetoaddress", nil, 1, s.own[rand.IntN(2)]) },
	} {
		group.Go(func() {
			for range soak(t, 15) {
				if s.ctx.Err() == nil {
					who()
				}
			}
		})
	}
	group.Wait()
	s.agree()
}

// agree demands that the stored blocks are right, and that the coins of the wallets are those of the chain.
func (s *storm) agree() {
	mine(s.t, s.n, 1, demoAddress) // confirms what is on its way
	var right bool
	call(s.t, s.n, &right, "verifychain", 4, 0)
	if !right {
		s.t.Error("the chain does not verify")
	}
	for _, name := range stormWallets() {
		var coins []struct {
			TxID   string
			Vout   int
			Amount float64
		}
		s.try(name, &coins, "listunspent", nil)
		if len(coins) == 0 {
			s.t.Errorf("wallet %s has nothing", name)
		}
		for _, c := range coins {
			var out *struct{ Value float64 }
			call(s.t, s.n, &out, "gettxout", c.TxID, c.Vout)
			if out == nil || out.Value != c.Amount {
				s.t.Errorf("wallet %s has the coin %+v, the chain %+v", name, c, out)
			}
		}
	}
}
