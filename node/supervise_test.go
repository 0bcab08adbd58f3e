package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
)

// record notes in which order parts ended.
type record struct {
	mu    sync.Mutex
	ended []string
}

// part returns a part that runs until it is told to stop, or until fail is closed, and then returns err.
func (r *record) part(name string, fail <-chan struct{}, err error) part {
	return part{name, func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ended = append(r.ended, name)
			return nil
		case <-fail:
			return err
		}
	}}
}

func TestPartsStopInReverseOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var r record
	cancel()
	if err := supervise(ctx, slog.New(slog.DiscardHandler), []part{r.part("chain", nil, nil), r.part("pool", nil, nil), r.part("rpc", nil, nil)}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"rpc", "pool", "chain"}; !slices.Equal(r.ended, want) {
		t.Errorf("ended in the order %v, want %v", r.ended, want)
	}
}

func TestFailingPartStopsTheRest(t *testing.T) {
	broken := errors.New("broken")
	for name, end := range map[string]struct{ gives, want error }{"fails": {broken, broken}, "ends": {nil, errStopped}} {
		t.Run(name, func(t *testing.T) {
			var r record
			now := make(chan struct{})
			close(now)
			err := supervise(t.Context(), slog.New(slog.DiscardHandler), []part{r.part("chain", nil, nil), r.part("pool", now, end.gives), r.part("rpc", nil, nil)})
			if !errors.Is(err, end.want) || err.Error() != "pool: "+end.want.Error() {
				t.Errorf("got %v, want %v of the pool", err, end.want)
			}
			if want := []string{"rpc", "chain"}; !slices.Equal(r.ended, want) {
				t.Errorf("ended in the order %v, want %v", r.ended, want)
			}
		})
	}
}
