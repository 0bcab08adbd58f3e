package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestRPCArguments(t *testing.T) {
	tests := []struct{ call, want string }{
		{"getblockcount", `[]`},
		{"getblockhash 5", `[5]`},
		{"getblock 00ff 2", `["00ff",2]`},
		{"getblock 1234 2", `["1234",2]`}, // a hash that looks like a number stays a string
		{"getblock blockhash=00ff verbosity=2", `{"blockhash":"00ff","verbosity":2}`},
		{"getblock 00ff verbosity=2", `{"args":["00ff"],"verbosity":2}`},
		{"sendrawtransaction 0200=", `["0200="]`},
		{"getblocktemplate {\"rules\":[\"segwit\"]}", `[{"rules":["segwit"]}]`},
		{"nosuchmethod 5 true word", `[5,true,"word"]`},
	}
	for _, test := range tests {
		fields := strings.Fields(test.call)
		params, err := rpcParams(fields[0], fields[1:])
		if err != nil {
			t.Errorf("%s: %v", test.call, err)
			continue
		}
		got, err := json.Marshal(params)
		if err != nil || string(got) != test.want {
			t.Errorf("%s: sends %s, %v; want %s", test.call, got, err, test.want)
		}
	}
	if _, err := rpcParams("getblock", []string{"blockhash=1", "blockhash=2"}); exitCode(err) != exitUsage {
		t.Errorf("an argument given twice: %v", err)
	}
}

func TestRPCResults(t *testing.T) {
	tests := []struct{ result, want string }{
		{`null`, ""},
		{`"a \"word\""`, "a \"word\"\n"},
		{`5`, "5\n"},
		{`1.50000000`, "1.50000000\n"},
		{`{"a":[1,2],"b":{}}`, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}\n"},
	}
	for _, test := range tests {
		var out bytes.Buffer
		if err := (&app{out: &out}).printResult(json.RawMessage(test.result)); err != nil || out.String() != test.want {
			t.Errorf("%s: prints %q, %v; want %q", test.result, out.String(), err, test.want)
		}
	}
}
