package rpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// How long a long poll waits before it looks at the pool, first and again (BIP22 leaves it open), and how long a
// template is handed out although transactions have come.
const (
	firstPoll   = time.Minute
	nextPoll    = 10 * time.Second
	templateAge = 5 * time.Second

	maxBlockSize = 4_000_000 // bytes: what the weight limit allows at most
)

func (a *api) templateMethods() []Method {
	return []Method{{
		Name: "getblocktemplate", Category: "mining", Run: a.getBlockTemplate,
		Args: []Arg{{
			Name: "template_request", Type: ArgObject, Required: true,
			Sample: `{"mode":"str","capabilities":["str",...],"rules":["segwit","str",...],"longpollid":"str","data":"hex"}`,
			Help:   "Format of the template",
		}},
		Help: "If the request parameters include a 'mode' key, that is used to explicitly select between the default 'template' request or a 'proposal'.\n" +
			"It returns data needed to construct a block to work on.\nFor full specification, see BIPs 22, 23, 9, and 145.",
		Result: "{...}, or for a proposal null or a string according to BIP22",
	}}
}

func (a *api) getBlockTemplate(ctx context.Context, c *Call) (any, error) {
	request := c.Value(0)
	mode := "template"
	if v, _ := request.Get("mode"); v.Kind == String {
		mode = v.Text
	} else if !v.IsNull() {
		return nil, errorf(CodeInvalidParameter, "Invalid mode")
	}
	if mode == "proposal" {
		return a.checkProposal(ctx, request)
	}
	if mode != "template" {
		return nil, errorf(CodeInvalidParameter, "Invalid mode")
	}
	segwit := false
	rules, _ := request.Get("rules")
	for _, v := range rules.List {
		name, err := v.AsString()
		if err != nil {
			return nil, err
		}
		segwit = segwit || name == "segwit"
	}
	if err := a.checkMayMine(); err != nil {
		return nil, err
	}
	if poll, _ := request.Get("longpollid"); !poll.IsNull() {
		if err := a.longPoll(ctx, c, poll); err != nil {
			return nil, err
		}
	}
	if !segwit {
		return nil, errorf(CodeInvalidParameter, `getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})`)
	}
	tmpl, err := a.templates.get(ctx, a)
	if err != nil {
		return nil, err
	}
	return a.templateJSON(tmpl), nil
}

// checkMayMine refuses templates to a node that is alone or behind, unless blocks come at will on its network.
func (a *api) checkMayMine() error {
	switch {
	case a.Params.TestNetwork:
		return nil
	case a.Network == nil || a.Network.Count() == 0:
		return errorf(CodeNotConnected, "groat is not connected!")
	case a.Chain.InitialDownload():
		return errorf(CodeDownloading, "groat is in initial sync and waiting for blocks...")
	}
	return nil
}

// checkProposal judges a block that has no proof of work yet (BIP23).
func (a *api) checkProposal(ctx context.Context, request Value) (any, error) {
	data, _ := request.Get("data")
	if data.Kind != String {
		return nil, errorf(CodeType, "Missing data String key for proposal")
	}
	b, ok := parseBlock(data.Text)
	if !ok {
		return nil, errorf(CodeDecode, "Block decode failed")
	}
	if verdict := a.knownVerdict(b.Hash()); verdict != "" {
		return verdict, nil
	}
	if b.Header.PrevBlock != a.Chain.Tip().Hash {
		return "inconclusive-not-best-prevblk", nil
	}
	err := a.Miner.Check(ctx, b)
	if reason, refused := reasonOf(err); refused {
		return reason, nil
	}
	return nil, err
}

// longPoll waits until the tip is another than when the poll's id was handed out, or until transactions have come and some time has passed.
func (a *api) longPoll(ctx context.Context, c *Call, id Value) error {
	tip, sequence := a.Chain.Tip().Hash, a.Pool.Info().Sequence
	if id.Kind == String {
		var err error
		text := id.Text[:min(len(id.Text), chainhash.MaxHashStringSize)]
		if tip, err = parseHash(text, "longpollid"); err != nil {
			return err
		}
		sequence, _ = strconv.ParseUint(id.Text[len(text):], 10, 64) // an id of somebody else's is out of date
	}
	c.Idle(func() {
		for wait := firstPoll; ; wait = nextPoll {
			limited, cancel := context.WithTimeout(ctx, wait)
			now := followTip(limited, a.Chain, func(s consensus.State) bool { return s.Hash != tip })
			cancel()
			if now.Hash != tip || ctx.Err() != nil || a.Pool.Info().Sequence != sequence {
				return
			}
		}
	})
	if ctx.Err() != nil {
		return errorf(CodeNotConnected, "Shutting down")
	}
	return nil
}

// templateCache keeps the last template: miners ask often, and a new one every few seconds is enough.
type templateCache struct {
	mu   sync.Mutex // guards all below; held while a template is made, so that it is made once
	last *ledger.Template
	tip  chainhash.Hash
	made time.Time
}

func (t *templateCache) get(ctx context.Context, a *api) (*ledger.Template, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tip, now := a.Chain.Tip().Hash, time.Now()
	if t.last != nil && t.tip == tip && (t.last.Sequence == a.Pool.Info().Sequence || now.Sub(t.made) < templateAge) {
		return t.last, nil
	}
	tmpl, err := a.Miner.Template(ctx, []byte{txscript.OP_TRUE}) // the caller makes a coinbase of its own
	if err != nil {
		return nil, err
	}
	t.last, t.tip, t.made = tmpl, tmpl.Block.Header.PrevBlock, now
	return tmpl, nil
}

// headWeight is what Core keeps free for the header and the coinbase of a block.
const headWeight = 4000

// size returns the number of transactions of the last template without the coinbase, and its weight as Core counts it; false if there is none.
func (t *templateCache) size() (txs, weight int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		return 0, 0, false
	}
	weight = headWeight
	for _, msg := range t.last.Block.Transactions[1:] {
		weight += consensus.NewTx(msg).Weight()
		txs++
	}
	return txs, weight, true
}

// templateTx is a transaction of a template (BIP22, BIP145).
type templateTx struct {
	Data    hexBytes `json:"data"`
	TxID    string   `json:"txid"`
	Hash    string   `json:"hash"`
	Depends []int    `json:"depends"`
	Fee     int64    `json:"fee"`
	SigOps  int      `json:"sigops"`
	Weight  int      `json:"weight"`
}

type templateJSON struct {
	Capabilities []string       `json:"capabilities"`
	Version      int32          `json:"version"`
	Rules        []string       `json:"rules"`
	Available    map[string]int `json:"vbavailable"`
	Required     int            `json:"vbrequired"`
	Previous     string         `json:"previousblockhash"`
	Transactions []templateTx   `json:"transactions"`
	CoinbaseAux  map[string]int `json:"coinbaseaux"`
	Value        int64          `json:"coinbasevalue"`
	LongPollID   string         `json:"longpollid"`
	Target       string         `json:"target"`
	MinTime      int64          `json:"mintime"`
	Mutable      []string       `json:"mutable"`
	NonceRange   string         `json:"noncerange"`
	SigOpLimit   int            `json:"sigoplimit"`
	SizeLimit    int            `json:"sizelimit"`
	WeightLimit  int            `json:"weightlimit"`
	Time         int64          `json:"curtime"`
	Bits         string         `json:"bits"`
	Height       int32          `json:"height"`
	Commitment   hexBytes       `json:"default_witness_commitment,omitempty"`
}

func (a *api) templateJSON(t *ledger.Template) templateJSON {
	h := &t.Block.Header
	return templateJSON{
		Capabilities: []string{"proposal"},
		Version:      h.Version,
		Rules:        []string{"csv", "!segwit", "taproot"},
		Available:    map[string]int{},
		Previous:     h.PrevBlock.String(),
		Transactions: templateTxs(t),
		CoinbaseAux:  map[string]int{},
		Value:        sats(t.Value),
		LongPollID:   h.PrevBlock.String() + strconv.FormatUint(t.Sequence, 10),
		Target:       targetHex(h.Bits),
		MinTime:      t.MinTime.Unix(),
		Mutable:      []string{"time", "transactions", "prevblock"},
		NonceRange:   fmt.Sprintf("%08x%08x", 0, uint32(math.MaxUint32)),
		SigOpLimit:   consensus.MaxBlockSigOpCost,
		SizeLimit:    maxBlockSize,
		WeightLimit:  consensus.MaxBlockWeight,
		Time:         max(t.MinTime.Unix(), a.now().Unix()),
		Bits:         bitsHex(h.Bits),
		Height:       t.Height,
		Commitment:   t.Witness,
	}
}

// templateTxs shows the transactions of a template after the coinbase. Depends counts them from 1.
func templateTxs(t *ledger.Template) []templateTx {
	place := make(map[chainhash.Hash]int, len(t.Block.Transactions))
	shown := make([]templateTx, 0, len(t.Block.Transactions))
	for i, msg := range t.Block.Transactions {
		if i == 0 {
			continue
		}
		tx := consensus.NewTx(msg)
		place[tx.TxID()] = i
		j := templateTx{
			Data: tx.Raw(), TxID: tx.TxID().String(), Hash: tx.WTxID().String(), Depends: []int{},
			Fee: sats(t.Fees[i]), SigOps: t.SigOps[i], Weight: tx.Weight(),
		}
		for _, in := range msg.TxIn {
			if parent, ok := place[in.PreviousOutPoint.Hash]; ok {
				j.Depends = append(j.Depends, parent)
			}
		}
		shown = append(shown, j)
	}
	return shown
}

// targetHex returns the target of compact bits as 64 digits.
func targetHex(bits uint32) string {
	target, _ := consensus.Target(bits) // a template's bits come from the difficulty rule
	var be [chainhash.HashSize]byte
	return hex.EncodeToString(target.FillBytes(be[:]))
}
