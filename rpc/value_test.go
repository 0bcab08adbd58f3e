package rpc

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// asGo returns v as encoding/json would have read it into an any.
func (v Value) asGo(t *testing.T) any {
	t.Helper()
	switch v.Kind {
	case Bool:
		return v.Text == "true"
	case Number:
		return json.Number(v.Text)
	case String:
		return v.Text
	case Array:
		list := []any{}
		for _, element := range v.List {
			list = append(list, element.asGo(t))
		}
		return list
	case Object:
		object := map[string]any{}
		for i, key := range v.Keys { // the last of equal keys counts there
			object[key] = v.List[i].asGo(t)
		}
		return object
	case Null:
		return nil
	}
	t.Fatalf("a value of kind %q", v.Kind)
	return nil
}

// What parseValue takes it reads as encoding/json does.
func FuzzValue(f *testing.F) {
	for _, text := range []string{
		`{"method":"submitblock","params":["00ff"],"id":1}`, ` [ 1 , -2.5e+3,"a\"b\\","\u00e9\ud83d\ude00\ud800" , { "a" : { } , "a":[ ]} , true,false , null ] `,
		`"\\"`, `0`, `[[],{}]`, "{\"\\u0061\":\t1\r\n}", `[1 2]`, `{"a" 1}`, `"`, ``, `{"a":1,}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := parseValue(raw)
		if err != nil {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("%q was taken: %v", raw, err)
		}
		if got := v.asGo(t); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q was read as %v, want %v", raw, got, want)
		}
	})
}

func BenchmarkParseBlockRequest(b *testing.B) {
	raw := []byte(`{"jsonrpc":"1.0","id":1,"method":"submitblock","params":["` + strings.Repeat("c0ffee00", 1<<17) + `"]}`)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := parseValue(raw); err != nil {
			b.Fatal(err)
		}
	}
}
