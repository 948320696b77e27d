package sensitive_test

import (
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/sensitive"
)

// A number that a client made up to tell requests apart may look like a card's.
func TestNumbersThatTellRequestsApartAreNoCards(t *testing.T) {
	f := sensitive.New(&continuity.Route{})
	for name, want := range map[string]bool{
		"Idempotency-Key": false, "idempotency-key": false, "traceparent": false, "X-Request-ID": false, "X-Card": true,
	} {
		if _, found := f.Find(sensitive.Request{Header: []continuity.Field{{Name: name, Value: visa}}}); found != want {
			t.Errorf("%s: %v", name, found)
		}
	}
}
