package consensus

import (
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
)

func TestAmountsInMessages(t *testing.T) {
	for amount, want := range map[btcutil.Amount]string{0: "0.00", 1: "0.00000001", 5e9: "50.00", 5e9 + 10: "50.0000001", 12e7: "1.20", 123e6: "1.23", 1234e5: "1.234", MaxMoney: "21000000.00"} {
		if got := coinText(amount); got != want {
			t.Errorf("%d: %s, want %s", int64(amount), got, want)
		}
	}
}
