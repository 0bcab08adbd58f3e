package p2p

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// A frame is uvarint(length) and that many bytes. A typed frame has one byte for its type before. Nothing is allocated for a
// frame before its length has been checked, and then only as bytes arrive.

// source is the reading half of a stream.
type source interface {
	io.Reader
	SetReadDeadline(time.Time) error
}

// sink is the writing half of a stream.
type sink interface {
	io.Writer
	SetWriteDeadline(time.Time) error
}

// meter notes when a peer's streams last carried something.
type meter struct {
	lastSent, lastReceived atomic.Int64 // Unix nanoseconds; 0 for never
}

func (m *meter) noteSent()     { m.lastSent.Store(time.Now().UnixNano()) }
func (m *meter) noteReceived() { m.lastReceived.Store(time.Now().UnixNano()) }

// at returns the time of nanos, the zero time for 0.
func at(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}

// frameReader reads frames from a stream. It is not safe for concurrent use.
type frameReader struct {
	src   source
	buf   *bufio.Reader
	meter *meter
}

func newFrameReader(src source, m *meter, buffer int) *frameReader {
	return &frameReader{src: src, buf: bufio.NewReaderSize(src, buffer), meter: m}
}

// next reads a frame of at most limit bytes. The first byte may take wait, the rest frameTimeout and what its length is worth at
// minBytesPerSec. A longer frame is a breach.
func (r *frameReader) next(limit int, wait time.Duration) ([]byte, error) {
	if err := r.await(wait); err != nil {
		return nil, err
	}
	return r.body(limit)
}

// nextTyped reads a typed frame. limit says how long a frame of a type may be; a type for which it has no answer is a breach.
func (r *frameReader) nextTyped(limit func(kind byte) (int, bool), wait time.Duration) (byte, []byte, error) {
	if err := r.await(wait); err != nil {
		return 0, nil, err
	}
	kind, err := r.buf.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	most, ok := limit(kind)
	if !ok {
		return 0, nil, breachf(offFrame, "unknown type %d", kind)
	}
	payload, err := r.body(most)
	return kind, payload, err
}

// await waits for the first byte of a frame and gives the head of it frameTimeout. io.EOF means that no frame follows.
func (r *frameReader) await(wait time.Duration) error {
	if r.buf.Buffered() == 0 {
		if err := r.src.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return err
		}
		if _, err := r.buf.Peek(1); err != nil {
			return err
		}
	}
	return r.src.SetReadDeadline(time.Now().Add(frameTimeout))
}

func (r *frameReader) body(limit int) ([]byte, error) {
	n, err := binary.ReadUvarint(r.buf)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if isTimeout(err) {
			return nil, err
		}
		return nil, breachf(offFrame, "length: %v", err)
	}
	if n > uint64(limit) {
		return nil, breachf(offFrame, "%d bytes where %d are allowed", n, limit)
	}
	size := int(n)
	if err := r.src.SetReadDeadline(time.Now().Add(transferTime(size))); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	body.Grow(min(size, 64<<10))
	if _, err := io.CopyN(&body, r.buf, int64(size)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	r.meter.noteReceived()
	return body.Bytes(), nil
}

// isTimeout reports whether err says that a deadline has passed or the stream has gone, not that bytes were wrong.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout)
}

// transferTime is how long size bytes may take.
func transferTime(size int) time.Duration {
	return frameTimeout + time.Duration(size)*time.Second/minBytesPerSec
}

// frameWriter writes frames to a stream. It is not safe for concurrent use.
type frameWriter struct {
	dst   sink
	meter *meter
}

// write writes a frame.
func (w *frameWriter) write(payload []byte) error {
	return w.send(binary.AppendUvarint(nil, uint64(len(payload))), payload)
}

// writeTyped writes a typed frame.
func (w *frameWriter) writeTyped(kind byte, payload []byte) error {
	return w.send(binary.AppendUvarint([]byte{kind}, uint64(len(payload))), payload)
}

func (w *frameWriter) send(head, payload []byte) error {
	limit := writeTimeout + time.Duration(len(payload))*time.Second/minBytesPerSec
	if err := w.dst.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	out := head
	if len(payload) <= 64<<10 { // one write, one packet for small frames
		out = append(head, payload...)
	}
	if _, err := w.dst.Write(out); err != nil {
		return err
	}
	if len(payload) > 64<<10 {
		if _, err := w.dst.Write(payload); err != nil {
			return err
		}
	}
	w.meter.noteSent()
	return nil
}
