package rpc

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"
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

// parseValue takes what is UTF-8 and valid to encoding/json, up to its limits, and reads it as that does.
func FuzzValue(f *testing.F) {
	for _, text := range []string{
		`{"method":"submitblock","params":["00ff"],"id":1}`, ` [ 1 , -2.5e+3,"a\"b\\","\u00e9\ud83d\ude00\ud800" , { "a" : { } , "a":[ ]} , true,false , null ] `,
		`"\\"`, `0`, `[[],{}]`, "{\"\\u0061\":\t1\r\n}", `[1 2]`, `{"a" 1}`, `"`, ``, `{"a":1,}`, `-`, `-0.0E-0`, `1.e1`, `00`, `truely`, `[,]`, `"\x"`, `"\u12g4"`,
		"\"seven b\x7f\xc3\xa9 and a \xed\xa0\x80\"", "\"12345678\x1f\"", "\"1234567\x00\"", `"12345678\`, "\"caf\xc3\"", "\xef\xbb\xbf1", "1\x00", `{"a":"b","c"`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseValue(text)
		if good := utf8.ValidString(text) && json.Valid([]byte(text)); good != (err == nil) {
			if good && len(text) > maxDepth {
				t.Skip("it may be beyond a limit")
			}
			t.Fatalf("%q: %v, but encoding/json says %v", text, err, good)
		}
		if err != nil {
			return
		}
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("%q was taken: %v", text, err)
		}
		if got := v.asGo(t); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q was read as %v, want %v", text, got, want)
		}
	})
}

// Every byte at every distance from the end of a string, among letters that stand for themselves, is judged as encoding/json does.
func TestBytesOfStrings(t *testing.T) {
	const around = "0123456789abcdef\u00e9"
	for c := range 256 {
		for i := range len(around) - 1 {
			text := `"` + around[:i] + string([]byte{byte(c)}) + around[i:] + `"`
			_, err := parseValue(text)
			if good := utf8.ValidString(text) && json.Valid([]byte(text)); good != (err == nil) {
				t.Errorf("%q: %v, but encoding/json says %v", text, err, good)
			}
		}
	}
}

// A string that is most of a request is not copied; a short one does not keep the request in memory.
func TestStringsOfRequests(t *testing.T) {
	long, short := strings.Repeat("c0ffee00", 1<<10), "label"
	text := `["` + short + `","` + long + `"]`
	v, err := parseValue(text)
	if err != nil {
		t.Fatal(err)
	}
	shares := func(s string) bool {
		from, at := uintptr(unsafe.Pointer(unsafe.StringData(text))), uintptr(unsafe.Pointer(unsafe.StringData(s)))
		return at >= from && at < from+uintptr(len(text))
	}
	if shares(v.List[0].Text) || !shares(v.List[1].Text) || v.List[1].Text != long {
		t.Errorf("shared: %v and %v", shares(v.List[0].Text), shares(v.List[1].Text))
	}
}

func BenchmarkParseBlockRequest(b *testing.B) {
	text := `{"jsonrpc":"1.0","id":1,"method":"submitblock","params":["` + strings.Repeat("c0ffee00", 1<<17) + `"]}`
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseValue(text); err != nil {
			b.Fatal(err)
		}
	}
}
