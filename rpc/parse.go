package rpc

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Limits on what a request may be made of. The depth is Bitcoin Core's.
const (
	maxDepth  = 512
	maxValues = 1 << 20 // in one request: keeps the memory for it within a small multiple of the largest body
)

// errParse is returned for what is no JSON, or more of it than the limits allow.
var errParse = errors.New("not JSON")

// parseValue reads one JSON value that fills text. It returns errParse for everything else.
func parseValue(text string) (Value, error) { return parseAtMost(text, maxValues) }

// parseAtMost is parseValue for so many values, those inside of others included.
func parseAtMost(text string, values int) (Value, error) {
	p := parser{text: text, left: values}
	v, err := p.value(maxDepth)
	if err != nil {
		return Value{}, err
	}
	if p.space(); p.at < len(text) {
		return Value{}, errParse
	}
	return v, nil
}

// parser reads JSON (RFC 8259) in one pass and takes nothing that is only like it, invalid UTF-8 included. A block in hexadecimal is a string of
// megabytes: it is looked at eight letters at a time, and not copied.
type parser struct {
	text string
	at   int // what comes next
	left int // values that may still follow
}

// space skips spaces.
func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space; 0, which is none of JSON, at the end.
func (p *parser) peek() byte {
	p.space()
	return p.here()
}

// here returns the next byte; 0 at the end.
func (p *parser) here() byte {
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// next takes the byte that peek returns.
func (p *parser) next() byte {
	c := p.peek()
	if c != 0 {
		p.at++
	}
	return c
}

func (p *parser) value(depth int) (Value, error) {
	p.left--
	if p.left < 0 || depth < 0 {
		return Value{}, errParse
	}
	switch p.peek() {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		text, err := p.string()
		return Value{Kind: String, Text: text}, err
	case 'n':
		return Value{Kind: Null}, p.word("null")
	case 't':
		return Value{Kind: Bool, Text: "true"}, p.word("true")
	case 'f':
		return Value{Kind: Bool, Text: "false"}, p.word("false")
	}
	text, err := p.number()
	return Value{Kind: Number, Text: text}, err
}

func (p *parser) word(w string) error {
	if !strings.HasPrefix(p.text[p.at:], w) {
		return errParse
	}
	p.at += len(w)
	return nil
}

func (p *parser) array(depth int) (Value, error) {
	v := Value{Kind: Array}
	p.at++
	if p.peek() == ']' {
		p.at++
		return v, nil
	}
	for {
		element, err := p.value(depth - 1)
		if err != nil {
			return Value{}, err
		}
		v.List = append(v.List, element)
		switch p.next() {
		case ',':
		case ']':
			return v, nil
		default:
			return Value{}, errParse
		}
	}
}

func (p *parser) object(depth int) (Value, error) {
	v := Value{Kind: Object}
	p.at++
	if p.peek() == '}' {
		p.at++
		return v, nil
	}
	for {
		if p.peek() != '"' {
			return Value{}, errParse
		}
		key, err := p.string()
		if err != nil || p.next() != ':' {
			return Value{}, errParse
		}
		element, err := p.value(depth - 1)
		if err != nil {
			return Value{}, err
		}
		v.Keys, v.List = append(v.Keys, key), append(v.List, element)
		switch p.next() {
		case ',':
		case '}':
			return v, nil
		default:
			return Value{}, errParse
		}
	}
}

// number reads a number. What follows it is for whoever reads on.
func (p *parser) number() (string, error) {
	from := p.at
	p.skip("-")
	if !p.skip("0") && !p.digits() {
		return "", errParse
	}
	if p.skip(".") && !p.digits() {
		return "", errParse
	}
	if p.skip("eE") {
		p.skip("+-")
		if !p.digits() {
			return "", errParse
		}
	}
	return p.own(p.text[from:p.at]), nil
}

// skip skips one byte if it is one of these.
func (p *parser) skip(these string) bool {
	if p.at == len(p.text) || strings.IndexByte(these, p.text[p.at]) < 0 {
		return false
	}
	p.at++
	return true
}

// digits skips digits and reports whether there were any.
func (p *parser) digits() bool {
	from := p.at
	for c := p.here(); c >= '0' && c <= '9'; c = p.here() {
		p.at++
	}
	return p.at > from
}

// string reads a string, whose opening quote is next.
func (p *parser) string() (string, error) {
	from, escapes := p.at, false
	p.at++
	for {
		p.at += plain(p.text[p.at:])
		switch p.here() {
		case '"':
			p.at++
			return p.letters(p.text[from:p.at], escapes)
		case '\\':
			escapes = true
			p.at = min(p.at+2, len(p.text))
		default:
			return "", errParse
		}
	}
}

// letters returns what stands between the quotes of a string.
func (p *parser) letters(quoted string, escapes bool) (string, error) {
	if !utf8.ValidString(quoted) {
		return "", errParse
	}
	if !escapes {
		return p.own(quoted[1 : len(quoted)-1]), nil
	}
	var text string
	if err := json.Unmarshal([]byte(quoted), &text); err != nil {
		return "", errParse
	}
	return text, nil
}

// own returns s, a copy of it unless it is most of the text: whoever keeps a label may not keep the request that it came in.
func (p *parser) own(s string) string {
	if len(s) > len(p.text)/2 {
		return s
	}
	return strings.Clone(s)
}

// plain returns how many bytes at the beginning of s stand for themselves in a JSON string: up to a quote, a backslash or a control character.
func plain(s string) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x80 * ones
	)
	for i := 0; i+8 <= len(s); i += 8 {
		w := binary.LittleEndian.Uint64([]byte(s[i : i+8]))
		quote, backslash := w^'"'*ones, w^'\\'*ones
		// A byte's high bit is set where it is 0, or below a space. Borrows make mistakes only above the first one that is right.
		found := ((quote-ones)&^quote | (backslash-ones)&^backslash | (w-' '*ones)&^w) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i := len(s) &^ 7; i < len(s); i++ {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(s)
}
