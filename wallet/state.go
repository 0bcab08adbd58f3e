package wallet

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

// place is a block in a file.
type place struct {
	Hash   chainhash.Hash `json:"hash"`
	Height int32          `json:"height"`
}

// stateFile is the content of a .state file: what the wallet found up to a place in the chain.
type stateFile struct {
	ID    string    `json:"id"` // of the .wallet file
	Place place     `json:"place"`
	Txs   []stateTx `json:"transactions"` // oldest first
}

// stateTx is a record in a file.
type stateTx struct {
	Raw       string `json:"raw"`
	Seen      int64  `json:"seen"`
	Own       bool   `json:"own,omitempty"`
	Abandoned bool   `json:"abandoned,omitempty"`
	Block     *place `json:"block,omitempty"`
	Index     int    `json:"index,omitempty"`
	BlockTime int64  `json:"block_time,omitempty"`
	Conflict  *place `json:"conflict,omitempty"`
}

// encodeState returns the bytes of the .state file of a book.
func encodeState(id string, b *book) ([]byte, error) {
	f := stateFile{ID: id, Place: place(b.place)}
	for _, r := range (&view{book: b}).sorted() {
		t := stateTx{
			Raw: hex.EncodeToString(r.tx.Raw()), Seen: r.seen.Unix(), Own: r.own, Abandoned: r.abandoned,
			Block: placeOf(r.block), Index: r.index, Conflict: placeOf(r.conflict),
		}
		if r.confirmed() {
			t.BlockTime = r.blockTime.Unix()
		}
		f.Txs = append(f.Txs, t)
	}
	return f.encode()
}

// encode returns the bytes of the file.
func (f stateFile) encode() ([]byte, error) {
	body, err := json.Marshal(f)
	return withHead(stateMagic, body), err
}

// placeOf returns nil for the zero Ref.
func placeOf(ref ledger.Ref) *place {
	if ref.Hash == (chainhash.Hash{}) {
		return nil
	}
	p := place(ref)
	return &p
}

// ref undoes placeOf.
func (p *place) ref() ledger.Ref {
	if p == nil {
		return ledger.Ref{}
	}
	return ledger.Ref(*p)
}

// decodeState reads the .state file of the wallet id into a book. What is no such file is an ErrWalletDamaged.
func decodeState(id string, keys *keyring, raw []byte) (*book, error) {
	var f stateFile
	if err := decodeFile(stateMagic, raw, &f); err != nil {
		return nil, err
	}
	if f.ID != id {
		return nil, fmt.Errorf("%w: it belongs to another wallet", ledger.ErrWalletDamaged)
	}
	if f.Place.Height < 0 {
		return nil, fmt.Errorf("%w: its place", ledger.ErrWalletDamaged)
	}
	b := newBook(keys, ledger.Ref(f.Place))
	for i, t := range f.Txs {
		r, err := t.record()
		if err != nil {
			return nil, fmt.Errorf("%w: transaction %d: %w", ledger.ErrWalletDamaged, i, err)
		}
		if b.txs[r.tx.TxID()] != nil {
			return nil, fmt.Errorf("%w: transaction %d stands there twice", ledger.ErrWalletDamaged, i)
		}
		b.order++
		r.order = b.order
		b.put(r)
	}
	return b, b.useAll()
}

// record reads one transaction.
func (t stateTx) record() (*record, error) {
	raw, err := hex.DecodeString(t.Raw)
	if err != nil {
		return nil, err
	}
	tx, err := consensus.ParseTx(raw)
	if err != nil {
		return nil, err
	}
	r := &record{
		tx: tx, seen: time.Unix(t.Seen, 0), own: t.Own, abandoned: t.Abandoned,
		block: t.Block.ref(), index: t.Index, conflict: t.Conflict.ref(),
	}
	if r.block.Height < 0 || r.conflict.Height < 0 || t.Index < 0 {
		return nil, fmt.Errorf("its block is out of range")
	}
	if r.confirmed() {
		r.blockTime = time.Unix(t.BlockTime, 0)
	}
	return r, nil
}

// useAll notes the addresses of all transactions, until no more of them turn up.
func (b *book) useAll() error {
	for grown := true; grown; {
		grown = false
		for _, r := range b.txs {
			more, err := b.use(r.tx)
			if err != nil {
				return err
			}
			grown = grown || more
		}
	}
	return nil
}
