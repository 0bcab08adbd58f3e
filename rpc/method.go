package rpc

import (
	"context"
	"strconv"
	"strings"
)

// ArgType says what JSON an argument takes.
type ArgType uint8

// The types of arguments.
const (
	ArgAny    ArgType = iota // the handler looks itself
	ArgString                // a string
	ArgHex                   // a string of hexadecimal digits
	ArgInt                   // an integer of 32 bits
	ArgInt64                 // an integer of 64 bits
	ArgNumber                // a number, perhaps with a fraction
	ArgAmount                // an amount: a number or a string
	ArgBool
	ArgArray
	ArgObject
)

// argTypes has the kind of JSON value that a type takes, empty if the handler checks it, its name in help and the size of an integer.
var argTypes = [...]struct {
	kind Kind
	name string
	bits int
}{
	ArgAny:    {name: "any"},
	ArgString: {kind: String, name: "string"},
	ArgHex:    {kind: String, name: "string"},
	ArgInt:    {kind: Number, name: "numeric", bits: 32},
	ArgInt64:  {kind: Number, name: "numeric", bits: 64},
	ArgNumber: {kind: Number, name: "numeric"},
	ArgAmount: {name: "numeric or string"},
	ArgBool:   {kind: Bool, name: "boolean"},
	ArgArray:  {kind: Array, name: "json array"},
	ArgObject: {kind: Object, name: "json object"},
}

// Arg describes an argument of a method.
type Arg struct {
	Name      string
	Aliases   []string // other names it may be passed by
	Type      ArgType
	Unchecked bool // the handler looks at the type itself, and takes others too
	Required  bool
	Default   string // in help: what is taken if it is not given
	Sample    string // in help: the form of an array or object on one line
	Help      string
	Hidden    bool // not in help; nor are those that follow it
}

// Method is a row of the method table. Args are checked against their number and types before Run is called.
type Method struct {
	Name     string
	Category string // heads its part of the help; "hidden" methods are left out of the list
	Args     []Arg
	Help     string // what it does
	Result   string // what it returns
	Run      func(ctx context.Context, c *Call) (any, error)
}

// Call is one call of a method: its arguments, which have the types that the method's row asks for, and where it came in.
type Call struct {
	Method    *Method
	Wallet    string // the name in /wallet/NAME
	HasWallet bool   // whether the path named a wallet; the name may be empty

	args []Value
	idle func(func()) // gives up the worker while it waits
}

// Count returns how many arguments were passed, nulls in between included.
func (c *Call) Count() int { return len(c.args) }

// Value returns argument i as it was sent, null if it was not.
func (c *Call) Value(i int) Value {
	if i >= len(c.args) {
		return Value{Kind: Null}
	}
	return c.args[i]
}

// Has reports whether argument i was passed and is not null.
func (c *Call) Has(i int) bool { return !c.Value(i).IsNull() }

// String returns argument i, an ArgString or ArgHex; "" if it was not given.
func (c *Call) String(i int) string { return c.Value(i).Text }

// StringOr returns argument i, an ArgString or ArgHex, or what stands in for it.
func (c *Call) StringOr(i int, missing string) string {
	if !c.Has(i) {
		return missing
	}
	return c.Value(i).Text
}

// Int returns argument i, an ArgInt or ArgInt64; 0 if it was not given.
func (c *Call) Int(i int) int64 { return c.IntOr(i, 0) }

// IntOr returns argument i, an ArgInt or ArgInt64, or what stands in for it.
func (c *Call) IntOr(i int, missing int64) int64 {
	if !c.Has(i) {
		return missing
	}
	n, err := strconv.ParseInt(c.Value(i).Text, 10, 64)
	if err != nil {
		return missing // checkTypes has refused it
	}
	return n
}

// BoolOr returns argument i, an ArgBool, or what stands in for it.
func (c *Call) BoolOr(i int, missing bool) bool {
	if !c.Has(i) {
		return missing
	}
	return c.Value(i).Text == "true"
}

// Idle runs wait without keeping one of the server's workers busy. It is for what waits for something to happen.
func (c *Call) Idle(wait func()) { c.idle(wait) }

// checkCount refuses a call with too few or too many arguments. The message is the method's help, as Core's is.
func (m *Method) checkCount(n int) error {
	required := 0
	for i, a := range m.Args {
		if a.Required {
			required = i + 1
		}
	}
	if n < required || n > len(m.Args) {
		return errorf(CodeMisc, "%s", m.usage())
	}
	return nil
}

// checkTypes refuses arguments of the wrong JSON types, all in one error, and integers that do not fit.
func (m *Method) checkTypes(args []Value) error {
	var wrong []string
	for i, v := range args {
		a := &m.Args[i]
		want := argTypes[a.Type].kind
		if want == "" || a.Unchecked || v.Kind == want || (!a.Required && v.IsNull()) {
			continue
		}
		wrong = append(wrong, "    \"Position "+strconv.Itoa(i+1)+" ("+a.names()+")\": \""+typeMismatch(v, want)+"\"")
	}
	if wrong != nil {
		return errorf(CodeType, "Wrong type passed:\n{\n%s\n}", strings.Join(wrong, ",\n"))
	}
	for i, v := range args {
		bits := argTypes[m.Args[i].Type].bits
		if bits == 0 || m.Args[i].Unchecked || v.IsNull() {
			continue
		}
		if _, err := v.AsInt(bits); err != nil {
			return err
		}
	}
	return nil
}

// names returns the name and its aliases as Core writes them.
func (a *Arg) names() string { return strings.Join(append([]string{a.Name}, a.Aliases...), "|") }

// positions returns the arguments of a request by position. Arguments by name are put into their places; those
// under the key args come first.
func (m *Method) positions(params Value) ([]Value, error) {
	if params.Kind != Object {
		return params.List, nil
	}
	named := make(map[string]Value, len(params.Keys))
	for i, key := range params.Keys {
		if _, twice := named[key]; twice {
			return nil, errorf(CodeInvalidParameter, "Parameter %s specified multiple times", key)
		}
		named[key] = params.List[i]
	}
	var args []Value
	first := len(m.Args) // the first position that was passed by name
	var firstName string
	for i := range m.Args {
		v, ok := m.Args[i].take(named)
		if !ok {
			continue
		}
		if first == len(m.Args) {
			first, firstName = i, m.Args[i].names()
		}
		for len(args) < i {
			args = append(args, Value{Kind: Null})
		}
		args = append(args, v)
	}
	args, err := leading(args, named, first, firstName)
	if err != nil {
		return nil, err
	}
	for _, key := range params.Keys { // in the caller's order, so that the message is always the same
		if _, unknown := named[key]; unknown {
			return nil, errorf(CodeInvalidParameter, "Unknown named parameter %s", key)
		}
	}
	return args, nil
}

// take returns the value that was passed for a under one of its names, and removes it.
func (a *Arg) take(named map[string]Value) (Value, bool) {
	for _, name := range append([]string{a.Name}, a.Aliases...) {
		if v, ok := named[name]; ok {
			delete(named, name)
			return v, true
		}
	}
	return Value{}, false
}

// leading puts the positional arguments under the key args before those by name, which begin at first.
func leading(args []Value, named map[string]Value, first int, firstName string) ([]Value, error) {
	v, ok := named["args"]
	delete(named, "args")
	if !ok || v.Kind != Array {
		return args, nil
	}
	if firstName != "" && len(v.List) > first {
		return nil, errorf(CodeInvalidParameter, "Parameter %s specified twice both as positional and named argument", firstName)
	}
	if firstName == "" {
		return v.List, nil
	}
	return append(append([]Value(nil), v.List...), args[len(v.List):]...), nil
}

// call checks the arguments and runs the method.
func (m *Method) call(ctx context.Context, c *Call, params Value) (any, error) {
	args, err := m.positions(params)
	if err != nil {
		return nil, err
	}
	if err := m.checkCount(len(args)); err != nil {
		return nil, err
	}
	if err := m.checkTypes(args); err != nil {
		return nil, err
	}
	c.Method, c.args = m, args
	return m.Run(ctx, c)
}
