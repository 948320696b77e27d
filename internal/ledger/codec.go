package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// An entry's payload is the running clock and the wall clock (milliseconds,
// 8 bytes each, little-endian), then the kind's fields in protobuf wire format.
// docs/formats/journal.md lists the field numbers; they are never reused.
const stampBytes = 16

var errPayload = errors.New("ledger: payload does not parse")

// encode returns the payload of an event, in b where it has the room. The stamp
// is left for the sequencer.
func encode(b []byte, e *continuity.Event) []byte {
	switch e.Kind {
	case continuity.KindAccepted:
		return appendRecord(begin(b, recordSize(e.Accepted)), e.Accepted)
	case continuity.KindAttempt:
		b := appendBytes(begin(b, 32), 1, e.Attempt.Receipt[:])
		return appendUint(b, 2, uint64(e.Attempt.Number)) // #nosec G115 -- counts from 1
	case continuity.KindOutcome:
		return appendOutcome(begin(b, 80), e.Outcome)
	case continuity.KindAct:
		return appendAct(begin(b, 112), e.Act)
	case continuity.KindSwitch:
		return appendSwitch(begin(b, 80), e.Switch)
	case continuity.KindRestart:
		return appendBool(appendDuration(begin(b, 8), 1, e.Settle), 2, e.First)
	case continuity.KindCarried:
		return appendRecord(begin(b, recordSize(e.Carried.Record)), e.Carried.Record)
	case continuity.KindRecorded:
		return appendRecord(begin(b, recordSize(e.Recorded)), e.Recorded)
	case continuity.KindPassed:
		return appendPassed(begin(b, 20*len(e.Passed)), e.Passed)
	case continuity.KindProposed:
		b := appendBytes(begin(b, 144), 1, appendAct(nil, &e.Proposed.Act))
		return appendMoney(b, 2, e.Proposed.Amount)
	case continuity.KindPrivacy:
		return appendPrivacy(begin(b, 96), e.Privacy)
	case continuity.KindHorizon:
		return appendUint(begin(b, 16), 1, uint64(e.Horizon))
	default:
		return begin(b, 0)
	}
}

// begin makes room for the stamp and n bytes more.
func begin(b []byte, n int) []byte {
	return append(slices.Grow(b[:0], stampBytes+n), noStamp[:]...)
}

var noStamp [stampBytes]byte

func stamp(payload []byte, clock continuity.Clock, at time.Time) {
	binary.LittleEndian.PutUint64(payload, uint64(clock))
	binary.LittleEndian.PutUint64(payload[8:], uint64(at.UnixMilli())) // #nosec G115 -- bits are kept
}

// Decode reads an entry of the journal. What it returns refers to s.Payload.
func Decode(s journal.Stored) (continuity.Event, error) {
	e := continuity.Event{Kind: s.Kind}
	if len(s.Payload) < stampBytes {
		return e, fmt.Errorf("%w: %s at %d", errPayload, s.Kind, s.Position)
	}
	e.Clock = continuity.Clock(binary.LittleEndian.Uint64(s.Payload))
	e.At = time.UnixMilli(int64(binary.LittleEndian.Uint64(s.Payload[8:]))) // #nosec G115 -- as written
	d := fields{rest: s.Payload[stampBytes:]}
	switch s.Kind {
	case continuity.KindAccepted:
		e.Accepted = d.record()
	case continuity.KindAttempt:
		e.Attempt = d.attempt()
	case continuity.KindOutcome:
		e.Outcome = d.outcome()
	case continuity.KindAct:
		e.Act = d.act()
	case continuity.KindSwitch:
		e.Switch = d.sw()
	case continuity.KindRestart:
		for d.next() {
			switch d.num {
			case 1:
				e.Settle = d.duration()
			case 2:
				e.First = d.value != 0
			}
		}
	case continuity.KindClock:
	case continuity.KindCarried:
		e.Carried = &continuity.Carried{Record: d.record()}
	case continuity.KindRecorded:
		e.Recorded = d.record()
	case continuity.KindPassed:
		e.Passed = d.passed()
	case continuity.KindProposed:
		e.Proposed = d.proposed()
	case continuity.KindPrivacy:
		e.Privacy = d.privacy()
	case continuity.KindHorizon:
		for d.next() {
			if d.num == 1 {
				e.Horizon = continuity.Position(d.value)
			}
		}
	default:
		return e, fmt.Errorf("%w: unknown kind %d at %d", errPayload, s.Kind, s.Position)
	}
	if d.err != nil {
		return e, fmt.Errorf("%w: %s at %d: %w", errPayload, s.Kind, s.Position, d.err)
	}
	return e, nil
}

func appendBytes(b []byte, num protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func appendString(b []byte, num protowire.Number, v string) []byte {
	if v == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func appendBool(b []byte, num protowire.Number, v bool) []byte {
	return appendUint(b, num, protowire.EncodeBool(v))
}

// appendDuration keeps milliseconds, rounded up: waiting longer is safe.
func appendDuration(b []byte, num protowire.Number, d time.Duration) []byte {
	if d <= 0 {
		return b
	}
	return appendUint(b, num, uint64((d+time.Millisecond-1)/time.Millisecond)) // #nosec G115 -- positive
}

func appendFields(b []byte, num protowire.Number, header []continuity.Field) []byte {
	for _, f := range header {
		b = protowire.AppendTag(b, num, protowire.BytesType)
		n := protowire.SizeBytes(len(f.Name)) + len(f.Value)
		b = protowire.AppendVarint(b, uint64(n)) // #nosec G115 -- a length
		b = protowire.AppendString(b, f.Name)
		b = append(b, f.Value...)
	}
	return b
}

func recordSize(r *continuity.Record) int {
	n := 160 + len(r.KeyText) + len(r.Route) + len(r.Caller) + len(r.IdempotencyKey) + len(r.Target) + len(r.Host) + len(r.Upstream) + len(r.Body)
	for _, f := range r.Header {
		n += len(f.Name) + len(f.Value) + 8
	}
	for _, s := range r.Scopes {
		n += len(s) + 4
	}
	return n
}

func appendRecord(b []byte, r *continuity.Record) []byte {
	b = appendBytes(b, 1, r.Receipt[:])
	b = appendBytes(b, 2, r.Fingerprint[:])
	b = appendString(b, 3, r.Route)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 4, protowire.Fixed64Type), uint64(r.Key))
	b = appendString(b, 5, r.KeyText)
	b = appendString(b, 6, r.Caller)
	b = appendString(b, 7, r.IdempotencyKey)
	b = appendString(b, 8, r.Method)
	b = appendString(b, 9, r.Target)
	b = appendString(b, 10, r.Host)
	b = appendFields(b, 11, r.Header)
	b = appendBytes(b, 12, r.Body)
	b = appendBool(b, 13, r.Lost)
	if !r.Replaces.IsZero() {
		b = appendBytes(b, 14, r.Replaces[:])
	}
	b = appendDuration(b, 15, r.Settle)
	b = appendMoney(b, 20, r.Amount)
	b = appendUint(b, 22, uint64(r.Class))
	if !r.Again.IsZero() {
		b = appendBytes(b, 23, r.Again[:])
	}
	for _, scope := range r.Scopes {
		b = appendString(b, 30, scope)
	}
	b = appendBool(b, 31, r.Erased)
	b = appendBool(b, 45, r.Expired)
	return appendString(b, 40, r.Upstream)
}

func appendPrivacy(b []byte, p *continuity.Privacy) []byte {
	b = appendBool(b, 1, p.Erased)
	b = appendString(b, 2, p.Person)
	b = appendString(b, 3, p.Why)
	b = appendString(b, 4, p.Route)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 5, protowire.Fixed64Type), uint64(p.Key))
	return appendUint(b, 6, uint64(p.Count)) // #nosec G115 -- a count
}

// appendMoney takes two field numbers: of the ten-thousandths, and of the
// currency, which is there whenever there is an amount.
func appendMoney(b []byte, num protowire.Number, m continuity.Money) []byte {
	return appendString(appendUint(b, num, uint64(m.Units)), num+1, m.Currency) // #nosec G115 -- not negative
}

func appendPassed(b []byte, ends []continuity.Passed) []byte {
	var one []byte
	for _, p := range ends {
		one = appendUint(one[:0], 1, uint64(p.Position))
		one = appendUint(one, 2, uint64(p.To))
		one = appendUint(one, 3, uint64(p.Status)) // #nosec G115 -- an HTTP status
		b = appendBytes(b, 1, one)
	}
	return b
}

func appendOutcome(b []byte, o *continuity.Outcome) []byte {
	b = appendBytes(b, 1, o.Receipt[:])
	b = appendUint(b, 2, uint64(o.To))
	b = appendString(b, 3, string(o.Reason))
	b = appendDuration(b, 4, o.After)
	if r := o.Response; r != nil {
		b = appendUint(b, 5, uint64(r.Status)) // #nosec G115 -- an HTTP status
		b = appendFields(b, 6, r.Header)
		if len(r.Body) > 0 {
			b = appendBytes(b, 7, r.Body)
		}
		b = appendBool(b, 8, r.Cut)
		b = appendBool(b, 10, r.Expired)
	}
	return appendBool(b, 9, o.Counts)
}

func appendAct(b []byte, a *continuity.Act) []byte {
	b = appendBytes(b, 1, a.Receipt[:])
	b = appendUint(b, 2, uint64(a.Version))
	b = appendString(b, 3, string(a.Verb))
	b = appendString(b, 4, a.Person)
	b = appendString(b, 5, a.Why)
	if a.Replacement != nil {
		b = appendBytes(b, 6, appendRecord(nil, a.Replacement))
	}
	return appendString(appendString(b, 7, a.Approver), 8, a.Route)
}

func appendSwitch(b []byte, s *continuity.Switch) []byte {
	b = appendString(b, 1, s.Route)
	b = appendString(b, 2, s.Owner)
	b = appendString(b, 3, s.Reason)
	b = appendUint(b, 4, uint64(s.Intake))
	b = appendUint(b, 5, uint64(s.Replay))
	b = appendBool(b, 6, s.Force)
	if !s.Until.IsZero() {
		b = appendUint(b, 7, uint64(s.Until.UnixMilli())) // #nosec G115 -- after 1970
	}
	b = appendBool(b, 8, s.Lift)
	b = appendBlock(b, s.Block)
	return appendAdmission(b, s)
}
