package main

import (
	"math"
	"reflect"
	"testing"

	"groat/consensus"
)

func TestActivationsAreRepeatable(t *testing.T) {
	p, err := withActivations(consensus.Regtest(), []string{"segwit@50", "csv@7", "dersig@0", "segwit@51"}) // the last word counts
	if err != nil || p.SegwitHeight != 51 || p.CSVHeight != 7 || p.BIP66Height != 0 || p.BIP65Height != 1 || p.BIP34Height != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// FuzzActivations gives --test-activation-height any text: a usage error, or one height of a copy is moved and nothing else.
func FuzzActivations(f *testing.F) {
	for _, name := range []string{"segwit", "bip34", "dersig", "cltv", "csv", "taproot", "", "SEGWIT", "segwit@1"} {
		for _, height := range []string{"0", "300", "2147483646", "2147483647", "2147483648", "-1", "", " 1", "1e3", "0x10"} {
			f.Add(name + "@" + height)
		}
	}
	f.Add("segwit")
	f.Fuzz(func(t *testing.T, move string) {
		for _, network := range consensus.Names() {
			p, err := consensus.ByName(network)
			if err != nil {
				t.Fatal(err)
			}
			fresh, _ := consensus.ByName(network)
			moved, err := withActivations(p, []string{move})
			if !reflect.DeepEqual(p, fresh) {
				t.Fatalf("%q changed the network itself", move)
			}
			if err != nil {
				if exitCode(err) != exitUsage {
					t.Fatalf("%q: %v is no usage error", move, err)
				}
				continue
			}
			changed := 0
			for _, pair := range [][2]*int32{
				{&p.SegwitHeight, &moved.SegwitHeight}, {&p.BIP34Height, &moved.BIP34Height}, {&p.BIP66Height, &moved.BIP66Height},
				{&p.BIP65Height, &moved.BIP65Height}, {&p.CSVHeight, &moved.CSVHeight},
			} {
				if *pair[1] < 0 || *pair[1] == math.MaxInt32 {
					t.Fatalf("%q led to the height %d", move, *pair[1])
				}
				if *pair[0] != *pair[1] {
					changed++
				}
				*pair[1] = *pair[0]
			}
			moved.BIP34Unique = p.BIP34Unique // follows BIP34's height
			if changed > 1 || !reflect.DeepEqual(moved, p) || !p.TestNetwork {
				t.Fatalf("%q moved %d heights of %s, or more", move, changed, network)
			}
		}
	})
}
