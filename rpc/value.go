package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Limits on what a request may be made of. The depth is Bitcoin Core's.
const (
	maxDepth  = 512
	maxValues = 1 << 20 // in one request: keeps the memory for it within a small multiple of the largest body
)

// errParse is returned for bytes that are no JSON, or more of it than the limits allow.
var errParse = errors.New("not JSON")

// Kind is the kind of a JSON value, with the name that Core's type errors use.
type Kind string

// The kinds of JSON values.
const (
	Null   Kind = "null"
	Bool   Kind = "bool"
	Object Kind = "object"
	Array  Kind = "array"
	String Kind = "string"
	Number Kind = "number"
)

// Value is a JSON value as it was sent: numbers keep their digits, objects their order and their repeated keys.
type Value struct {
	Kind Kind
	Text string   // of a String; the digits of a Number; "true" or "false" of a Bool
	Keys []string // of an Object, one per element of List
	List []Value  // the values of an Array or Object
}

// parseValue reads one JSON value that fills raw. It returns errParse for everything else.
func parseValue(raw []byte) (Value, error) { return parseAtMost(raw, maxValues) }

// parseAtMost is parseValue for so many values, those inside of others included.
func parseAtMost(raw []byte, values int) (Value, error) {
	if !utf8.Valid(raw) || !json.Valid(raw) {
		return Value{}, errParse
	}
	p := parser{rest: raw, left: values}
	return p.value(maxDepth)
}

// parser builds a Value of bounded depth and size from JSON that is known to be valid. A block in hexadecimal is a string of megabytes: it is found
// and copied, not looked at letter by letter.
type parser struct {
	rest []byte
	left int // values that may still follow
}

// peek returns the next byte that is no space.
func (p *parser) peek() byte {
	p.rest = bytes.TrimLeft(p.rest, " \t\r\n")
	return p.rest[0]
}

// take returns the next n bytes.
func (p *parser) take(n int) string {
	text := string(p.rest[:n])
	p.rest = p.rest[n:]
	return text
}

func (p *parser) value(depth int) (Value, error) {
	p.left--
	if p.left < 0 || depth < 0 {
		return Value{}, errParse
	}
	switch p.peek() {
	case '{', '[':
		return p.list(depth)
	case '"':
		text, err := p.string()
		return Value{Kind: String, Text: text}, err
	case 'n':
		p.take(len("null"))
		return Value{Kind: Null}, nil
	case 't':
		return Value{Kind: Bool, Text: p.take(len("true"))}, nil
	case 'f':
		return Value{Kind: Bool, Text: p.take(len("false"))}, nil
	}
	end := bytes.IndexAny(p.rest, " \t\r\n,]}")
	if end < 0 {
		end = len(p.rest)
	}
	return Value{Kind: Number, Text: p.take(end)}, nil
}

// string reads a string, which is next.
func (p *parser) string() (string, error) {
	end := 1 + bytes.IndexByte(p.rest[1:], '"')
	if bytes.IndexByte(p.rest[:end], '\\') < 0 {
		return p.take(end + 1)[1:end], nil
	}
	for end = 1; p.rest[end] != '"'; end++ {
		if p.rest[end] == '\\' {
			end++
		}
	}
	var text string
	err := json.Unmarshal(p.rest[:end+1], &text)
	p.rest = p.rest[end+1:]
	return text, err
}

// list reads an array or object, which is next.
func (p *parser) list(depth int) (Value, error) {
	v, end := Value{Kind: Array}, byte(']')
	if p.rest[0] == '{' {
		v, end = Value{Kind: Object}, '}'
	}
	p.rest = p.rest[1:]
	for p.peek() != end {
		if p.rest[0] == ',' {
			p.rest = p.rest[1:]
			continue
		}
		if v.Kind == Object {
			key, err := p.string()
			if err != nil {
				return Value{}, err
			}
			p.peek()
			p.rest = p.rest[1:] // the colon
			v.Keys = append(v.Keys, key)
		}
		element, err := p.value(depth - 1)
		if err != nil {
			return Value{}, err
		}
		v.List = append(v.List, element)
	}
	p.rest = p.rest[1:]
	return v, nil
}

// Get returns the first value of an object with this key, and false if there is none.
func (v Value) Get(key string) (Value, bool) {
	for i, k := range v.Keys {
		if k == key {
			return v.List[i], true
		}
	}
	return Value{Kind: Null}, false
}

// IsNull reports whether v is null or was not given.
func (v Value) IsNull() bool { return v.Kind == Null || v.Kind == "" }

// MarshalJSON returns v as it was sent, without its spaces.
func (v Value) MarshalJSON() ([]byte, error) {
	var w bytes.Buffer
	if err := v.write(&w); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

func (v Value) write(w *bytes.Buffer) error {
	switch v.Kind {
	case Null, "":
		w.WriteString("null")
	case Bool, Number:
		w.WriteString(v.Text)
	case String:
		return writeString(w, v.Text)
	case Array, Object:
		return v.writeList(w)
	}
	return nil
}

func (v Value) writeList(w *bytes.Buffer) error {
	open, end := byte('['), byte(']')
	if v.Kind == Object {
		open, end = '{', '}'
	}
	w.WriteByte(open)
	for i, element := range v.List {
		if i > 0 {
			w.WriteByte(',')
		}
		if v.Kind == Object {
			if err := writeString(w, v.Keys[i]); err != nil {
				return err
			}
			w.WriteByte(':')
		}
		if err := element.write(w); err != nil {
			return err
		}
	}
	w.WriteByte(end)
	return nil
}

// writeString writes s as a JSON string, without the escapes that are for HTML only.
func writeString(w *bytes.Buffer, s string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	w.Truncate(w.Len() - 1) // the newline that Encode adds
	return nil
}

// wrongType is Core's error for a value of another kind than wanted.
func wrongType(got Value, want Kind) error {
	return errorf(CodeType, "%s", typeMismatch(got, want))
}

func typeMismatch(got Value, want Kind) string {
	kind := got.Kind
	if kind == "" {
		kind = Null
	}
	return fmt.Sprintf("JSON value of type %s is not of expected type %s", kind, want)
}

// AsString returns the text of a JSON string, or Core's type error.
func (v Value) AsString() (string, error) {
	if v.Kind != String {
		return "", wrongType(v, String)
	}
	return v.Text, nil
}

// AsBool returns a JSON boolean, or Core's type error.
func (v Value) AsBool() (bool, error) {
	if v.Kind != Bool {
		return false, wrongType(v, Bool)
	}
	return v.Text == "true", nil
}

// AsInt returns a JSON number as an integer of at most so many bits, or Core's error.
func (v Value) AsInt(bits int) (int64, error) {
	if v.Kind != Number {
		return 0, wrongType(v, Number)
	}
	n, err := strconv.ParseInt(v.Text, 10, bits)
	if err != nil {
		return 0, errorf(CodeMisc, "JSON integer out of range")
	}
	return n, nil
}
