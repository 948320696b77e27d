package relay_test

import (
	"testing"

	"holdfast/internal/continuity"
)

// Whoever is judged by one path and served by another gets past routes, blocks
// and proofs.
func TestPathsAreComparedAsServersReadThem(t *testing.T) {
	h := open(t)
	h.route.Block = []continuity.Block{{Paths: []string{"/orders/export"}}}
	h.use(continuity.Limits{})
	for _, target := range []string{
		"/orders/../admin", "/orders/%2e%2E/admin", "/orders/..%2fadmin", "/orders/..%5Cadmin", "/orders/..;a=b/admin", "/orders/.", "/orders/./x",
		"/orders/a%2F..", "/../orders", "/other/../orders/1",
	} {
		wantProblem(t, h.do("GET", target, ""), 400, "invalid")
	}
	for _, target := range []string{"/orders/export", "/%6frders/export", "/orders/e%78port?x=../y",
		"//orders/export", "/orders//export", "///orders///export", "/%2Forders/export", "/orders/%2f%5C/export", "/orders/\\export"} {
		wantProblem(t, h.do("GET", target, ""), 403, "blocked")
	}
	h.wantSent(0)
	for i, target := range []string{"//orders/1//2?a=//b", "/orders/%2F3"} { // what came goes upstream
		wantStatus(t, h.do("GET", target, ""), 201)
		if sent := h.wantSent(i + 1)[i].RequestURI; sent != target {
			t.Errorf("%s went upstream as %s", target, sent)
		}
	}
	for _, target := range []string{"/orders/...", "/orders/.x", "/orders/a..b", "/orders/a%2Fb", "/%6Frders/1", "/orders/?a=/../b"} {
		wantStatus(t, h.do("GET", target, ""), 201)
	}
	wantProblem(t, h.do("GET", "//.holdfast//receipts/x", ""), 404, "not-found")
	wantProblem(t, h.do("GET", "/%2eholdfast/receipts/x", ""), 404, "not-found")
}
