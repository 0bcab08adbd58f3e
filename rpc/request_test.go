package rpc

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2"
)

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]btcutil.Amount{
		`0`: 0, `"0"`: 0, `0.0`: 0, `-0`: 0, `1`: 1e8, `"1"`: 1e8, `1.00000000`: 1e8, `0.00000001`: 1, `1e-8`: 1, `"1e-8"`: 1, `0.1e-7`: 1,
		`0.5`: 5e7, `21000000`: 21e14, `21000000.00000000`: 21e14, `2.1e7`: 21e14, `0.01e+6`: 1e12, `0.1000000000000000`: 1e7, `0e999`: 0, `0.000000010000`: 1,
	} {
		v, err := parseValue(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, err := ParseAmount(v); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		`true`: "Amount is not a number or string", `null`: "Amount is not a number or string", `[1]`: "Amount is not a number or string",
		`""`: "Invalid amount", `"a"`: "Invalid amount", `" 1"`: "Invalid amount", `"+1"`: "Invalid amount", `".5"`: "Invalid amount", `"1."`: "Invalid amount",
		`"01"`: "Invalid amount", `"0x1"`: "Invalid amount", `"1e"`: "Invalid amount", `"1e5.0"`: "Invalid amount", `"1,5"`: "Invalid amount", `"NaN"`: "Invalid amount",
		`0.000000001`: "Invalid amount", `1e-9`: "Invalid amount", `1e99999`: "Invalid amount", `1e400`: "Invalid amount", `99999999999999999999`: "Invalid amount",
		`-1`: "Amount out of range", `-0.00000001`: "Amount out of range", `21000000.00000001`: "Amount out of range", `9999999999`: "Amount out of range",
	} {
		v, err := parseValue(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, err := ParseAmount(v); asError(err) != (Error{CodeType, want}) {
			t.Errorf("%s: %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestAmountText(t *testing.T) {
	for amount, want := range map[Amount]string{
		0: "0.00000000", 1: "0.00000001", -1: "-0.00000001", 1e8: "1.00000000", 123456789: "1.23456789", -150000000: "-1.50000000",
		21e14: "21000000.00000000", math.MinInt64: "-92233720368.54775808",
	} {
		if got, err := json.Marshal(amount); err != nil || string(got) != want {
			t.Errorf("%d: %s, %v; want %s", int64(amount), got, err, want)
		}
	}
}

func TestFloatText(t *testing.T) {
	for f, want := range map[Float]string{0: "0", 1: "1", 0.1: "0.1", 1.0 / 3: "0.3333333333333333", 1e20: "1e+20", 1e-7: "1e-07", 123456: "123456", Float(math.NaN()): "0"} {
		if got, err := json.Marshal(f); err != nil || string(got) != want {
			t.Errorf("%v: %s, %v; want %s", float64(f), got, err, want)
		}
	}
}

func TestValues(t *testing.T) {
	for _, text := range []string{`null`, `true`, `"a\"\\\u0001é"`, `-1.50e+3`, `[]`, `{}`, `{"b":1,"a":[null,{"b":false}],"b":2}`, ` [ 1 , 2 ] `} {
		v, err := parseValue(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want := strings.ReplaceAll(text, " ", "")
		if got, err := v.MarshalJSON(); err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	for _, text := range []string{``, ` `, `{`, `]`, `[1,]`, `[1 2]`, `{"a"}`, `{"a":1,}`, `{a:1}`, `'a'`, `01`, `1.`, `+1`, `nul`, `"a`, "\"\x01\"", "\"\xff\"", `1 2`, `[] x`} {
		if v, err := parseValue(text); err == nil {
			t.Errorf("%q is %v", text, v)
		}
	}
}

func TestLimitsOfValues(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if _, err := parseValue(deep(maxDepth + 1)); err != nil { // that many around nothing: Core counts the same
		t.Errorf("%d deep: %v", maxDepth+1, err)
	}
	if _, err := parseValue(deep(maxDepth + 2)); err == nil {
		t.Errorf("%d deep is taken", maxDepth+2)
	}
	for text, ok := range map[string]bool{`[1,2]`: true, `[1,2,3]`: false, `[[[]]]`: true, `[[[[]]]]`: false, `{"a":{"b":1}}`: true, `{"a":1,"b":2,"c":3}`: false} {
		if _, err := parseAtMost(text, 3); (err == nil) != ok {
			t.Errorf("%s as at most three values: %v", text, err)
		}
	}
}

func TestArguments(t *testing.T) {
	r := newRig(t)
	help := r.table["getblockheader"].usage()
	r.refuses("getblockheader", `[]`, -1, help)
	r.refuses("getblockheader", `[1,2,3]`, -1, help)
	r.refuses("getblockheader", `{"verbose":true}`, -3, "Wrong type passed:\n{\n    \"Position 1 (blockhash)\": \"JSON value of type null is not of expected type string\"\n}")
	r.refuses("getblockheader", `[1,"x"]`, -3, "Wrong type passed:\n{\n    \"Position 1 (blockhash)\": \"JSON value of type number is not of expected type string\",\n"+
		"    \"Position 2 (verbose)\": \"JSON value of type string is not of expected type bool\"\n}")
	r.refuses("getblock", `{"verbose":1}`, -3, "Wrong type passed:\n{\n    \"Position 1 (blockhash)\": \"JSON value of type null is not of expected type string\"\n}")
	r.refuses("getblockhash", `{"high":1}`, -8, "Unknown named parameter high")
	r.wants("echojson", `{"arg1":2,"args":[1]}`, "[1,2]")
	r.wants("echojson", `{"args":[1,2]}`, "[1,2]")
	r.wants("echojson", `{"args":5}`, "[]")
	hash := r.tree.At("a1").State.Hash.String()
	r.has("getblock", `{"verbose":1,"blockhash":"`+hash+`"}`, map[string]any{"height": 1}) // an alias
	r.has("getblockheader", `["`+hash+`",null]`, map[string]any{"height": 1})
}

func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"method":"echo","params":["x"],"id":1}`, `{"jsonrpc":"2.0","method":"echo","params":{"args":[1],"arg1":{}},"id":null}`,
		`[{"jsonrpc":"2.0","method":"echo"},1,[],{"id":[]}]`, `[]`, `[[[[`, `{"method":"help","params":["getblock"],"id":1e400}`,
		`{"method":"createrawtransaction","params":[[{"txid":"00","vout":0}],{"data":"00"}]}`, `{"method":"decodescript","params":["6a"]}`,
		`{"method":"decoderawtransaction","params":["02000000000000000000"]}`, `{"method":"validateaddress","params":["bcrt1q"],"id":"é"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := newRigWithout(t)
		maps.DeleteFunc(r.table, func(name string, m *Method) bool { return name == "stop" || m.Category == "wallet" })
		ended, cancel := context.WithCancel(t.Context())
		cancel() // so that nothing waits
		s := &Server{opts: Options{Log: discard()}, active: map[uint64]activeCall{}}
		s.state.Store(&state{table: r.table})
		w := httptest.NewRecorder()
		s.serveBody(w, httptest.NewRequestWithContext(ended, "POST", "/", nil), origin{idle: func(wait func()) { wait() }}, string(body))
		if w.Code != 204 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func FuzzAmount(f *testing.F) {
	for _, seed := range []string{"0", "1", "0.00000001", "1e-8", "21000000", "-1", "1e99999", "0.1e-7", "00", "1.", ".5", "99999999999999999999.9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := ParseAmount(Value{Kind: String, Text: text})
		if err != nil {
			return
		}
		again, err := ParseAmount(Value{Kind: Number, Text: formatAmount(amount)})
		if err != nil || again != amount {
			t.Errorf("%q is %d, which prints as %s", text, amount, formatAmount(amount))
		}
	})
}
