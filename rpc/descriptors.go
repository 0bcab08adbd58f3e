package rpc

import (
	"context"
	"math"
	"strings"

	"groat/internal/descriptor"
)

const (
	maxRangeSize     = 1_000_000 // indexes of a ranged descriptor, at most
	defaultScanRange = 1000
)

func (a *api) descriptorMethods() []Method {
	text := Arg{Name: "descriptor", Type: ArgString, Required: true, Help: "The descriptor."}
	return []Method{
		{
			Name: "getdescriptorinfo", Category: "util", Run: a.getDescriptorInfo, Args: []Arg{text},
			Help: "Analyses a descriptor.", Result: "{descriptor, checksum, isrange, issolvable, hasprivatekeys}",
		},
		{
			Name: "deriveaddresses", Category: "util", Run: a.deriveAddresses,
			Args: []Arg{text, {Name: "range", Type: ArgAny, Sample: "n or [n,n]", Help: "If a ranged descriptor is used, this specifies the end or the range (in [begin,end] notation) to derive."}},
			Help: "Derives one or more addresses corresponding to an output descriptor.", Result: `["address", ...]`,
		},
	}
}

// parseDescriptor reads a descriptor and refuses one that is none.
func (a *api) parseDescriptor(text string) (*descriptor.Descriptor, error) {
	d, err := descriptor.Parse(a.Params, text)
	if err != nil {
		return nil, errorf(CodeNotFound, "%v", err)
	}
	return d, nil
}

func (a *api) getDescriptorInfo(_ context.Context, c *Call) (any, error) {
	d, err := a.parseDescriptor(c.String(0))
	if err != nil {
		return nil, err
	}
	body, _, _ := strings.Cut(c.String(0), "#")
	return struct {
		Descriptor string `json:"descriptor"`
		Checksum   string `json:"checksum"`
		Ranged     bool   `json:"isrange"`
		Solvable   bool   `json:"issolvable"`
		Private    bool   `json:"hasprivatekeys"`
	}{d.String(), descriptor.Checksum(body), d.Ranged, d.Solvable, d.Private}, nil
}

func (a *api) deriveAddresses(_ context.Context, c *Call) (any, error) {
	if !strings.Contains(c.String(0), "#") {
		return nil, errorf(CodeNotFound, "Missing checksum")
	}
	d, err := a.parseDescriptor(c.String(0))
	switch {
	case err != nil:
		return nil, err
	case !d.Ranged && c.Has(1):
		return nil, errorf(CodeInvalidParameter, "Range should not be specified for an un-ranged descriptor")
	case d.Ranged && !c.Has(1):
		return nil, errorf(CodeInvalidParameter, "Range must be specified for a ranged descriptor")
	}
	var span indexes
	if d.Ranged {
		if span, err = parseRange(c.Value(1)); err != nil {
			return nil, err
		}
	}
	list := []string{}
	for i := span.first; i <= span.last; i++ {
		outs, err := d.At(uint32(i))
		if err != nil {
			return nil, errorf(CodeNotFound, "Cannot derive script without private keys")
		}
		for _, out := range outs {
			text, ok := a.addressOf(out.Script)
			if !ok {
				if len(outs) > 1 { // that of combo which pays to a key has none
					continue
				}
				return nil, errorf(CodeNotFound, "Descriptor does not have a corresponding address")
			}
			list = append(list, text)
		}
	}
	return list, nil
}

// indexes are those of a ranged descriptor, the last one included.
type indexes struct{ first, last int64 }

// parseRange reads a range: its end, or an array of beginning and end.
func parseRange(v Value) (span indexes, err error) {
	switch {
	case v.Kind == Number:
		span.last, err = v.AsInt(64)
	case v.Kind == Array && len(v.List) == 2:
		if span.first, err = v.List[0].AsInt(64); err == nil {
			span.last, err = v.List[1].AsInt(64)
		}
		if err == nil && span.first > span.last {
			return span, errorf(CodeInvalidParameter, "Range specified as [begin,end] must not have begin after end")
		}
	default:
		return span, errorf(CodeInvalidParameter, "Range must be specified as end or as [begin,end]")
	}
	switch {
	case err != nil:
		return span, err
	case span.first < 0:
		return span, errorf(CodeInvalidParameter, "Range should be greater or equal than 0")
	case span.last < 0 || span.last > math.MaxInt32:
		return span, errorf(CodeInvalidParameter, "End of range is too high")
	case span.last >= span.first+maxRangeSize:
		return span, errorf(CodeInvalidParameter, "Range is too large")
	}
	return span, nil
}
