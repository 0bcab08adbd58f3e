package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

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
