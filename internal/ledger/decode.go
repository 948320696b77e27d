package ledger

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"holdfast/internal/continuity"
)

// fields walks the fields of a payload. After the last one, or at the first
// that does not parse, next returns false; err then says which it was.
type fields struct {
	rest  []byte
	num   protowire.Number
	bytes []byte // of a length-delimited field
	value uint64 // of a varint or fixed64 field
	err   error
}

func (d *fields) next() bool {
	if d.err != nil || len(d.rest) == 0 {
		return false
	}
	num, typ, n := protowire.ConsumeTag(d.rest)
	if n < 0 {
		return d.fail(n)
	}
	d.rest, d.num, d.bytes, d.value = d.rest[n:], num, nil, 0
	switch typ {
	case protowire.VarintType:
		d.value, n = protowire.ConsumeVarint(d.rest)
	case protowire.Fixed64Type:
		d.value, n = protowire.ConsumeFixed64(d.rest)
	case protowire.BytesType:
		d.bytes, n = protowire.ConsumeBytes(d.rest)
	default:
		n = protowire.ConsumeFieldValue(num, typ, d.rest)
	}
	if n < 0 {
		return d.fail(n)
	}
	d.rest = d.rest[n:]
	return true
}

func (d *fields) fail(n int) bool {
	d.err = protowire.ParseError(n)
	return false
}

func (d *fields) id() (id [16]byte) {
	if len(d.bytes) != len(id) {
		d.err = errPayload
		return id
	}
	copy(id[:], d.bytes)
	return id
}

const maxMillis = uint64(1<<63-1) / uint64(time.Millisecond)

func (d *fields) duration() time.Duration {
	if d.value > maxMillis {
		d.err = errPayload
		return 0
	}
	return time.Duration(d.value) * time.Millisecond // #nosec G115 -- checked above
}

func (d *fields) small(most uint64) int {
	if d.value > most {
		d.err = errPayload
		return 0
	}
	return int(d.value) // #nosec G115 -- checked above
}

func (d *fields) count() int64 { return int64(d.value) } // #nosec G115 -- written from an int64

func (d *fields) field() continuity.Field {
	name, n := protowire.ConsumeBytes(d.bytes)
	if n < 0 {
		d.fail(n)
		return continuity.Field{}
	}
	return continuity.Field{Name: string(name), Value: string(d.bytes[n:])}
}

func (d *fields) record() *continuity.Record {
	r := &continuity.Record{}
	for d.next() {
		switch d.num {
		case 1:
			r.Receipt = d.id()
		case 2:
			r.Fingerprint = d.id()
		case 3:
			r.Route = string(d.bytes)
		case 4:
			r.Key = continuity.KeyTag(d.value)
		case 5:
			r.KeyText = string(d.bytes)
		case 6:
			r.Caller = string(d.bytes)
		case 7:
			r.IdempotencyKey = string(d.bytes)
		case 8:
			r.Method = string(d.bytes)
		case 9:
			r.Target = string(d.bytes)
		case 10:
			r.Host = string(d.bytes)
		case 11:
			r.Header = append(r.Header, d.field())
		case 12:
			r.Body = d.bytes
		case 13:
			r.Lost = d.value != 0
		case 14:
			r.Replaces = d.id()
		case 15:
			r.Settle = d.duration()
		case 20:
			r.Amount.Units = d.units()
		case 21:
			r.Amount.Currency = string(d.bytes)
		case 22:
			r.Class = continuity.Class(d.small(continuity.Classes - 1)) // #nosec G115 -- bounded
		case 23:
			r.Again = d.id()
		case 30:
			r.Scopes = append(r.Scopes, string(d.bytes))
		case 31:
			r.Erased = d.value != 0
		case 45:
			r.Expired = d.value != 0
		case 40:
			r.Upstream = string(d.bytes)
		}
	}
	return r
}

func (d *fields) attempt() *continuity.Attempt {
	a := &continuity.Attempt{}
	for d.next() {
		switch d.num {
		case 1:
			a.Receipt = d.id()
		case 2:
			a.Number = d.small(1 << 31)
		}
	}
	return a
}

func (d *fields) outcome() *continuity.Outcome {
	o := &continuity.Outcome{}
	response := func() *continuity.Response {
		if o.Response == nil {
			o.Response = &continuity.Response{}
		}
		return o.Response
	}
	for d.next() {
		switch d.num {
		case 1:
			o.Receipt = d.id()
		case 2:
			o.To = continuity.State(d.small(255)) // #nosec G115 -- at most 255
		case 3:
			o.Reason = continuity.Reason(d.bytes)
		case 4:
			o.After = d.duration()
		case 5:
			response().Status = d.small(999)
		case 6:
			response().Header = append(response().Header, d.field())
		case 7:
			response().Body = bytes.Clone(d.bytes)
		case 8:
			response().Cut = d.value != 0
		case 9:
			o.Counts = d.value != 0
		case 10:
			response().Expired = d.value != 0
		}
	}
	return o
}

func (d *fields) act() *continuity.Act {
	a := &continuity.Act{}
	for d.next() {
		switch d.num {
		case 1:
			a.Receipt = d.id()
		case 2:
			a.Version = uint16(d.small(1<<16 - 1)) // #nosec G115 -- bounded
		case 3:
			a.Verb = continuity.Verb(d.bytes)
		case 4:
			a.Person = string(d.bytes)
		case 5:
			a.Why = string(d.bytes)
		case 6:
			d.nested(func(in *fields) { a.Replacement = in.record() })
		case 7:
			a.Approver = string(d.bytes)
		case 8:
			a.Route = string(d.bytes)
		}
	}
	return a
}

func (d *fields) units() int64 {
	if d.value > uint64(continuity.MostUnits) {
		d.err = errPayload
		return 0
	}
	return int64(d.value) // #nosec G115 -- checked above
}

func (d *fields) passed() (ends []continuity.Passed) {
	for d.next() {
		if d.num != 1 {
			continue
		}
		var p continuity.Passed
		d.nested(func(in *fields) {
			for in.next() {
				switch in.num {
				case 1:
					p.Position = continuity.Position(in.value)
				case 2:
					p.To = continuity.State(in.small(255)) // #nosec G115 -- at most 255
				case 3:
					p.Status = in.small(999)
				}
			}
		})
		ends = append(ends, p)
	}
	return ends
}

func (d *fields) proposed() *continuity.Proposed {
	p := &continuity.Proposed{}
	for d.next() {
		switch d.num {
		case 1:
			d.nested(func(in *fields) { p.Act = *in.act() })
		case 2:
			p.Amount.Units = d.units()
		case 3:
			p.Amount.Currency = string(d.bytes)
		}
	}
	return p
}

// nested reads the message in the current field.
func (d *fields) nested(read func(*fields)) {
	inner := fields{rest: d.bytes}
	read(&inner)
	d.err = inner.err
}

func (d *fields) privacy() *continuity.Privacy {
	p := &continuity.Privacy{}
	for d.next() {
		switch d.num {
		case 1:
			p.Erased = d.value != 0
		case 2:
			p.Person = string(d.bytes)
		case 3:
			p.Why = string(d.bytes)
		case 4:
			p.Route = string(d.bytes)
		case 5:
			p.Key = continuity.KeyTag(d.value)
		case 6:
			p.Count = d.small(1<<31 - 1)
		}
	}
	return p
}

func (d *fields) sw() *continuity.Switch {
	s := &continuity.Switch{}
	for d.next() {
		switch d.num {
		case 1:
			s.Route = string(d.bytes)
		case 2:
			s.Owner = string(d.bytes)
		case 3:
			s.Reason = string(d.bytes)
		case 4:
			s.Intake = continuity.Intake(d.small(uint64(continuity.IntakeBlock))) // #nosec G115 -- bounded
		case 5:
			s.Replay = continuity.Replay(d.small(uint64(continuity.ReplayOff))) // #nosec G115 -- bounded
		case 6:
			s.Force = d.value != 0
		case 7:
			s.Until = time.UnixMilli(d.count())
		case 8:
			s.Lift = d.value != 0
		default:
			d.admission(s)
			d.block(s)
		}
	}
	return s
}
