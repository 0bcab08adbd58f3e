package rpc

import (
	"fmt"
	"slices"
	"strings"
)

// ParseWords turns the words of a command line into the parameters of a call: an array, or an object if some are given as name=value.
// Which words are JSON and which are text is up to the types of the method's arguments. A name that is none of the method's
// is part of a text.
func ParseWords(method string, words []string) (any, error) {
	args, known := Signature(method)
	if !known {
		args = nil // the server will say that there is no such method
	}
	positional := []Value{}
	named := Value{Kind: Object}
	for _, word := range words {
		name, text, ok := strings.Cut(word, "=")
		i := slices.IndexFunc(args, func(a Arg) bool { return a.Name == name || slices.Contains(a.Aliases, name) })
		if !ok || i < 0 {
			v, err := parseWord(args, len(positional), word)
			if err != nil {
				return nil, err
			}
			positional = append(positional, v)
			continue
		}
		v, err := parseWord(args, i, text)
		if err != nil {
			return nil, err
		}
		named.Keys, named.List = append(named.Keys, name), append(named.List, v)
	}
	if len(named.Keys) == 0 {
		return positional, nil
	}
	if len(positional) > 0 {
		named.Keys, named.List = append(named.Keys, "args"), append(named.List, Value{Kind: Array, List: positional})
	}
	return named, nil
}

// parseWord reads a word as the value of argument i.
func parseWord(args []Arg, i int, word string) (Value, error) {
	text := Value{Kind: String, Text: word}
	if i >= len(args) {
		return text, nil
	}
	switch args[i].Type {
	case ArgString, ArgHex:
		return text, nil
	}
	v, err := parseValue([]byte(word))
	if err == nil {
		return v, nil
	}
	if args[i].Type == ArgAny || args[i].Type == ArgAmount {
		return text, nil
	}
	return Value{}, fmt.Errorf("argument %s takes JSON (%s), which %q is not", args[i].Name, argTypes[args[i].Type].name, word)
}
