package secret

import (
	"fmt"
	"log/slog"
)

const hidden = "[secret]"

// Text is a secret. It shows itself to Reveal and to nobody else.
type Text struct{ value string }

// Of makes a secret of what is known to be one.
func Of(value string) Text { return Text{value} }

// Reveal returns what is secret; only what sends or compares it may ask.
func (t Text) Reveal() string { return t.value }

// Empty says whether there is nothing.
func (t Text) Empty() bool { return t.value == "" }

// String hides it.
func (Text) String() string { return hidden }

// GoString hides it from %#v.
func (Text) GoString() string { return hidden }

// Format hides it from every verb.
func (Text) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, hidden) }

// MarshalText hides it from JSON and YAML.
func (Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides it from slog.
func (Text) LogValue() slog.Value { return slog.StringValue(hidden) }
