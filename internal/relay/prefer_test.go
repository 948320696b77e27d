package relay_test

import (
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

// RFC 7240. The route declares nothing, so only respond-async has a request
// held; and it would wait longer than the test lasts if its own wait counted.
func TestRule8_2_PreferencesAreReadAsTheirStandardSays(t *testing.T) {
	for name, tt := range map[string]struct {
		fields  []string
		applied string // empty: not held
	}{
		"alone":                             {fields: []string{"Prefer: respond-async"}, applied: "respond-async"},
		"any case":                          {fields: []string{"pREFER: Respond-ASYNC"}, applied: "respond-async"},
		"among others":                      {fields: []string{`Prefer: return=minimal; foo="a, b", respond-async`}, applied: "respond-async"},
		"in a field of its own":             {fields: []string{"Prefer: return=minimal", "Prefer: respond-async"}, applied: "respond-async"},
		"an empty value is none":            {fields: []string{`Prefer: respond-async=""`}, applied: "respond-async"},
		"with a parameter":                  {fields: []string{"Prefer: respond-async ; x=1;y"}, applied: "respond-async"},
		"empty elements":                    {fields: []string{"Prefer: , ,\trespond-async,"}, applied: "respond-async"},
		"wait in vain":                      {fields: []string{"Prefer: respond-async, wait=0"}, applied: "respond-async, wait=0"},
		"blanks around the sign":            {fields: []string{"Prefer: wait = 0 , respond-async"}, applied: "respond-async, wait=0"},
		"quoted":                            {fields: []string{`Prefer: wait="0", respond-async`}, applied: "respond-async, wait=0"},
		"quoted with an escape":             {fields: []string{`Prefer: wait="\0", respond-async`}, applied: "respond-async, wait=0"},
		"the first of two":                  {fields: []string{"Prefer: wait=0, respond-async, wait=100"}, applied: "respond-async, wait=0"},
		"the first of two fields":           {fields: []string{"Prefer: wait=0", "Prefer: wait=100, respond-async"}, applied: "respond-async, wait=0"},
		"the first, which has a value":      {fields: []string{"Prefer: respond-async=yes, respond-async"}},
		"inside a quoted string":            {fields: []string{`Prefer: x="a, respond-async, b"`}},
		"behind an escaped quotation mark":  {fields: []string{`Prefer: x="a\", respond-async, b"`}},
		"as a parameter of something else":  {fields: []string{"Prefer: x; respond-async"}},
		"in a quoted string that never end": {fields: []string{`Prefer: x="a, respond-async`}},
		"part of a word":                    {fields: []string{"Prefer: respond-asynchronously, xrespond-async"}},
		"wait alone":                        {fields: []string{"Prefer: wait=0"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(h *house, _ *relay.Options) { h.route.Answer = nil })
			h.books.hold("operator")
			r := h.post(order("A"), tt.fields...)
			if tt.applied == "" {
				wantProblem(t, r, 503, "not-held")
				return
			}
			wantHeld(t, r)
			if got := r.header.Values("Preference-Applied"); len(got) != 1 || got[0] != tt.applied {
				t.Errorf("applied: %q, want %q", got, tt.applied)
			}
		})
	}
}

// What a client says of waiting comes before what its route says; what can't be
// read as a number of seconds says nothing.
func TestRule8_1_HowLongTheClientWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		prefer  string
		route   time.Duration
		applied string
	}{
		"not at all":          {"wait=0", time.Hour, "wait=0"},
		"not a number":        {"wait=soon", time.Millisecond, ""},
		"negative":            {"wait=-1", time.Millisecond, ""},
		"without a value":     {"wait", time.Millisecond, ""},
		"a fraction":          {"wait=0.5", time.Millisecond, ""},
		"bad, then good":      {"wait=soon, wait=100", time.Millisecond, ""},
		"one second":          {"wait=1", time.Hour, "wait=1"},
		"with parameters":     {`wait=0; x="1;2,3"`, time.Hour, "wait=0"},
		"an unclosed string":  {`wait="100`, time.Millisecond, ""},
		"text behind a quote": {`wait="100"0`, time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, func(h *house, _ *relay.Options) { h.route.Answer.Wait = tt.route })
			h.books.hold("operator")
			r := h.post(order("A"), "Prefer: "+tt.prefer)
			wantHeld(t, r)
			if got := r.header.Get("Preference-Applied"); got != tt.applied {
				t.Errorf("applied: %q, want %q", got, tt.applied)
			}
		})
	}
}

// A final response says so too where it was waited for as asked; a wait that is
// longer than the relay allows is cut, and is not said to have been applied.
func TestRule8_1_AFinalResponseTellsWhatWasApplied(t *testing.T) {
	for prefer, applied := range map[string]string{
		"respond-async, wait=50": "wait=50", "wait=60": "wait=60", "wait=61": "", "wait=99999999999999999999": "", "respond-async": "",
	} {
		h := open(t, func(h *house, _ *relay.Options) { h.route.Answer.Wait = time.Minute })
		h.books.hold("operator")
		c := h.send(request("POST", "/orders", order("A"), "Prefer: "+prefer))
		<-h.books.accepts
		var receipt continuity.Receipt
		for receipt.IsZero() {
			for _, rec := range h.books.kept() {
				receipt = rec.Receipt
			}
		}
		h.books.end(receipt, continuity.Delivered, &continuity.Response{Status: 201})
		r, err := read(c, "POST")
		if err != nil || r.status != 201 || r.header.Get("Preference-Applied") != applied {
			t.Errorf("%s: answered %s, %v", prefer, r, err)
		}
	}
}
