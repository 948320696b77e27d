package outcome

import (
	"slices"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/identity"
)

// DefaultLimit of a body that is read.
const DefaultLimit = 64 << 10

// Limit is how much of a body has to be there for it to be read.
func Limit(b *continuity.BodyVerdicts) int64 {
	if b.Limit > 0 {
		return b.Limit
	}
	return DefaultLimit
}

// Reads reports whether a response with this status is read; v may be nil.
func Reads(b *continuity.BodyVerdicts, status int) bool {
	return b != nil && continuity.Has(b.Statuses, status)
}

// Of is what the body of a response says; VerdictNone leaves it to the status.
// readable is false where the body can't be read.
func Of(b *continuity.BodyVerdicts, header []continuity.Field, body []byte, cut bool) (v continuity.Verdict, readable bool) {
	value, ok := Value(b.Pointer, header, body, cut)
	if !ok {
		return continuity.VerdictNone, false
	}
	if value.Text != "" {
		if v, listed := b.Values[value.Text]; listed {
			return v, true
		}
	}
	return b.Other, true
}

// Value reads what stands at a pointer in a response; false where the body
// can't be read.
func Value(pointer string, header []continuity.Field, body []byte, cut bool) (identity.Value, bool) {
	if coding := http1.Get(header, "Content-Encoding"); cut || coding != "" && !strings.EqualFold(coding, "identity") {
		return identity.Value{}, false
	}
	p, err := identity.ParsePointer(pointer)
	if err != nil {
		return identity.Value{}, false
	}
	values, err := identity.JSON(body, p)
	if err != nil {
		return identity.Value{}, false
	}
	return values[0], true
}

// Holds reports whether a response fulfils a condition; false also where its
// body would have to be read and can't be.
func Holds(c continuity.Condition, resp *continuity.Response) bool {
	if !continuity.Has(c.Statuses, resp.Status) {
		return false
	}
	if c.Pointer == "" {
		return true
	}
	value, ok := Value(c.Pointer, resp.Header, resp.Body, resp.Cut)
	if !ok || value.Kind == identity.Absent {
		return false
	}
	return len(c.In) == 0 && value.Kind != identity.Null || value.Text != "" && slices.Contains(c.In, value.Text)
}

const acceptEncoding = "Accept-Encoding"

// PlainEncoding makes a header ask for a body as it is. It changes the header
// it is given, whose capacity it may use.
func PlainEncoding(header []continuity.Field) []continuity.Field {
	header = slices.DeleteFunc(header, func(f continuity.Field) bool { return strings.EqualFold(f.Name, acceptEncoding) })
	return append(header, continuity.Field{Name: acceptEncoding, Value: "identity"})
}
