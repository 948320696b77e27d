package notify

// Bounded are settings of a channel that may say otherwise than its kind how much
// one address takes.
type Bounded interface {
	// Rooms are the bounds; nil: those of the kind.
	Rooms() []Room
}

// Signed are settings of a channel that name the signature of text messages whose
// template names none.
type Signed interface{ Signature() string }

// PerNumber is how much one address takes of a channel.
func PerNumber(k Kind, settings any) []Room {
	if b, ok := settings.(Bounded); ok {
		if rooms := b.Rooms(); rooms != nil {
			return rooms
		}
	}
	return k.PerNumber
}

// SignatureOf is the signature with which a text message begins: its template's, or
// else that of the channel's settings.
func SignatureOf(t *Template, settings any) string {
	if t != nil && t.Sign != "" {
		return t.Sign
	}
	if s, ok := settings.(Signed); ok {
		return s.Signature()
	}
	return ""
}

// Checked are settings whose fields have to fit each other; what does not is a
// configuration error at the field that report is told.
type Checked interface {
	Check(report func(field, id string, pairs ...any))
}
