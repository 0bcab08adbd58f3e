package chain

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func TestFollowHeadersKeepsNothing(t *testing.T) {
	s := newStory(t)
	s.Grow("genesis", "a", 3)
	var headers []wire.BlockHeader
	for _, b := range s.Path("a3") {
		if b.Hash() != s.c.o.Params.GenesisHash {
			headers = append(headers, b.Header)
		}
	}
	genesis := consensus.Genesis(s.c.o.Params)
	end, err := s.c.FollowHeaders(t.Context(), genesis, headers)
	if err != nil || end.Hash != s.At("a3").State.Hash || end.Work != s.At("a3").State.Work {
		t.Errorf("leads to %v of work %v: %v", end.Hash, end.Work, err)
	}
	if _, err := s.c.Info(headers[0].BlockHash()); !errors.Is(err, ledger.ErrUnknownBlock) {
		t.Error("a header was kept")
	}
	headers[2].Timestamp = genesis.Header.Timestamp
	for consensus.CheckWork(s.c.o.Params, &headers[2]) != nil {
		headers[2].Nonce++
	}
	if at, err := s.c.FollowHeaders(t.Context(), genesis, headers); !errors.Is(err, consensus.ErrTimeTooOld) || at.Height != 2 {
		t.Errorf("followed to %d: %v", at.Height, err)
	}
}
