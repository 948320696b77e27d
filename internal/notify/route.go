package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

// Ask is the question who is meant, and how they are reached.
type Ask struct {
	Service  string
	To       continuity.Recipient
	Urgency  string
	Channels []string // of the plan, the first goes first; none: those of the audience or person
	Template string   // approved texts of this one are wanted
	Doubled  bool     // an audience's people are meant one by one, too, by text message or mail
	At       time.Time
}

// Router knows people, audiences and what reaches them.
type Router interface {
	// Resolve returns who is meant. Nobody is no error; an error says that it is not
	// known at present.
	Resolve(ctx context.Context, a Ask) ([]Target, error)
	// Words returns the text of a template; ok is false where there is none.
	Words(service, template string) (w Words, ok bool)
}

// Words are a template's text, and what is known of its fields: who asks for a
// notification need not say that. A name with "@en" or "@zh" is for that language.
type Words struct {
	Subject, Text continuity.Text
	Known         map[string]string
}

// filled is the text with its fields filled in; values go before what is known. It
// names the fields that have none.
func (w *Words) filled(values map[string]string) (subject, text continuity.Text, missing []string) {
	vars := together(w.Known, values)
	subject, missing = w.Subject.Fill(vars)
	text, more := w.Text.Fill(vars)
	return subject, text, append(missing, more...)
}

// Target is one whom a notification is for: a person, or a room of an audience.
type Target struct {
	ID        string // PERSON, or AUDIENCE/CHANNEL
	Person    string
	Name      string
	Languages []string // en, zh; the first one leads
	// Free is when, at a time or later, somebody may be told what is no page; nil: always.
	Free func(time.Time) time.Time
	Ways []Way // the first goes first
	Once bool  // they are told a second time already, elsewhere

	to continuity.Recipient // for whom they were named
}

// Way is one address over one channel.
type Way struct {
	Channel  string // of the plan, or the node's
	Sender   string // the node's
	Kind     string // of the address
	Address  string // empty: the channel's own room
	Approved *Approved

	masked string // the address, as deliveries name it
}

// Approved is a text that a provider approved, with the fields of ours that fill
// it. Beside those of the notification there are subject, text, service and link.
type Approved struct {
	Code      continuity.Text
	Sign      string
	Variables map[string]string   // by the provider's names
	Order     map[string][]string // of the provider's names, by language
	Known     map[string]string   // what need not be said, as with Words
}

// Opened is a node's channel.
type Opened struct {
	ID        string
	Kind      Kind
	Channel   Channel
	PerMinute int // 0: as the kind says
}

// Channels are the node's.
type Channels interface {
	Sender(id string) (Opened, bool)
}

// defaultPerMinute is how many messages a minute a channel takes where nobody says.
const defaultPerMinute = 5

func (o *Opened) perMinute() int {
	switch {
	case o.PerMinute > 0:
		return o.PerMinute
	case o.Kind.PerMinute > 0:
		return o.Kind.PerMinute
	}
	return defaultPerMinute
}

// doubles reports whether a critical message may go this way besides another.
func (o *Opened) doubles() bool { return o.Kind.Doubles() }

// Doubles reports whether this is the way by text message or mail.
func (k *Kind) Doubles() bool {
	for _, kind := range k.Serves {
		if kind == "sms" || kind == "mail" {
			return true
		}
	}
	return false
}

// Mask keeps of an address what its owner knows it by.
func Mask(address string) string {
	if address == "" {
		return ""
	}
	if name, host, ok := strings.Cut(address, "@"); ok && name != "" {
		_, first := utf8.DecodeRuneInString(name)
		return name[:first] + "…@" + host
	}
	runes := []rune(address)
	keep := min(3, len(runes)/3)
	return string(runes[:keep]) + "…" + string(runes[len(runes)-keep:])
}

// masked are ways whose addresses are masked. Those that look alike then are
// numbered: each is a way of its own.
func masked(ways []Way) []Way {
	ways = slices.Clone(ways)
	alike := map[string][]string{}
	for i := range ways {
		w := &ways[i]
		w.masked = Mask(w.Address)
		n := slices.Index(alike[w.masked], w.Address)
		if n < 0 {
			n = len(alike[w.masked])
			alike[w.masked] = append(alike[w.masked], w.Address)
		}
		if n > 0 {
			w.masked += fmt.Sprintf(" (%d)", n+1)
		}
	}
	return ways
}

// is reports whether a delivery goes this way, by whatever name.
func (w *Way) is(d *continuity.Delivery) bool {
	return w.Sender == d.Sender && w.masked == d.Address
}
