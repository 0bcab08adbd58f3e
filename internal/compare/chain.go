package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"groat/consensus"
	"groat/internal/blockfile"
	"groat/internal/loadchain"
)

// freshFor is how long a generated chain is used again: btcd serves none whose tip is older than a day.
const freshFor = 12 * time.Hour

// testChain is the chain that everybody gets.
type testChain struct {
	blocks []string // in hexadecimal
	txs    int      // payments
	bytes  int
	tip    string // hash
}

// loadChain reads the chain from its file, which it makes if there is none that will do.
func loadChain(o options) (*testChain, error) {
	path := filepath.Join(o.dir, fmt.Sprintf("regtest-%d-%d.blocks", o.txs, o.perBlock))
	if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) > freshFor {
		fmt.Fprintf(os.Stderr, "making a chain of %d payments\n", o.txs)
		if err := makeChain(o, path); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	c := &testChain{txs: o.txs}
	r := blockfile.NewReader(consensus.Regtest(), f, info.Size())
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return nil, err
		}
		raw, err := r.Block(h)
		if err != nil {
			return nil, err
		}
		c.blocks = append(c.blocks, hex.EncodeToString(raw))
		c.bytes += len(raw)
		c.tip = chainhash.DoubleHashH(h.Header[:]).String()
	}
}

func makeChain(o options, path string) (err error) {
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(path+".part", path)
		}
	}()
	p, w := consensus.Regtest(), bufio.NewWriter(f)
	spec := loadchain.Spec{Params: p, Kind: loadchain.P2WPKH, Txs: o.txs, TxsPerBlock: o.perBlock, Last: time.Now()}
	if err := loadchain.Make(spec, func(b *consensus.Block) error { return blockfile.Write(w, p, b.Raw()) }); err != nil {
		return err
	}
	return w.Flush()
}
