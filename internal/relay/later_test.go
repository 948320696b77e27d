package relay_test

import (
	"slices"
	"strings"
	"testing"

	"holdfast/internal/continuity"
)

// late is an exchange that reads its answer when the handler has returned, as
// HTTP/2 may.
type late struct {
	*desk
	header []continuity.Field
	body   []byte
}

func (l *late) Respond(status int, header []continuity.Field, body []byte) error {
	l.status, l.header, l.body = status, header, body
	return nil
}

// What a client is told of its own kept request must not turn into what another
// is told, however late it is read.
func TestRule8_3_AnAnswerReadLateIsNotAnothers(t *testing.T) {
	b := newBooks()
	b.hold("operator")
	e := engineFor(t, b, nil, echo)
	for range 20 { // as memory is used again only now and then under the race detector
		var first, second late
		for _, x := range []*late{&first, &second} {
			x.desk = newDesk(10)
			e.Handle(x)
		}
		for n, x := range []*late{&first, &second} {
			receipt := b.kept()[len(b.kept())-2+n].Receipt.String()
			if x.status != 202 || !strings.Contains(string(x.body), receipt) ||
				!slices.Contains(x.header, continuity.Field{Name: "Location", Value: "/.holdfast/receipts/" + receipt}) {
				t.Fatalf("client %d of %s was told %d %v %s", n+1, receipt, x.status, x.header, x.body)
			}
		}
	}
}
