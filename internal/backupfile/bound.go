package backupfile

import (
	"encoding/binary"
	"strconv"

	"holdfast/internal/backup"
)

// Bound is what a file is bound to: it opens only where the same is asked for.
type Bound struct {
	Service, Set string
	Type         string
	ID           string
	Base, Parent string
	From, To     backup.Position // of a log: what else has positions knows them at its end
}

// BoundOf is what the file of a piece is bound to.
func BoundOf(m backup.Manifest) Bound {
	b := Bound{Service: m.Service, Set: m.Set, Type: m.Type, ID: m.ID, Base: m.Base, Parent: m.Parent}
	if m.Type == backup.TypeLog {
		b.From, b.To = m.From, m.To
	}
	return b
}

// context is the associated data for a purpose: each field with its length before it,
// so that no two different ones are written the same.
func (b Bound) context(purpose string, header []byte) []byte {
	fields := []string{purpose, string(header), b.Service, b.Set, b.Type, b.ID, b.Base, b.Parent}
	for _, p := range []backup.Position{b.From, b.To} {
		fields = append(fields, p.System, strconv.FormatUint(uint64(p.Timeline), 10), p.At)
	}
	var out []byte
	for _, field := range fields {
		out = binary.AppendUvarint(out, uint64(len(field)))
		out = append(out, field...)
	}
	return out
}
