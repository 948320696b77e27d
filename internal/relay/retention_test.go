package relay_test

import (
	"strings"
	"testing"

	"holdfast/internal/continuity"
)

// What has had its time is still known: its client, and whoever sends it again,
// learn what became of it, and it goes no further.
func TestRule10_3_ReceiptOutlivesItsContent(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	receipt := wantHeld(t, h.post(order("A"), "Idempotency-Key: k"))
	h.books.end(receipt, continuity.Delivered, &continuity.Response{Status: 201, Expired: true})
	rec := h.books.kept()[0]
	rec.Body, rec.Header, rec.Target, rec.Erased, rec.Expired = nil, nil, "", true, true
	h.books.pass()
	for _, r := range []reply{h.do("GET", "/.holdfast/receipts/"+receipt.String(), ""), h.post(order("A"), "Idempotency-Key: k")} {
		wantStatus(t, r, 200)
		for _, part := range []string{`"state":"delivered"`, `"gone":"retention"`, `"status":201`, "no longer kept (retention)"} {
			if !strings.Contains(r.body, part) {
				t.Errorf("answered %s, without %s", r, part)
			}
		}
	}
	wantProblem(t, h.post(order("B"), "Idempotency-Key: k"), 422, "mismatch")
	h.wantSent(0)
	h.wantKept(1)
}
