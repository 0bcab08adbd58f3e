package rpc

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

// pieceBytes is how much of the answer to a batch is held back before it is sent.
const pieceBytes = 1 << 20

// serveBody answers the body of a request: a call or a batch of them.
func (s *Server) serveBody(w http.ResponseWriter, r *http.Request, o origin, body string) {
	v, err := parseValue(body)
	if err == nil && v.Kind == Array {
		s.serveBatch(r.Context(), &pieces{w: w}, o, v.List)
		return
	}
	status, answer := s.answerBody(r.Context(), o, v, err)
	if status != http.StatusNoContent {
		w.Header().Set("Content-Type", "application/json")
	}
	reply(w, status, answer)
}

// answerBody is answer for a value that may not have been one.
func (s *Server) answerBody(ctx context.Context, o origin, v Value, err error) (status int, answer []byte) {
	if err != nil {
		return s.refuse(request{id: &Value{Kind: Null}}, errorf(CodeParse, "Parse error"))
	}
	return s.answer(ctx, o, v)
}

// serveBatch works on the calls of a batch one after the other. Whatever becomes of them, the status is 200.
func (s *Server) serveBatch(ctx context.Context, out *pieces, o origin, calls []Value) {
	answered := false
	for _, v := range calls {
		r, err := parseRequest(v)
		var result any
		if err == nil {
			err = ctx.Err() // the caller has gone, or we are closing
		}
		if err == nil {
			result, err = s.execute(ctx, o, r)
		}
		if r.notification() {
			continue
		}
		separator := byte(',')
		if !answered {
			separator, answered = '[', true
		}
		out.buf.WriteByte(separator)
		out.buf.Write(s.encode(r, result, err))
		if out.buf.Len() >= pieceBytes && !out.send() {
			return
		}
	}
	switch {
	case !answered && len(calls) > 0:
		reply(out.w, http.StatusNoContent, nil)
		return
	case !answered:
		out.buf.WriteByte('[')
	}
	out.buf.WriteString("]\n")
	out.end()
}

// pieces sends an answer whole if it is short, and in pieces if it is long, so that a batch, however long its answer, does not fill the memory.
type pieces struct {
	w    http.ResponseWriter
	buf  bytes.Buffer
	sent bool // a piece was sent
}

// send sends what there is. It returns false if nobody takes it.
func (p *pieces) send() bool {
	if !p.sent {
		p.w.Header().Set("Content-Type", "application/json")
		p.sent = true
	}
	_ = http.NewResponseController(p.w).SetWriteDeadline(time.Now().Add(replyTimeout))
	_, err := p.w.Write(p.buf.Bytes())
	p.buf.Reset()
	return err == nil
}

// end sends the rest.
func (p *pieces) end() {
	if p.sent {
		p.send()
		return
	}
	p.w.Header().Set("Content-Type", "application/json")
	reply(p.w, http.StatusOK, p.buf.Bytes())
}
