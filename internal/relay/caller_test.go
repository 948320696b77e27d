package relay_test

import (
	"strings"
	"testing"

	"holdfast/internal/caller"
	"holdfast/internal/continuity"
)

// badges verifies whoever wears one: X-Badge names the caller.
type badges struct {
	asked  int
	broken bool
	why    string // of every refusal
	remote string
}

func (b *badges) Verify(req *caller.Request) (caller.Identity, error) {
	b.asked++
	b.remote = req.Remote
	for _, f := range req.Header {
		if f.Name == "X-Badge" {
			if b.broken {
				return caller.Identity{}, &caller.Refusal{Why: caller.WhyUnavailable, Ours: true, Claims: f.Value}
			}
			if b.why != "" {
				return caller.Identity{}, &caller.Refusal{Why: b.why, Claims: f.Value}
			}
			return caller.Identity{Name: f.Value, Scopes: []string{"order:write"}}, nil
		}
	}
	return caller.Identity{}, &caller.Refusal{Why: caller.WhyAbsent}
}

func (b *badges) Challenge() string { return `Badge realm="holdfast"` }

func guarded(t *testing.T) (*house, *badges) {
	t.Helper()
	b := &badges{}
	h := open(t)
	h.caller = b
	h.route.Caller, h.route.Verify = "verified", &continuity.Verify{}
	h.use(continuity.Limits{})
	return h, b
}

func TestRule5_1_NobodyGetsAnothersRepeat(t *testing.T) {
	h, _ := guarded(t)
	h.books.hold("operator")
	alice := h.post(order("A"), "X-Badge: alice", "Idempotency-Key: k")
	wantHeld(t, alice)
	bob := h.post(order("B"), "X-Badge: bob", "Idempotency-Key: k")
	wantHeld(t, bob)
	if bob.header.Get("Location") == alice.header.Get("Location") {
		t.Error("two callers share a receipt")
	}
	kept := h.wantKept(2)
	if kept[0].Caller != "alice" || kept[1].Caller != "bob" || strings.Join(kept[0].Scopes, " ") != "order:write" {
		t.Errorf("kept for %q and %q, with %q", kept[0].Caller, kept[1].Caller, kept[0].Scopes)
	}
	if again := h.post(order("A"), "X-Badge: alice", "Idempotency-Key: k"); again.header.Get("Location") != alice.header.Get("Location") {
		t.Errorf("her own repeat: %s", again)
	}
	h.books.pass()
	// Whoever proves nothing meets neither: the upstream judges.
	wantStatus(t, h.post(order("C"), "Idempotency-Key: k"), 201)
	h.wantKept(2)
}

func TestUnverifiedCallersAreNotHeld(t *testing.T) {
	h, b := guarded(t)
	wantStatus(t, h.post(order("A")), 201)
	wantStatus(t, h.do("GET", "/orders/A", ""), 201)
	if b.asked != 0 {
		t.Errorf("asked %d times for proof that decides nothing", b.asked)
	}
	h.books.hold("operator")
	r := h.post(order("A"))
	wantProblem(t, r, 401, "caller")
	if r.header.Get("WWW-Authenticate") == "" || r.header.Get("Retry-After") != "" {
		t.Error(r)
	}
	wantHeld(t, h.post(order("A"), "X-Badge: alice"))
	h.books.pass()
	wantProblem(t, h.post(order("A")), 401, "caller") // its key is in the gate: passing would overtake
	wantStatus(t, h.post(order("B")), 201)
	h.shop.next(nil)
	wantProblem(t, h.post(order("C")), 502, "upstream") // lost, and kept for nobody
	h.wantKept(1)
	b.broken = true
	h.books.hold("operator")
	r = h.post(order("D"), "X-Badge: alice")
	wantProblem(t, r, 503, "not-held") // that nobody can judge the proof is not the caller's fault
	if r.header.Get("Retry-After") == "" {
		t.Error(r)
	}
}

func TestRule8_3_AReceiptIsForItsCallerOnly(t *testing.T) {
	h, b := guarded(t)
	h.books.hold("operator")
	r := h.post(order("A"), "X-Badge: alice")
	wantHeld(t, r)
	at := r.header.Get("Location")
	wantStatus(t, h.do("GET", at, "", "X-Badge: alice"), 200)
	wantProblem(t, h.do("GET", at, "", "X-Badge: bob"), 404, "not-found")
	wantProblem(t, h.do("GET", at, ""), 404, "not-found")
	h.books.end(h.wantKept(1)[0].Receipt, continuity.Delivered, &continuity.Response{Status: 201, Body: []byte("secret")})
	if r := h.do("GET", at, "", "X-Badge: alice"); r.status != 200 || !strings.Contains(r.body, "secret") {
		t.Error(r)
	}
	wantProblem(t, h.do("GET", at, "", "X-Badge: bob"), 404, "not-found")
	b.broken = true
	wantProblem(t, h.do("GET", at, "", "X-Badge: alice"), 404, "not-found")
	// The route became public meanwhile: the record is hers all the same.
	h.caller, h.route.Caller, h.route.Verify = nil, "public", nil
	h.use(continuity.Limits{})
	wantProblem(t, h.do("GET", at, "", "X-Badge: alice"), 404, "not-found")
}

// A proxy hands a client's certificate on in a field, and is believed by its own
// address, whomever it speaks for.
func TestCallersAreVerifiedByWhoConnected(t *testing.T) {
	h, b := guarded(t)
	h.books.hold("operator")
	wantHeld(t, h.post(order("A"), "X-Badge: alice", "X-Forwarded-For: 203.0.113.9"))
	if !strings.HasPrefix(b.remote, "127.0.0.1:") {
		t.Errorf("verified with the address %s", b.remote)
	}
}

// A key or a token in a field of its own is a credential as one in Authorization
// is: without leave it is not stored, so its request is not held.
func TestRule10_1_CallersKeysAreStoredOnlyByLeave(t *testing.T) {
	for name, verify := range map[string]*continuity.Verify{
		"API key": {APIKey: &continuity.VerifyAPIKey{Header: "X-API-Key"}},
		"token":   {JWT: &continuity.VerifyJWT{Header: "X-API-Key"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := guarded(t)
			h.route.Verify = verify
			h.use(continuity.Limits{})
			h.books.hold("operator")
			wantProblem(t, h.post(order("A"), "X-Badge: alice", "x-api-key: secret"), 503, "not-held")
			h.wantKept(0)
			wantHeld(t, h.post(order("A"), "X-Badge: alice"))
			h.route.Hold.Credentials = true
			h.use(continuity.Limits{})
			wantHeld(t, h.post(order("A"), "X-Badge: alice", "x-api-key: secret"))
			h.wantKept(2)
		})
	}
}

// Where credentials are minted none are stored, and nothing that proved the
// caller is.
func TestRule10_1_WhatIsMintedAnewIsNotStored(t *testing.T) {
	for name, drop := range map[string]bool{"as it came": false, "with fields dropped": true} {
		t.Run(name, func(t *testing.T) {
			h, _ := guarded(t)
			h.route.Verify = &continuity.Verify{
				JWT: &continuity.VerifyJWT{Header: "X-Token"}, APIKey: &continuity.VerifyAPIKey{Header: "X-API-Key"},
				HMAC: &continuity.VerifyHMAC{Header: "X-Signature"}, MTLS: &continuity.VerifyMTLS{Header: "X-Client-Cert"},
			}
			h.route.Hold.Mint = &continuity.Mint{}
			h.route.Sensitive = continuity.Sensitive{Headers: []string{"X-Pin"}, Drop: drop}
			h.use(continuity.Limits{})
			fields := []string{
				"X-Badge: alice", "Authorization: Bearer secret", "cookie: s=secret", "x-token: secret", "X-Api-Key: secret", "X-Signature: secret",
				"X-Client-Cert: secret", "X-Kept: yes",
			}
			if drop {
				fields = append(fields, "X-Pin: secret")
			}
			wantStatus(t, h.post(order("A"), fields...), 201)
			if got := h.shop.requests()[0]; got.Header.Get("Authorization") != "Bearer secret" || got.Header.Get("X-Token") != "secret" {
				t.Errorf("passed with %v", got.Header)
			}
			h.books.hold("operator")
			wantProblem(t, h.post(order("B"), fields[1:]...), 401, "caller") // nobody to mint for
			wantHeld(t, h.post(order("A"), fields...))
			kept := h.wantKept(1)[0]
			seen := false
			for _, f := range kept.Header {
				seen = seen || f.Name == "X-Kept"
				if strings.Contains(f.Value, "secret") {
					t.Errorf("stored: %s", f.Name)
				}
			}
			if !seen || kept.Caller != "alice" || strings.Join(kept.Scopes, " ") != "order:write" {
				t.Errorf("kept %+v", kept)
			}
		})
	}
}

// A repeat whose proof has run out, or can't be judged any more, is not sent on:
// it could have its effect twice. Nor does it learn anything.
func TestRule5_2_ARepeatWithAStaleProofIsNotSentOn(t *testing.T) {
	for name, unordered := range map[string]bool{"ordered": false, "unordered": true} {
		t.Run(name, func(t *testing.T) {
			h, b := guarded(t)
			h.route.Identity.Fields = []string{"/n"}
			if unordered {
				h.route.Key = continuity.Selector{}
			}
			h.use(continuity.Limits{})
			h.books.hold("operator")
			byField := `{"order_no":"B","n":"7"}`
			wantHeld(t, h.post(order("A"), "X-Badge: alice", "Idempotency-Key: k"))
			wantHeld(t, h.post(byField, "X-Badge: alice"))
			for _, rec := range h.wantKept(2) {
				h.books.end(rec.Receipt, continuity.Delivered, &continuity.Response{Status: 201, Body: []byte("secret")})
			}
			h.books.pass()
			for _, state := range []continuity.HoldState{continuity.HoldOn, continuity.HoldObserve} {
				h.route.Hold.State = state
				h.use(continuity.Limits{})
				sent := len(h.shop.requests())
				b.why = caller.WhyExpired
				for _, r := range []reply{
					h.post(order("A"), "X-Badge: alice", "Idempotency-Key: k"), h.post(order("other"), "X-Badge: alice", "Idempotency-Key: k"),
					h.post(byField, "X-Badge: alice"),
				} {
					wantProblem(t, r, 401, "caller")
					if strings.Contains(r.body, "secret") || r.header.Get("Location") != "" {
						t.Errorf("tells %s", r)
					}
				}
				b.why, b.broken = "", true
				wantProblem(t, h.post(order("A"), "X-Badge: alice", "Idempotency-Key: k"), 503, "not-held")
				if n := len(h.shop.requests()); n != sent {
					t.Errorf("sent on %d times", n-sent)
				}
				// What nobody keeps is the upstream's to judge.
				wantStatus(t, h.post(order("A"), "X-Badge: bob", "Idempotency-Key: k"), 201)
				wantStatus(t, h.post(order("A"), "X-Badge: alice", "Idempotency-Key: other"), 201)
				wantStatus(t, h.post(order("A"), "Idempotency-Key: k"), 201)
				b.broken = false
				if r := h.post(order("A"), "X-Badge: alice", "Idempotency-Key: k"); r.status != 201 || r.body != "secret" {
					t.Errorf("proven anew: %s", r)
				}
			}
		})
	}
}
