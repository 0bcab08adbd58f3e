package testnet

import (
	"errors"
	"testing"
)

func TestAgreed(t *testing.T) {
	a := View{Node: "n0", Height: 5, Tip: "t", UTXO: "u"}
	b := View{Node: "n1", Height: 5, Tip: "t", UTXO: "u", Peers: 3}
	if v, err := Agreed([]View{a, b}); err != nil || v != a {
		t.Errorf("equal ledgers: %v, %v", v, err)
	}
	for name, differs := range map[string]View{
		"another tip":   {Node: "n1", Height: 6, Tip: "x", UTXO: "u"},
		"another coins": {Node: "n1", Height: 5, Tip: "t", UTXO: "x"},
	} {
		if _, err := Agreed([]View{a, b, differs}); !errors.Is(err, ErrDisagree) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Agreed(nil); err == nil {
		t.Error("no node agrees with none")
	}
}
