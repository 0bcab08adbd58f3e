package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// origin is where a request came in.
type origin struct {
	wallet    string
	hasWallet bool
	idle      func(func())
}

// request is one call as it was sent.
type request struct {
	id     *Value // nil if it has none
	v2     bool   // JSON-RPC 2.0; otherwise 1.x
	method string
	params Value
}

// notification reports whether the caller wants no answer.
func (r request) notification() bool { return r.v2 && r.id == nil }

// parseRequest reads a call. With an error it returns what it has read so far, for the answer.
func parseRequest(v Value) (request, error) {
	if v.Kind != Object {
		return request{id: &Value{Kind: Null}}, errorf(CodeInvalidRequest, "Invalid Request object")
	}
	var r request
	if id, ok := v.Get("id"); ok {
		r.id = &id
	}
	if version, _ := v.Get("jsonrpc"); !version.IsNull() {
		if version.Kind != String {
			return r, errorf(CodeInvalidRequest, "jsonrpc field must be a string")
		}
		switch version.Text {
		case "1.0", "1.1":
		case "2.0":
			r.v2 = true
		default:
			return r, errorf(CodeInvalidRequest, "JSON-RPC version not supported")
		}
	}
	method, _ := v.Get("method")
	if method.IsNull() {
		return r, errorf(CodeInvalidRequest, "Missing method")
	}
	if method.Kind != String {
		return r, errorf(CodeInvalidRequest, "Method must be a string")
	}
	r.method = method.Text
	r.params, _ = v.Get("params")
	switch r.params.Kind {
	case Array, Object, Null:
		return r, nil
	}
	return r, errorf(CodeInvalidRequest, "Params must be an array or object")
}

// answer works on a call and returns the HTTP status and body of the answer.
func (s *Server) answer(ctx context.Context, o origin, v Value) (status int, answer []byte) {
	if v.Kind != Object {
		return s.refuse(request{id: &Value{Kind: Null}}, errorf(CodeParse, "Top-level object parse error"))
	}
	r, err := parseRequest(v)
	if err != nil {
		return s.refuse(r, err)
	}
	result, err := s.execute(ctx, o, r)
	switch {
	case r.notification():
		return http.StatusNoContent, nil
	case err != nil && !r.v2:
		return s.refuse(r, err)
	}
	return http.StatusOK, append(s.encode(r, result, err), '\n')
}

// refuse answers a call with an HTTP error, as JSON-RPC 1.x over HTTP does.
func (s *Server) refuse(r request, err error) (status int, answer []byte) {
	switch asError(err).Code {
	case CodeInvalidRequest:
		status = http.StatusBadRequest
	case CodeUnknownMethod:
		status = http.StatusNotFound
	default:
		status = http.StatusInternalServerError
	}
	return status, append(s.encode(r, nil, err), '\n')
}

// execute runs the method that a call names.
func (s *Server) execute(ctx context.Context, o origin, r request) (any, error) {
	now := s.state.Load()
	if now.phase != "" {
		return nil, errorf(CodeWarmup, "%s", now.phase)
	}
	m, ok := now.table[r.method]
	if !ok {
		return nil, errorf(CodeUnknownMethod, "Method not found")
	}
	defer s.begin(r.method)()
	result, err := m.call(ctx, &Call{Wallet: o.wallet, HasWallet: o.hasWallet, idle: o.idle}, r.params)
	var told Error
	if err != nil && !errors.As(err, &told) && ctx.Err() == nil {
		s.opts.Log.Error("RPC call failed", "method", r.method, "err", err)
	}
	return result, err
}

// encode writes the answer to one call in the form of its version: 1.x has result and error both, 2.0 has one of them.
func (s *Server) encode(r request, result any, err error) []byte {
	body, told := marshal(result)
	if err == nil {
		err = told
	}
	var w bytes.Buffer
	w.WriteByte('{')
	if r.v2 {
		w.WriteString(`"jsonrpc":"2.0",`)
	}
	switch {
	case err == nil:
		w.WriteString(`"result":`)
		w.Write(body)
		if !r.v2 {
			w.WriteString(`,"error":null`)
		}
	default:
		if !r.v2 {
			w.WriteString(`"result":null,`)
		}
		message, _ := marshal(asError(err)) // an int and a string can always be marshalled
		w.WriteString(`"error":`)
		w.Write(message)
	}
	if r.id != nil {
		w.WriteString(`,"id":`)
		_ = r.id.write(&w) // strings that were parsed can be written
	}
	w.WriteByte('}')
	return w.Bytes()
}

// marshal encodes a result, without the escapes that are for HTML only.
func marshal(v any) ([]byte, error) {
	var w bytes.Buffer
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(w.Bytes(), []byte("\n")), nil
}
