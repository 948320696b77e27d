package relay_test

import (
	"strings"
	"testing"

	"holdfast/internal/continuity"
)

func TestRule10_3_CardNumbersAndCodesRefuseTheHold(t *testing.T) {
	h := open(t)
	card := `{"order_no":"A","card":{"no":"4111 1111 1111 1111"}}`
	wantStatus(t, h.post(card), 201) // the upstream is there: it passes
	h.books.hold("operator")
	r := h.post(card)
	wantProblem(t, r, 503, "sensitive")
	if !strings.Contains(r.body, `/card/no`) || strings.Contains(r.body, "1111") || r.header.Get("Retry-After") == "" {
		t.Error(r)
	}
	wantProblem(t, h.post(`{"order_no":"A","cvv":"123"}`), 503, "sensitive")
	wantHeld(t, h.post(`{"order_no":"4111111111111111"}`)) // the key is a declared number
	h.wantKept(1)
	h.books.pass()
	h.shop.next(nil)
	wantProblem(t, h.post(`{"order_no":"B","cvv":"123"}`), 502, "upstream") // lost, and not stored either
	h.wantKept(1)
}

func TestRule10_3_DeclaredFieldsAreDroppedBeforeStoring(t *testing.T) {
	h := open(t)
	h.route.Sensitive = continuity.Sensitive{Fields: []string{"/id_card"}, Headers: []string{"X-Secret"}, Query: []string{"token"}, Drop: true}
	h.use(continuity.Limits{})
	h.books.hold("operator")
	body := `{"order_no":"A","id_card":"11010519491231002X"}`
	first := h.do("POST", "/orders?token=abc&x=1", body, "X-Secret: s", "Idempotency-Key: k")
	wantHeld(t, first)
	kept := h.wantKept(1)[0]
	if string(kept.Body) != `{"order_no":"A"}` || kept.Target != "/orders?x=1" || strings.Contains(strings.Join(names(kept.Header), " "), "Secret") {
		t.Errorf("kept %s %s %v", kept.Target, kept.Body, kept.Header)
	}
	again := h.do("POST", "/orders?token=abc&x=1", body, "X-Secret: s", "Idempotency-Key: k")
	if again.status != 202 || again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("a repeat is not recognised: %s", again)
	}
	h.books.pass()
	h.shop.next(nil)
	wantProblem(t, h.post(`{"order_no":"B","id_card":"1"}`), 502, "upstream") // another body can't be its second attempt
	h.wantKept(1)
}

func names(header []continuity.Field) []string {
	out := make([]string, len(header))
	for i, f := range header {
		out[i] = f.Name
	}
	return out
}
